"""Who restarts what, and when to give up: policies as values and pure functions."""
