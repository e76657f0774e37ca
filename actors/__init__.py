"""The kernel and its actors (workflow, composite, place), the executors and the embedded runtime."""
