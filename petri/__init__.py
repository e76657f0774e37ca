"""Nets as immutable values: definitions, the builder, enabling, drawing. No actor, disk or clock in here."""
