"""Tools for tests of workflows: virtual time, and a store that fails on purpose."""
