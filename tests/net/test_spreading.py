"""Workflows that clients have sent to some engines come to all, whatever the network does to their messages."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from random import Random

import pytest

from placet import BundleUnusable, Workflow
from placet.actors.bundle import Bundle, Shelved, bundled, encode_bundle
from placet.net.messages import BundleSent, EngineAt, Peer, Shelf, WantBundle, Whereabouts
from placet.net.outbox import Done
from placet.net.spreading import ASK_AGAIN_S, AWAY_WAIT_S, LONGEST_WAIT_S, Spreading
from tests.net.coordinators import BadNetwork


def doubled(value: int) -> int:
    return value * 2


def bundle_of(name: str, version: str = "1") -> Bundle:
    workflow = Workflow(name, version)
    start, done = workflow.places("start done")
    workflow.transition(start >> done, "t", handler=doubled)
    return bundled(workflow.definition())


BUNDLES = {one.digest: one for one in (bundle_of(name) for name in "uvwxyz")}


class Shelves:
    """What an engine keeps: digests alone."""

    def __init__(self, *digests: str) -> None:
        self.shelved = Shelved(bundles={}, replaced={})
        for digest in digests:
            self.keep(digest)

    def keep(self, digest: str) -> None:
        bundles = {**self.shelved.bundles, digest: BUNDLES[digest].digests()}
        self.shelved = Shelved(bundles=bundles, replaced={})

    def lacks(self, shelved: Shelved) -> list[str]:
        return [digest for digest in shelved.bundles if digest not in self.shelved.bundles]

    def bundle(self, digest: str) -> bytes | None:
        return encode_bundle(BUNDLES[digest]) if digest in self.shelved.bundles else None


class Engine:
    """An engine of the test."""

    def __init__(self, net: "Net", name: str, *digests: str) -> None:
        self.name = name
        self.shelves = Shelves(*digests)
        self.taken: list[str] = []
        self.error: Exception | None = None
        self.spreading = Spreading(name, self.shelves, net.sender(name), self.take_in)

    def take_in(self, bundle: Bundle, replaced: Mapping[str, str]) -> "Future[None]":
        assert replaced == {}
        self.taken.append(bundle.digest)
        done = Future[None]()
        if self.error is not None:
            done.set_exception(self.error)
        else:
            self.shelves.keep(bundle.digest)
            done.set_result(None)
        return done


class Net:
    """Engines that send each other messages over a bad network."""

    def __init__(self, seed: int = 0, **trouble: float) -> None:
        self.network = BadNetwork(seed, **trouble)
        self.engines: dict[str, Engine] = {}
        self.sent: list[object] = []
        self.under_way: list[tuple[float, Callable[[], None]]] = []  # what is told who has sent it, and when

    def add(self, name: str, *digests: str) -> Engine:
        engine = self.engines[name] = Engine(self, name, *digests)
        return engine

    def sender(self, name: str) -> "Sender":
        return Sender(self, name)

    def look(self, *owners: str) -> None:
        """Tell all where all are; of engines that own shards, some may be away."""
        at = {one: EngineAt(peer=Peer(one, 1), incarnation=f"{one}.1") for one in self.engines}
        where = Whereabouts(revision=1, owners=owners, epochs=(), new=frozenset(), engines=at, nodes=())
        for engine in self.engines.values():
            engine.spreading.look(where, self.network.now_s)

    def pass_s(self, seconds: int) -> None:
        for _ in range(seconds * 4):
            self.network.advance(0.25)
            due = [tell for at_s, tell in self.under_way if at_s <= self.network.now_s]
            self.under_way = [one for one in self.under_way if one[0] > self.network.now_s]
            for tell in due:
                tell()
            for engine in self.engines.values():
                engine.spreading.tick(self.network.now_s)


class Sender:
    """Sends for one engine; who sends is told what got through, and of the rest that it did not."""

    def __init__(self, net: Net, name: str) -> None:
        self._net = net
        self._name = name

    def __call__(self, peer: Peer, message: object, done: Done) -> None:
        net, has_come = self._net, [False]
        net.sent.append(message)
        assert isinstance(message, Shelf | WantBundle | BundleSent)

        def deliver() -> None:
            engine = net.engines.get(peer.host)
            if engine is not None:
                has_come[0] = True
                engine.spreading.receive(Peer(self._name, 1), message, net.network.now_s)

        net.network.send(deliver)
        net.under_way.append((net.network.now_s + 2.0, lambda: done(has_come[0])))


U, V, W, X, Y, Z = BUNDLES


@pytest.mark.parametrize("seed", range(20))
def test_all_engines_come_to_have_what_any_of_them_has(seed: int) -> None:
    net = Net(seed)
    random = Random(seed)
    for name in "abcd":
        net.add(name, *random.sample(list(BUNDLES), 3))
    net.look()
    net.pass_s(10)
    known = set[str]().union(*(engine.shelves.shelved.bundles for engine in net.engines.values()))
    net.engines["a"].shelves.keep(known.pop() if len(known) == len(BUNDLES) else (BUNDLES.keys() - known).pop())
    net.pass_s(200)
    every = set[str]().union(*(engine.shelves.shelved.bundles for engine in net.engines.values()))
    for engine in net.engines.values():
        assert engine.shelves.shelved.bundles.keys() == every
        assert len(engine.taken) == len(set(engine.taken)), "none is loaded twice"


def calm() -> Net:
    return Net(drop=0.0, double=0.0, longest_s=0.1)


def test_an_engine_has_caught_up_once_it_has_what_the_others_have() -> None:
    net = calm()
    net.add("a", U, V)
    net.look()
    assert net.engines["a"].spreading.is_caught_up(net.network.now_s), "there is no other"
    late = net.add("b", W)
    assert not late.spreading.is_caught_up(net.network.now_s)
    net.look()
    assert not late.spreading.is_caught_up(net.network.now_s)
    net.network.advance(0.2)
    assert not late.spreading.is_caught_up(net.network.now_s), "it has heard, and lacks something"
    net.pass_s(3)
    assert late.spreading.is_caught_up(net.network.now_s)
    assert late.taken == [U, V]
    assert net.engines["a"].taken == [W]
    net.add("c", X)
    net.look()
    assert late.spreading.is_caught_up(net.network.now_s), "once is enough"


def test_an_engine_waits_for_one_that_owns_shards_though_nobody_has_said_yet_where_it_is() -> None:
    net = calm()
    late = net.add("b")
    net.look("", "a", "b")
    assert not late.spreading.is_caught_up(net.network.now_s), "what a keeps may be needed in b's shards"
    shelved = Shelves(*BUNDLES).shelved
    late.spreading.receive(Peer("a", 1), Shelf(engine="a", shelved=shelved, is_question=False), net.network.now_s)
    assert not late.spreading.is_caught_up(net.network.now_s), "a has heard of b before b has heard of a"
    net.add("a", *BUNDLES)
    net.look("", "a", "b")
    assert not late.spreading.is_caught_up(net.network.now_s)
    net.pass_s(2)
    assert late.spreading.is_caught_up(net.network.now_s)
    assert late.taken == list(BUNDLES)


def test_an_engine_waits_for_one_that_runs_longer_than_for_one_that_is_away() -> None:
    net = calm()
    late = net.add("b")
    net.look("a", "b")
    net.pass_s(int(AWAY_WAIT_S) - 1)
    assert not late.spreading.is_caught_up(net.network.now_s)
    net.pass_s(2)
    assert late.spreading.is_caught_up(net.network.now_s), "nobody knows when it comes back"
    slow = net.add("c")
    busy = net.add("a", U)
    net.look("a", "b", "c")
    net.engines.pop("a")
    net.pass_s(int(AWAY_WAIT_S) + 2)
    assert not slow.spreading.is_caught_up(net.network.now_s), "a runs: it may have much to do"
    net.engines["a"] = busy
    net.pass_s(int(ASK_AGAIN_S) + 3)
    assert slow.spreading.is_caught_up(net.network.now_s)
    assert slow.taken == [U]


def test_an_engine_waits_for_so_long_for_others_that_say_nothing() -> None:
    net = calm()
    late = net.add("b")
    net.add("a", U)
    net.look()
    net.engines.pop("a")
    net.pass_s(int(LONGEST_WAIT_S) - 1)
    assert not late.spreading.is_caught_up(net.network.now_s)
    net.pass_s(2)
    assert late.spreading.is_caught_up(net.network.now_s)


def test_what_cannot_be_taken_in_is_asked_for_once_and_holds_up_nothing_else() -> None:
    net = calm()
    net.add("a", U, V)
    other = net.add("b")
    other.error = BundleUnusable("u", "it is damaged")
    net.look()
    net.pass_s(60)
    assert sorted(other.taken) == sorted([U, V])
    assert other.spreading.is_caught_up(net.network.now_s)


def test_an_engine_that_has_much_to_do_takes_it_in_later() -> None:
    net = calm()
    net.add("a", U)
    other = net.add("b")
    other.error = TimeoutError()
    net.look()
    net.pass_s(2)
    assert other.taken
    other.error = None
    net.pass_s(2)
    assert other.shelves.shelved.bundles.keys() == {U}
    other.error = LookupError("a bug")
    net.engines["a"].shelves.keep(V)
    with pytest.raises(LookupError):
        net.pass_s(2)


@pytest.mark.parametrize("data", [b"no bundle", encode_bundle(BUNDLES[V])])
def test_another_bundle_than_was_asked_for_is_not_taken_in(data: bytes) -> None:
    net = calm()
    other = net.add("b")
    shelved = net.add("a", U).shelves.shelved
    net.look()
    net.engines.pop("a")
    other.spreading.receive(Peer("a", 1), Shelf(engine="a", shelved=shelved, is_question=False), net.network.now_s)
    assert net.sent[-1] == WantBundle(digest=U)
    other.spreading.receive(Peer("a", 1), BundleSent(digest=V, data=encode_bundle(BUNDLES[V])), net.network.now_s)
    other.spreading.receive(Peer("a", 1), BundleSent(digest=U, data=data), net.network.now_s)
    net.pass_s(20)
    assert other.taken == []
    assert other.spreading.is_caught_up(net.network.now_s)


def test_what_is_new_is_told_until_it_has_got_through() -> None:
    net = calm()
    other = net.add("b")
    engine = net.add("a", U)
    net.look()
    net.pass_s(3)
    net.engines.pop("b")  # what is sent to it is lost
    engine.shelves.keep(V)
    net.pass_s(4)
    net.engines["b"] = other
    net.pass_s(4)
    assert other.taken == [U, V]


def test_engines_that_have_the_same_say_nothing_more() -> None:
    net = calm()
    for name in "abc":
        net.add(name, U)
    net.look()
    net.pass_s(3)
    net.sent.clear()
    net.pass_s(int(20 * ASK_AGAIN_S))
    assert net.sent == []
    net.engines["a"].shelves.keep(V)
    net.pass_s(3)
    assert all(engine.shelves.shelved.bundles.keys() == {U, V} for engine in net.engines.values())
