"""Copies of an instance, made, moved and brought in again, and of a whole state."""
