"""Durable workflows as Petri nets on supervised actors."""
