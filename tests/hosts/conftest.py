"""Hosts for the tests of this folder."""

from tests.hosts.fixture import hosts

__all__ = ["hosts"]
