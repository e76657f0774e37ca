"""Tools for tests of workflows: virtual time, a store that fails on purpose, and a seeded simulation of an engine.

Tests of your own workflows need `Rehearsal` only; docs/testing.md shows how.
"""

from placet.testing.rehearsal import Rehearsal
from placet.testing.rehearsed_actor import RehearsedActor
from placet.testing.rehearsed_instance import RehearsedInstance

__all__ = ["Rehearsal", "RehearsedActor", "RehearsedInstance"]
