"""Shards of an engine among others: whose they are, and how they move from one engine to another."""
