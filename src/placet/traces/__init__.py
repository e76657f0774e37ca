"""Recorded scientific workflows (WfFormat): reading, running and generating them."""
