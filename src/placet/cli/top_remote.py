"""`placet top … --connect`: the engines of a cluster, watched as if they were one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, cast

from placet.actors.clock import monotonic_s
from placet.actors.control.request import StatusRequest
from placet.cli.faces import Face
from placet.cli.missing import all_there_are
from placet.cli.top import COUNTING_SHARE
from placet.cli.top_view import Glance
from placet.net.client import Client, node_of
from placet.net.gathering import ask_running
from placet.net.twins import blocked

SLOWEST: Final = 20
_SUMMED: Final = ("commits", "firings", "queued", "waiting_for_slots", "tasks_offered")


class RemoteWatcher:
    """Looks at all engines of a cluster."""

    def __init__(self, client: Client, node: str) -> None:
        self._client = client
        self._node = node
        self._instances: dict[str, int] = {}
        self._count_again_s = 0.0  # monotonic

    def look(self) -> Glance:
        """Return how the engines are now. Raises as the client does."""
        asked = ask_running(node_of(self._client), StatusRequest(), dict[str, object], None)
        return Glance(at_s=monotonic_s(), state=self._node, told=merged(blocked(asked)), instances=self._counted())

    def _counted(self) -> dict[str, int]:
        """Return the instances by state; where counting takes long, those of the last time for a while."""
        begin_s = monotonic_s()
        if begin_s >= self._count_again_s:
            known, _ = all_there_are(self._client.list())  # of those that are away nothing is shown
            self._instances = dict(sorted(Counter(one.state.value for one in known).items()))
            end_s = monotonic_s()
            self._count_again_s = end_s + (end_s - begin_s) / COUNTING_SHARE
        return self._instances


def merged(told: Mapping[str, Face]) -> Face:
    """Return what several engines say of themselves, by name, as if they were one."""
    ill = {name: one for name, one in told.items() if one["problem"]}
    worst = next(iter(ill.values()), next(iter(told.values())))
    executors: dict[str, Counter[str]] = {}
    for one in told.values():
        for name, load in cast("Mapping[str, Mapping[str, int]]", one["executors"]).items():
            executors.setdefault(name, Counter()).update(load)
    running = [handler for one in told.values() for handler in cast("Sequence[Face]", one["running"])]
    slowest = [one for engine in told.values() for one in cast("Sequence[Face]", engine["slowest"])]
    return {
        "pid": [one["pid"] for _, one in sorted(told.items())],
        "health": worst["health"],
        "problem": "; ".join(f"{name}: {one['problem']}" for name, one in ill.items()),
        **{name: sum(cast("int", one[name]) for one in told.values()) for name in _SUMMED},
        "executors": {name: dict(load) for name, load in executors.items()},
        "running": sorted(running, key=lambda one: -cast("float", one["since_s"])),
        "slowest": sorted(slowest, key=lambda one: -cast("float", one["mean_s"]))[:SLOWEST],
    }
