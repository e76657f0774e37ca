"""Figures of this machine, each beside the limit it could reach: `python -m benchmarks`."""
