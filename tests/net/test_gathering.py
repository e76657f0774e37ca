"""Lists of a whole cluster: complete while shards move, and honest where engines are away."""

from collections import Counter
from concurrent.futures import Future
from random import Random

import msgspec
import pytest

import placet.net.gathering
import placet.net.node_client
from placet.actors.errors import BadRequest, EngineStopped, WaitTimeout
from placet.actors.instance import InstanceSummary
from placet.actors.lifecycle import InstanceState
from placet.net.answer import Explained, Listed, encode_error, encode_net_answer
from placet.net.courier import NODE, Courier, Pending, Target
from placet.net.errors import NotYet, ShardsMissing
from placet.net.gathering import Gathered, ask_running, gather
from placet.net.keyring import KeyKind
from placet.net.messages import Ask
from placet.net.node_client import NodeClient
from placet.net.node_request import ShardSeen, ShardsSeen
from placet.net.request import ExplainRequest, ListRequest, decode_net_request
from placet.net.twins import blocked
from placet.persistence.keys import shard_of

IDS = [f"i-{number}" for number in range(300)]


class Engines(Courier):
    """A node and its engines, which answer at once, or never."""

    def __init__(self, *engines: str) -> None:
        self.owners = {shard: engines[shard % len(engines)] for shard in range(256)}  # by the table
        self.open = dict(self.owners)  # at whom each shard is in fact; "": at nobody
        self.running = set(engines)
        self.silent: set[str] = set()
        self.new: set[int] = set()
        self.errors: list[bytes] = []  # answered in place of what was asked for
        self.asked: Counter[str] = Counter()
        self.cancelled = 0

    def ask(self, line: bytes, target: Target) -> Pending:
        assert isinstance(target, str)
        self.asked[target] += 1
        pending = Pending(ask=Ask(number=1, line=line), target=target, answer=Future())
        if target == NODE:
            pending.answer.set_result(msgspec.json.encode(self.table()))
        elif self.errors:
            pending.answer.set_result(self.errors.pop())
        elif target in self.running - self.silent:
            pending.answer.set_result(self.answered(line, target))
        else:
            pending.answer.add_done_callback(self.count)
        self.passes()
        return pending

    def count(self, answer: "Future[bytes]") -> None:
        self.cancelled += answer.cancelled()

    def table(self) -> ShardsSeen:
        seen = [ShardSeen(shard=one, engine=self.owners[one], epoch=1, is_new=one in self.new) for one in range(256)]
        return ShardsSeen(shards=seen, running=sorted(self.running))

    def answered(self, line: bytes, engine: str) -> bytes:
        request = decode_net_request(line)
        if not isinstance(request, ListRequest):
            return encode_net_answer(Explained(reason=engine))
        mine = {shard for shard, owner in self.open.items() if owner == engine}
        listed = [summary(id) for id in IDS if shard_of(id) in mine and shard_of(id) in (request.shards or range(256))]
        return encode_net_answer(Listed(instances=listed, shards=sorted(mine)))

    def passes(self) -> None:
        """Something happens between two requests."""


class Moving(Engines):
    """Shards move all the time: let go of, then opened elsewhere, and in the table somewhere in between."""

    def __init__(self, seed: int, *engines: str) -> None:
        super().__init__(*engines)
        self._random = Random(seed)
        self._under_way: dict[int, str] = {}

    def passes(self) -> None:
        for shard, to in list(self._under_way.items()):
            if self._random.random() < 0.3:
                self.owners[shard] = self.open[shard] = to
                del self._under_way[shard]
        for shard in self._random.sample(range(256), 8):
            if shard not in self._under_way:
                self._under_way[shard] = self._random.choice(sorted(self.running))
                self.open[shard] = ""


def summary(id: str) -> InstanceSummary:
    return InstanceSummary(
        instance=id, workflow="w", version="1", state=InstanceState.RUNNING, spawned_at=0.0, changed_at=0.0
    )


def listed(engines: Engines, timeout_s: float | None = None) -> Gathered[Listed]:
    client = NodeClient("nodes", engines, KeyKind.CLIENT)
    return blocked(gather(client, ListRequest(), Listed, timeout_s))


def ids(found: Gathered[Listed]) -> list[str]:
    return sorted(
        one.instance for part in found.parts for one in part.answer.instances if shard_of(one.instance) in part.shards
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("PATIENCE_S", 0.3), ("ROUND_S", 0.05), ("AGAIN_S", 0.01)):
        monkeypatch.setattr(placet.net.gathering, name, seconds)
    monkeypatch.setattr(placet.net.node_client, "AGAIN_S", 0.01)


def test_each_engine_is_asked_once_where_nothing_moves() -> None:
    engines = Engines("a/0", "b/0", "c/0")
    found = listed(engines)
    assert (ids(found), found.missing) == (sorted(IDS), None)
    assert engines.asked == {NODE: 2, "a/0": 1, "b/0": 1, "c/0": 1}


@pytest.mark.parametrize("seed", range(20))
def test_a_list_has_each_instance_once_however_shards_move(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placet.net.gathering, "PATIENCE_S", 30.0)
    found = listed(Moving(seed, "a/0", "b/0", "c/0"))
    assert (ids(found), found.missing) == (sorted(IDS), None)


def test_what_is_between_two_owners_for_too_long_is_missing() -> None:
    engines = Engines("a/0", "b/0")
    engines.open[7] = ""
    found = listed(engines)
    assert found.missing is not None
    assert found.missing.shards == {"b/0": [7]}
    assert ids(found) == sorted(id for id in IDS if shard_of(id) != 7)


def test_the_shards_of_an_engine_that_does_not_run_are_missing_and_the_rest_is_there() -> None:
    engines = Engines("a/0", "b/0")
    engines.running.discard("b/0")
    found = listed(engines)
    assert ids(found) == sorted(id for id in IDS if shard_of(id) % 2 == 0)
    assert found.missing is not None
    assert found.missing.shards == {"b/0": list(range(1, 256, 2))}
    assert str(found.missing) == (
        "what is in shards 1, 3, 5, 7, 9, 11, 13, 15, … (128 in all) of engine b/0 is missing; all else is there; "
        "see placet nodes list, and ask again"
    )


def test_an_engine_that_dies_while_it_is_asked_is_waited_for_until_it_is_known_to_be_away() -> None:
    class Dying(Engines):
        """After a few looks it is known."""

        def passes(self) -> None:
            if self.asked[NODE] > 20:
                self.running.discard("b/0")

    engines = Dying("a/0", "b/0")
    engines.silent.add("b/0")
    found = listed(engines)
    assert found.missing is not None
    assert list(found.missing.shards) == ["b/0"]
    assert (engines.asked["b/0"], engines.cancelled) == (1, 1)


def test_an_engine_that_runs_and_does_not_answer_is_waited_for_to_the_end() -> None:
    engines = Engines("a/0", "b/0")
    engines.silent.add("b/0")
    found = listed(engines, timeout_s=1.0)
    assert found.missing is not None
    assert engines.asked[NODE] > 10


def test_what_was_never_opened_by_an_engine_that_is_away_has_nothing_in_it() -> None:
    engines = Engines("a/0", "b/0")
    engines.running.discard("b/0")
    engines.new = set(range(256))
    found = listed(engines)
    assert (found.missing, engines.asked[NODE]) == (None, 2)


def test_what_was_claimed_and_is_not_open_yet_has_nothing_in_it() -> None:
    engines = Engines("a/0")
    engines.new = {3, 4}
    engines.open[3] = ""
    found = listed(engines)
    assert (found.missing, engines.asked) == (None, {NODE: 2, "a/0": 1})
    assert ids(found) == sorted(id for id in IDS if shard_of(id) != 3)


def test_an_engine_that_is_ending_is_asked_again_and_any_other_error_is_told() -> None:
    engines = Engines("a/0")
    engines.errors = [encode_error(EngineStopped("it ends"))]
    assert ids(listed(engines)) == sorted(IDS)
    engines.errors = [encode_error(BadRequest("no"))]
    with pytest.raises(BadRequest):
        listed(engines)


def test_a_node_that_knows_nothing_yet_is_asked_again() -> None:
    class Beginning(Engines):
        """Its node has not found its cluster at first."""

        def ask(self, line: bytes, target: Target) -> Pending:
            if target == NODE and self.asked[NODE] < 3:
                self.asked[NODE] += 1
                pending = Pending(ask=Ask(number=1, line=line), target=target, answer=Future())
                pending.answer.set_result(encode_error(NotYet("not yet", "ask again")))
                return pending
            return super().ask(line, target)

    assert ids(listed(Beginning("a/0"))) == sorted(IDS)
    engines = Beginning("a/0")
    engines.asked[NODE] = -1_000_000
    with pytest.raises(NotYet):
        listed(engines, timeout_s=0.1)


def test_every_engine_that_runs_is_asked_and_one_that_ends_is_left_out() -> None:
    class Dying(Engines):
        """After a few looks it is known."""

        def passes(self) -> None:
            if self.asked[NODE] > 5:
                self.running.discard("b/0")

    engines = Dying("a/0", "b/0")
    engines.silent.add("b/0")
    engines.running.add("c/0")  # which owns nothing
    client = NodeClient("nodes", engines, KeyKind.CLIENT)
    told = blocked(ask_running(client, ExplainRequest(instance=""), Explained, None))
    assert {name: one.reason for name, one in told.items()} == {"a/0": "a/0", "c/0": "c/0"}
    assert engines.cancelled == 1
    engines.running.clear()
    with pytest.raises(WaitTimeout, match="none of which runs"):
        blocked(ask_running(client, ExplainRequest(instance=""), Explained, 0.1))


def test_shards_are_written_as_people_do() -> None:
    missing = ShardsMissing({"a/0": [1, 2, 3, 7], "b/0": [9]})
    assert "shards 1-3, 7 of engine a/0; 9 of engine b/0 is missing" in str(missing)
