"""Errands over a network that loses, doubles, delays and cuts: each ends once for whoever sent it."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest

from placet.actors.executors.placed import Placed
from placet.actors.messages import Beat, Done, ExecutorMessage, Lost
from placet.net.errand_host import ErrandHost
from placet.net.errand_messages import ToHost, ToSender, decode_said, encode_said
from placet.net.errand_sender import ErrandSender
from tests.net.errands import ANY, GPU, Hands, start

STEP_S = 0.25


@dataclass(slots=True)
class _Engine:
    """An engine that sends errands and does those of others; it may be paused, and killed."""

    name: str
    process: int = 0
    paused_until_s: float = 0.0
    sender: ErrandSender | None = None
    host: ErrandHost | None = None
    hands: Hands = field(default_factory=Hands)

    @property
    def incarnation(self) -> str:
        return f"{self.name}.{self.process}"


class _World:
    """Engines, the network between them, and a book of what each start has come to."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now_s = 0.0
        self.is_bad = True
        self.engines = [_Engine(name) for name in ("a/0", "b/0", "c/0")]
        self.mail: list[tuple[float, str, ToHost | ToSender]] = []  # (when, incarnation, what)
        self.cut: set[tuple[str, str]] = set()
        self.open: dict[tuple[str, int], int] = {}  # (sender, firing) to the attempt that is under way
        self.ends: Counter[tuple[str, int, int]] = Counter()  # of (sender, firing, attempt)
        self.counted: Counter[tuple[str, int]] = Counter()  # results, of firings
        self.again: list[tuple[_Engine, str, Placed, int, int]] = []  # what waits for a slot, as in a kernel
        self.stale = 0
        self.lost = 0
        self.firings = 0
        for engine in self.engines:
            self.boot(engine)

    def boot(self, engine: _Engine) -> None:
        """Start another process of an engine: what its last one waited for is forgotten with it."""
        old = engine.incarnation
        engine.process += 1
        engine.hands = Hands(places=3)
        name = engine.incarnation
        engine.host = engine.hands.host = ErrandHost(
            name,
            self.now_s,
            send=lambda to, said: self.post(name, to, said),
            workshop=engine.hands,
            capabilities={"gpu": 1.0} if engine.name != "a/0" else {},
        )
        engine.sender = ErrandSender(
            name,
            self.now_s,
            send=lambda to, said: self.post(name, to, said),
            answer=lambda placed, said: self.answered(name, placed, said),
        )
        engine.sender.join(GPU)
        engine.sender.join(ANY)
        for key in [key for key in self.open if key[0] == old]:
            del self.open[key]

    def post(self, source: str, to: str, said: ToHost | ToSender) -> None:
        """Send a message, which the network may lose, double and delay."""
        (decoded,) = decode_said(encode_said([said]))
        if (source.partition("/")[0], to.partition("/")[0]) in self.cut:
            return
        copies = self.random.choice((0, 1, 1, 1, 2)) if self.is_bad else 1
        for _ in range(copies):
            delay_s = self.random.choice((0.0, 0.1, 3.0, 20.0 * self.random.random())) if self.is_bad else 0.0
            self.mail.append((self.now_s + delay_s, to, decoded))

    def answered(self, sender: str, placed: Placed, said: ExecutorMessage | Beat) -> None:
        """Take an answer as a kernel does: one that is stale is dropped, another attempt follows a loss."""
        if isinstance(said, Beat):
            return
        key = sender, said.number
        if not placed.name:
            assert self.open.get(key) != said.attempt, "a late answer is of an attempt that is over"
            self.stale += 1
            return
        self.ends[sender, said.number, said.attempt] += 1
        assert self.open.pop(key, None) == said.attempt, "it ends what is under way"
        if isinstance(said, Done):
            self.counted[key] += 1
            return
        self.lost += isinstance(said, Lost)
        self.open[key] = said.attempt + 1
        engine = next(one for one in self.engines if one.incarnation == sender)
        self.again.append((engine, sender, placed, said.number, said.attempt + 1))

    def step(self) -> None:
        """Let a moment pass."""
        self.now_s += STEP_S
        live = [engine for engine in self.engines if self.now_s >= engine.paused_until_s]
        names, waiting = {engine.incarnation for engine in live}, self.mail
        there = {engine.incarnation for engine in self.engines}
        due = [one for one in waiting if one[0] <= self.now_s and one[1] in names]
        self.mail = [one for one in waiting if (one[0] > self.now_s or one[1] not in names) and one[1] in there]
        self.random.shuffle(due)
        for _, to, said in due:
            engine = next(one for one in live if one.incarnation == to)
            assert engine.host is not None
            assert engine.sender is not None
            if isinstance(said, ToHost):
                engine.host.receive(said, self.now_s)
            else:
                engine.sender.receive(said, self.now_s)
        for engine in live:
            self._work(engine)
        again, self.again = self.again, []
        for engine, sender, placed, number, attempt in again:
            if engine.incarnation != sender:
                continue
            assert engine.sender is not None
            if self.has_slot(engine.sender, placed):
                engine.sender.submit(placed, [start(number, attempt)], self.now_s)
            else:
                self.again.append((engine, sender, placed, number, attempt))

    def has_slot(self, sender: ErrandSender, placed: Placed) -> bool:
        """Return whether a kernel would choose one more firing."""
        return sender.capacity(placed) > sender.running(placed) + sender.queued(placed)

    def _work(self, engine: _Engine) -> None:
        assert engine.host is not None
        assert engine.sender is not None
        random = self.random
        for key in list(engine.hands.running):
            if random.random() < 0.2:
                engine.hands.finish(key, self.now_s)
            elif random.random() < 0.1:
                engine.host.sign(key, b"progress")
        if random.random() < 0.25 or not self.is_bad:
            others = {one.name: one.incarnation for one in self.engines if one is not engine}
            if self.is_bad and random.random() < 0.3:
                others.pop(random.choice(sorted(others)))
            engine.sender.look(others, self.now_s)
            for sender in engine.host.senders():
                if sender not in others.values() and sender.rpartition(".")[0] in others:
                    engine.host.gone(sender)
        engine.sender.tick(self.now_s)
        engine.host.tick(self.now_s)

    def trouble(self) -> None:
        """Kill, pause or cut off something, or hand out more work."""
        random, engine = self.random, self.random.choice(self.engines)
        roll = random.random()
        if roll < 0.01:
            self.boot(engine)
        elif roll < 0.02:
            engine.paused_until_s = self.now_s + random.choice((5.0, 30.0))
        elif roll < 0.04:
            one, other = random.sample(["a", "b", "c"], 2)
            self.cut.add((one, other))
        elif roll < 0.08:
            self.cut.clear()
        elif roll < 0.4 and self.now_s >= engine.paused_until_s and engine.sender is not None:
            placed = random.choice((GPU, ANY))
            if self.has_slot(engine.sender, placed):
                self.firings += 1
                self.open[engine.incarnation, self.firings] = 1
                engine.sender.submit(placed, [start(self.firings)], self.now_s)


@pytest.mark.parametrize("seed", range(30))
def test_over_a_bad_network_every_errand_ends_once_for_whoever_sent_it(seed: int) -> None:
    world = _World(seed)
    for _ in range(1_500):
        world.trouble()
        world.step()
    world.is_bad = False
    world.cut.clear()
    for engine in world.engines:
        engine.paused_until_s = 0.0
    for _ in range(400):
        world.step()
    assert not world.open, "each has come to an end"
    assert world.firings > 20
    assert max(world.ends.values()) == 1
    assert max(world.counted.values()) == 1
    for engine in world.engines:
        assert engine.host is not None
        assert len(engine.hands.begun) == len(set(engine.hands.begun)), "an errand is begun once"
        assert not engine.hands.running


def test_the_bad_network_is_bad_enough() -> None:
    stale = lost = 0
    for seed in range(10):
        world = _World(seed)
        for _ in range(1_500):
            world.trouble()
            world.step()
        stale, lost = stale + world.stale, lost + world.lost
    assert lost > 20
    assert stale > 5
