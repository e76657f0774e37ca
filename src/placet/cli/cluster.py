"""What `placet nodes` and `placet shard` do."""

import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import groupby

import msgspec

from placet.actors.clock import monotonic_s
from placet.actors.errors import WaitTimeout
from placet.cli.errors import COMPLETED, WrongUsage
from placet.cli.output import is_terminal, note, say, say_json
from placet.cli.where import Where
from placet.net.client import Client, cluster_of
from placet.net.node_request import NodeSeen, ShardSeen
from placet.petri.errors import printable

LOOK_AGAIN_S = 0.2
_COLOURS = {"alive": "green", "suspect": "yellow", "down": "red"}


def list_nodes(where: Where, *, is_json: bool) -> int:
    """Write a line a node, a table on a terminal."""
    with _connected(where) as client:
        seen = cluster_of(client).nodes()
    if is_json:
        for node in seen.nodes:
            say_json(msgspec.to_builtins(node))
        return COMPLETED
    header = ("node", "state", "address", "engines", "shards", "capabilities", "version")
    rows = [_row(node) for node in seen.nodes]
    if is_terminal(sys.stdout):
        _table(header, rows)
    else:
        for row in rows:
            say("  ".join(row))
    note(f"cluster {seen.cluster}, as {seen.seen_by} sees it")
    return COMPLETED


def _row(node: NodeSeen) -> tuple[str, ...]:
    state = f"{node.state}, draining" if node.is_draining else node.state
    engines = f"{len(node.running)} of {len(node.engines)} run"
    capabilities = " ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in node.capabilities.items()
    )
    keeper = " (coordinator)" if node.keeps_coordinator else ""
    shards = str(sum(node.engines.values()))
    return (node.name + keeper, state, node.address, engines, shards, capabilities or "-", node.version)


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), header_style="dim", pad_edge=False)
    for name in header:
        table.add_column(name, no_wrap=True)
    for row in rows:
        style = _COLOURS.get(row[1].partition(",")[0], "")
        table.add_row(*(Text(printable(cell), style if number == 1 else "") for number, cell in enumerate(row)))
    Console().print(table)


def list_shards(where: Where, *, is_json: bool) -> int:
    """Write who owns which shards: a line a shard in JSON, a line an engine otherwise."""
    with _connected(where) as client:
        shards = cluster_of(client).shards()
    if is_json:
        for shard in shards:
            say_json(msgspec.to_builtins(shard))
        return COMPLETED
    for engine in sorted({shard.engine for shard in shards}):
        owned = [shard.shard for shard in shards if shard.engine == engine]
        say(f"{engine or 'nobody'}  {len(owned)}  {ranges(owned)}")
    return COMPLETED


def ranges(numbers: list[int]) -> str:
    """Return ascending numbers in short, such as `0-3,7`."""
    parts: list[str] = []
    for _, run in groupby(enumerate(numbers), key=lambda one: one[1] - one[0]):
        members = [number for _, number in run]
        parts.append(str(members[0]) if len(members) == 1 else f"{members[0]}-{members[-1]}")
    return ",".join(parts)


def move(where: Where, shard: int, engine: str, *, timeout_s: float, is_json: bool) -> int:
    """Have a shard move, and wait for it."""
    with _connected(where) as client:
        already = cluster_of(client).move(shard, engine).already

        def is_there() -> bool:
            """Return whether the table says so, and ask again where it was put off."""
            if cluster_of(client).shards()[shard].engine == engine:
                return True
            cluster_of(client).move(shard, engine)
            return False

        _wait(is_there, timeout_s, f"shard {shard} has not moved to {engine}")
        seen = cluster_of(client).shards()[shard]
    if is_json:
        say_json({**msgspec.to_builtins(seen), "already": already})
    else:
        say(f"shard {shard} is {engine}'s{' already' if already else ''}")
    return COMPLETED


def drain(where: Where, node: str, *, is_draining: bool, timeout_s: float, is_json: bool) -> int:
    """Have a node give all its shards away, and wait for it; or let it take its share again."""
    with _connected(where) as client:

        def is_noted() -> bool:
            """Ask again, unless the node says of itself what it was told: a word to it may get lost."""
            return cluster_of(client).drain(node, is_draining=is_draining).already

        _wait(is_noted, timeout_s, f"node {node} has not answered")
        if is_draining:
            _wait(lambda: not _owned(client, node), timeout_s, f"node {node} still has shards")
        left = len(_owned(client, node))
    if is_json:
        say_json({"node": node, "draining": is_draining, "shards": left})
    else:
        say(f"node {node} has no shards left; stop it when you like" if is_draining else f"node {node} takes its share")
    return COMPLETED


def _owned(client: Client, node: str) -> list[ShardSeen]:
    return [shard for shard in cluster_of(client).shards() if shard.engine.partition("/")[0] == node]


def stop(where: Where, node: str, *, is_json: bool) -> int:
    """Have a node stop."""
    with _connected(where) as client:
        cluster_of(client).stop(node)
    if is_json:
        say_json({"node": node, "stopping": True})
    else:
        say(f"node {node} is stopping; what it owns waits on its disk")
    return COMPLETED


def _connected(where: Where) -> AbstractContextManager[Client]:
    if not where.node:
        raise WrongUsage("nodes are asked over the network", "give --connect HOST:PORT of any of them")
    return where.connected()


def _wait(is_done: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    """Look again and again. Raises `WaitTimeout`."""
    end_s = monotonic_s() + timeout_s
    pause = threading.Event()
    while not is_done():
        if monotonic_s() >= end_s:
            raise WaitTimeout("", f"{otherwise} within {timeout_s:g} s; it goes on, look again")
        pause.wait(LOOK_AGAIN_S)
