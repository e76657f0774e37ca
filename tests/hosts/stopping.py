"""`placet`, whose processes stand still or die at a point of a move that a file names: by themselves, and once.

`STOP_AT` in the environment is the file. It holds a point and a signal, such as `staged before 19`; who comes to the
point takes the file away, leaves its pid in `STOP_AT.pid`, and sends itself the signal. Points are `copying`, `frozen`,
`asking`, `confirming`, `removing`, and `before` and `after` the commit of an owner's record: `arriving`, `staged`,
`moved`, `settled`, `owned`. Engines' processes run this file as well before they begin.
"""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from placet.actors.shards.arriving import Arrivals
from placet.actors.shards.leaving import Departures
from placet.actors.shards.records import Moved, decode_owner
from placet.actors.shards.shards import Shards
from placet.net.cluster_node import ClusterNode
from placet.net.exchange import Exchange
from placet.persistence.keys import OWNER
from placet.persistence.lmdb_store import LmdbStore
from placet.persistence.store import Write
from placet.supervision.budget import RestartBudget

STOP_AT = Path(os.environ["STOP_AT"])
MOST_ENDS = 1_000  # of an engine, before its node gives up


def reach(point: str) -> None:
    """Stop here if this is where to."""
    try:
        wanted, _, number = STOP_AT.read_text(encoding="ascii").rpartition(" ")
    except FileNotFoundError:
        return
    if wanted == point:
        STOP_AT.unlink()
        told = STOP_AT.with_suffix(".told")
        told.write_text(str(os.getpid()), encoding="ascii")
        told.rename(STOP_AT.with_suffix(".pid"))
        os.kill(os.getpid(), int(number))


def wrap(owner: type, name: str, around: Callable[..., object]) -> None:
    """Have calls of a method go through `around`, which gets the method first."""
    method = getattr(owner, name)

    def wrapped(*args: object) -> object:
        """Call it."""
        return around(method, *args)

    setattr(owner, name, wrapped)


def coming_to(point: str) -> Callable[..., object]:
    """Return what comes to a point before the method is called."""

    def around(method: Callable[..., object], *args: object) -> object:
        """Call it."""
        reach(point)
        return method(*args)

    return around


def freeze(method: Callable[..., object], *args: object) -> object:
    """Come to a point once the shard stands still."""
    has_frozen = method(*args)
    if has_frozen:
        reach("frozen")
    return has_frozen


def remove_some(method: Callable[..., object], arrivals: Arrivals) -> object:
    """Come to a point if there is something to remove."""
    if arrivals.has_work:
        reach("removing")
    return method(arrivals)


def commit(method: Callable[..., object], store: LmdbStore, writes: Iterable[Write]) -> None:
    """Come to points before and after records of owners are on disk."""
    kept = list(writes)
    found = [decode_owner(value) for key, value in kept if key.startswith(OWNER) and value is not None]
    names = ["settled" if isinstance(one, Moved) and one.settled else type(one).__name__.lower() for one in found]
    for name in names:
        reach(f"{name} before")
    method(store, kept)
    for name in names:
        reach(f"{name} after")


def spend(method: Callable[..., object], budget: RestartBudget, past_s: tuple[float, ...], now_s: float) -> object:
    """Let engines end more often than a node would have it."""
    return method(replace(budget, limit=MOST_ENDS), past_s, now_s)


wrap(LmdbStore, "commit", commit)
wrap(Shards, "freeze", freeze)
wrap(Arrivals, "remove_some", remove_some)
wrap(Departures, "_fill", coming_to("copying"))
wrap(Exchange, "_ask_table", coming_to("asking"))
wrap(ClusterNode, "confirm", coming_to("confirming"))
wrap(RestartBudget, "spend", spend)

if __name__ == "__main__":
    from placet.cli.main import main

    sys.exit(main())
