"""Asking all engines of a cluster at once, through the end of one and the moves of shards."""

from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from placet.actors.clock import monotonic_s
from placet.actors.errors import EngineStopped, WaitTimeout
from placet.net.answer import decode_net_answer
from placet.net.courier import Pending
from placet.net.errors import ShardsMissing
from placet.net.node_client import ANSWER_S, NodeClient
from placet.net.node_request import ShardsRequest, ShardsSeen
from placet.net.request import ListRequest, NetRequest, TasksRequest
from placet.net.twins import Due, pause

PATIENCE_S: Final = 5.0  # for what is between two owners, or whose owner does not run: it may be about to
ROUND_S: Final = 1.0  # then it is looked at again who runs
AGAIN_S: Final = 0.2  # between two questions to engines that have answered

T = TypeVar("T")
Covering: TypeAlias = ListRequest | TasksRequest  # questions about the instances of many shards


class Covered(Protocol):
    """An answer about the instances of some shards, whole for each."""

    @property
    def shards(self) -> list[int]:
        """Those it is about."""
        ...


C = TypeVar("C", bound=Covered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Generic[C]):
    """An answer, and the shards that it counts for: no two parts have one in common."""

    answer: C
    shards: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered(Generic[C]):
    """What there is of all shards."""

    parts: list[Part[C]]
    missing: ShardsMissing | None  # what there is nothing of


class _Asked(Generic[T]):
    """The questions that engines have not answered yet."""

    def __init__(self, client: NodeClient, kind: type[T]) -> None:
        self._client = client
        self._kind = kind
        self._pending: dict[str, Pending] = {}

    def __contains__(self, engine: str) -> bool:
        return engine in self._pending

    def __len__(self) -> int:
        return len(self._pending)

    def ask(self, engine: str, request: NetRequest) -> None:
        """Ask an engine, unless it has a question."""
        if engine not in self._pending:
            self._pending[engine] = self._client.post(request, engine)

    def drop(self, but: Set[str] = frozenset()) -> None:
        """Wait no more for engines, but for some."""
        for engine in self._pending.keys() - but:
            self._pending.pop(engine).answer.cancel()

    async def answers(self, until_s: float) -> dict[str, T]:
        """Return what has come up to a moment, by engine, once all has. Raises the error that is an answer.

        An engine that is about to end has not answered.
        """
        found: dict[str, T] = {}
        for engine, pending in list(self._pending.items()):
            try:
                line = await Due(pending.answer, max(0.0, until_s - monotonic_s()))
            except TimeoutError:
                if pending.answer.done():
                    raise
                continue
            del self._pending[engine]
            with suppress(EngineStopped):  # who comes after it is asked
                found[engine] = decode_net_answer(self._kind, "", line)
        return found


async def gather(client: NodeClient, request: Covering, kind: type[C], timeout_s: float | None) -> Gathered[C]:
    """Ask until there is an answer for every shard, and give up on those that stay without one.

    Raises `WaitTimeout` where no node answers, and the error that is an answer.
    """
    end_s = monotonic_s() + (ANSWER_S if timeout_s is None else timeout_s)
    give_up_s = min(end_s, monotonic_s() + PATIENCE_S)
    asked, parts, covered = _Asked(client, kind), list[Part[C]](), frozenset[int]()
    while True:
        table = await _table(client, end_s)
        running, now_s = set(table.running), monotonic_s()
        # What was claimed, and never opened by an engine that does not run, has nothing in it.
        owners = {
            one.shard: one.engine for one in table.shards if one.engine in running or (one.engine and not one.is_new)
        }
        lacking = {shard: owner for shard, owner in owners.items() if shard not in covered}
        is_over = now_s >= end_s or (now_s >= give_up_s and not any(engine in asked for engine in running))
        if not lacking or is_over:
            asked.drop()
            return Gathered(parts=parts, missing=_missing(lacking) if lacking else None)
        wanted = msgspec.structs.replace(request, shards=sorted(lacking) if covered else None)
        for engine in set(lacking.values()) & running:
            asked.ask(engine, wanted)
        new = {one.shard: one.engine for one in table.shards if one.is_new}
        found = await asked.answers(min(end_s, now_s + ROUND_S))
        for engine, answer in found.items():
            fresh = frozenset(answer.shards) - covered
            parts.append(Part(answer=answer, shards=fresh))
            covered |= fresh | {shard for shard, owner in new.items() if owner == engine}
        if lacking.keys() - covered and not any(engine in asked for engine in running):
            await pause(AGAIN_S)


def _missing(owners: Mapping[int, str]) -> ShardsMissing:
    found: dict[str, list[int]] = {}
    for shard, owner in sorted(owners.items()):
        found.setdefault(owner, []).append(shard)
    return ShardsMissing(found)


async def ask_running(client: NodeClient, request: NetRequest, kind: type[T], timeout_s: float | None) -> dict[str, T]:
    """Ask every engine that runs, and return the answers by name; one that ends meanwhile is left out.

    Raises `WaitTimeout`, also where no engine runs, and the error that is an answer.
    """
    limit_s = ANSWER_S if timeout_s is None else timeout_s
    end_s = monotonic_s() + limit_s
    asked, found = _Asked(client, kind), dict[str, T]()
    while True:
        running = set((await _table(client, end_s)).running)
        asked.drop(running)
        for engine in running - found.keys():
            asked.ask(engine, request)
        found |= await asked.answers(min(end_s, monotonic_s() + ROUND_S))
        if found and not any(engine in asked for engine in running):
            return found
        if monotonic_s() >= end_s:
            asked.drop()
            silent = ", ".join(sorted(running - found.keys())) or "the engines, none of which runs"
            raise WaitTimeout("", f"no answer of {silent} within {limit_s:g} s; ask again")
        if not asked:
            await pause(AGAIN_S)


async def _table(client: NodeClient, end_s: float) -> ShardsSeen:
    """Return who owns each shard, and which engines run; there is a moment for that in any case."""
    return await client.ask_node(ShardsRequest(), ShardsSeen, max(ROUND_S, end_s - monotonic_s()))
