"""Two engines on threads of their own, over LMDB: a shard with much in it moves to the other while it is used."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from placet.actors.answers import Answer, Refused
from placet.actors.carrier import Seat
from placet.actors.catalog import Catalog
from placet.actors.clock import monotonic_s
from placet.actors.engine import Engine
from placet.actors.inputs import fingerprint
from placet.actors.kernel import Kernel
from placet.actors.messages import Acknowledged, Parcel, Put, Spawn
from placet.actors.reader import StateReader
from placet.actors.shards.messages import Assigned, BetweenEngines, Confirm, Forward, MoveEnded, Row
from placet.persistence.keys import shard_of
from placet.persistence.state import State, open_state
from placet.persistence.values import encode
from placet.petri.plan import make_plan
from tests.actors.shards.flows import waiting

SHARD = shard_of("one")
TOKENS, TOKEN_BYTES = 1_000, 20_000  # 20 MB


@dataclass
class Link:
    """Carries between two engines of one process, and has the table."""

    rows: dict[int, tuple[int, str]] = field(default_factory=dict[int, tuple[int, str]])
    engines: dict[str, Engine] = field(default_factory=dict[str, Engine])
    ended: list[MoveEnded] = field(default_factory=list[MoveEnded])
    is_over: threading.Event = field(default_factory=threading.Event)

    def carry(self, parcels: Sequence[Parcel], acknowledgements: Iterable[Acknowledged]) -> None:
        for parcel in parcels:
            self._give(self.rows[parcel.channel[1]][1], parcel)
        for acknowledged in acknowledgements:
            self._give(self.rows[acknowledged.channel[0]][1], acknowledged)

    def carry_shards(
        self,
        between: Sequence[tuple[str, BetweenEngines]],
        forwards: Sequence[Forward],
        confirms: Sequence[Confirm],
        ended: Sequence[MoveEnded],
    ) -> None:
        for name, message in between:
            self._give(name, message)
        for forward in forwards:
            self.engines[self.rows[forward.root[1]][1]].post(forward)
        for confirm in confirms:
            if self.rows[confirm.row.shard][0] == confirm.row.epoch - 1:
                self.rows[confirm.row.shard] = confirm.row.epoch, confirm.row.engine
            for name in self.engines:
                self._give(name, Assigned((Row(confirm.row.shard, *self.rows[confirm.row.shard]),)))
        self.ended += ended
        if ended:
            self.is_over.set()

    def _give(self, name: str, message: Parcel | Acknowledged | BetweenEngines | Assigned) -> None:
        def take(kernel: Kernel) -> None:
            """Take it in."""
            kernel.receive(message)

        self.engines[name].order(take)


def ask(engine: Engine, message: Put | Spawn) -> Answer:
    def numbered(reply: int) -> Put | Spawn:
        """Give it the number it is answered by."""
        return msgspec.structs.replace(message, reply=reply)

    return engine.ask(numbered, lambda answer: answer).result(timeout=30.0)


def test_a_large_shard_moves_between_engines_while_it_is_used(tmp_path: Path) -> None:
    link, states, digest = Link(), dict[str, State](), b""
    for name in "ab":
        states[name] = open_state(tmp_path / name)
        catalog = Catalog()
        digest = catalog.register(waiting.definition())
        seat = Seat(engine=name, carrier=link)
        link.engines[name] = Engine(states[name].store, catalog, seat=seat)
    link.rows |= dict.fromkeys(range(256), (1, "a"))
    rows = tuple(Row(shard, *row) for shard, row in link.rows.items())
    first, other = link.engines["a"], link.engines["b"]
    for engine in link.engines.values():
        engine.start()
    first.order(lambda kernel: kernel.receive(Assigned(rows, is_new=True)))
    try:
        ask(first, spawn_of(digest))
        first.order(partial(begin, to="b"))
        refused_at: float | None = None
        longest_s, put = 0.0, 0
        while not link.is_over.is_set():
            began = monotonic_s()
            answer = ask(first, Put(instance="one", place="inbox", value=encode(put)))
            longest_s = max(longest_s, monotonic_s() - began)
            if isinstance(answer, Refused):
                refused_at = refused_at or monotonic_s()
                link.is_over.wait(10.0)
                break
            put += 1
        while isinstance(ask(other, Put(instance="one", place="inbox", value=encode(put))), Refused):
            assert monotonic_s() - (refused_at or monotonic_s()) < 10.0
        assert [ended.done for ended in link.ended] == [True]
        assert longest_s < 2.0
        view = StateReader(states["b"].store).instance("one")
        assert view is not None
        assert len(view.marking["inbox"]) == TOKENS + put + 1
        assert view.marking["inbox"][-1] == encode(put)
        assert StateReader(states["a"].store).instance("one") is None
    finally:
        for engine in link.engines.values():
            engine.stop(grace_s=1.0)
        for state in states.values():
            state.close()


def spawn_of(digest: bytes) -> Spawn:
    definition = waiting.definition()
    place = make_plan(definition.net, definition.behaviours).place_index["inbox"]
    values = [bytes(TOKEN_BYTES)] * TOKENS
    return Spawn(
        instance="one",
        workflow=definition.name,
        version=definition.version,
        net=digest,
        tokens=tuple((place, encode(value)) for value in values),
        inputs=fingerprint([("inbox", value) for value in values]),
        incarnation=7,
    )


def begin(kernel: Kernel, to: str) -> None:
    assert kernel.shards is not None
    kernel.shards.move(SHARD, to, "m")
