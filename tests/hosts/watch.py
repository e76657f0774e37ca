"""Looks, while engines run, at whose each shard is on their disks: never two owners, and each epoch has one."""

import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing
from itertools import permutations
from pathlib import Path

from placet.actors.shards.records import Owned, read_owners
from placet.persistence.errors import StateMissing
from placet.persistence.lmdb_store import LmdbReader

LOOK_S = 0.2


class OwnerWatch:
    """Looks again and again from a thread of its own, from `with` to its end; `problems` is what it has seen."""

    def __init__(self, states: Mapping[str, Path]) -> None:
        """`states` are the directories of engines, by their names."""
        self.problems: list[str] = []
        self.looks = 0
        self._states = states
        self._readers: dict[str, LmdbReader] = {}
        self._epochs: dict[tuple[int, int], str] = {}  # who was ever seen to own a shard, with an epoch
        self._over = threading.Event()
        self._stack = ExitStack()
        self._thread = threading.Thread(target=self._main)

    def __enter__(self) -> "OwnerWatch":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        self._stack.close()

    def _main(self) -> None:
        while not self._over.wait(LOOK_S):
            self._look()

    def _owned(self, engine: str) -> dict[int, int]:
        """Return the epochs of the shards that an engine's disk says are its own, in one moment."""
        if engine not in self._readers:
            try:
                self._readers[engine] = self._stack.enter_context(closing(LmdbReader.open(self._states[engine])))
            except StateMissing:  # it is still to be made
                return {}
        records = read_owners(self._readers[engine])
        return {shard: record.epoch for shard, record in records if isinstance(record, Owned)}

    def _look(self) -> None:
        self.looks += 1
        first = {engine: self._owned(engine) for engine in self._states}
        for engine, owned in first.items():
            for shard, epoch in owned.items():
                known = self._epochs.setdefault((shard, epoch), engine)
                if known != engine:
                    self.problems.append(f"shard {shard} was {known}'s with epoch {epoch}, and is {engine}'s with it")
        later = {engine: self._owned(engine) for engine in self._states}
        for (number, engine), (other_number, other) in permutations(enumerate(self._states), 2):
            between = (
                first[engine] if other_number < number else later[engine]
            )  # seen after `other` first, before later
            for shard in between:
                if first[other].get(shard, 0) == later[other].get(shard, -1):
                    self.problems.append(f"shard {shard} was {engine}'s and {other}'s at the same time")
