"""Waiting for many instances at once, at the least cost to what is measured."""

import threading

from benchmarks.setting import PATIENCE_S
from placet import InstanceState, Runtime
from placet.actors.effects import StateChanged
from placet.actors.runtime import client_of


class Finish:
    """Counts the instances that have come to a state, as the engine tells them after their commits."""

    def __init__(self, runtime: Runtime, state: InstanceState, wanted: int) -> None:
        self._runtime = runtime
        self._state = state
        self._wanted = wanted
        self._reached = 0
        self._all = threading.Event()

    def expect(self, instance: str) -> None:
        """Count this instance; before it is spawned."""
        client_of(self._runtime).engine.changes.add(instance, self._changed)

    def _changed(self, change: StateChanged) -> None:
        if change.state == self._state.value:
            self._reached += 1
            if self._reached == self._wanted:
                self._all.set()

    def wait(self) -> None:
        """Return once all that are wanted have come. Raises `TimeoutError`."""
        if not self._all.wait(PATIENCE_S):
            problem = self._runtime.problem or "no error"
            raise TimeoutError(f"{self._reached} of {self._wanted} are {self._state.value}: {problem}")
