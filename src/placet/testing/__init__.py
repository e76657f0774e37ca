"""Tools for tests of workflows: virtual time, a store that fails on purpose, and a seeded simulation of an engine."""
