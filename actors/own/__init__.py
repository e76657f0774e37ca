"""Durable actors of users' own: classes whose instances are instances of a workflow made from the class."""
