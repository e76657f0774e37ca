"""What an engine takes over of the bundles of others, and what it goes on with after a start."""

from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest

from placet import BundleUnusable, Runtime, Workflow, WorkflowTaken
from placet.actors.bundle import Bundle, bundled, decode_bundle
from placet.actors.catalog import Catalog
from placet.actors.deployment import Deployment
from placet.actors.inputs import fingerprint
from placet.actors.loading_guard import LoadingGuard
from placet.actors.messages import Done, SpawnNamed, encode_message
from placet.actors.runtime import engine_of
from placet.persistence.state import open_state
from placet.persistence.values import encode
from placet.petri.behaviour import Definition
from tests.actors.driver import Driver, outcome
from tests.endtoend.processes import until


def doubled(value: int) -> int:
    return value * 2


def workflow(name: str, version: str = "1", called: Workflow | None = None) -> Workflow:
    made = Workflow(name, version)
    start, done = made.places("start done")
    if called is None:
        made.transition(start >> done, "t", handler=doubled)
    else:
        made.call(start >> done, "t", called)
    return made


def bundle(name: str, version: str = "1", called: Workflow | None = None) -> Bundle:
    return bundled(workflow(name, version, called).definition())


class Engine:
    """An engine that only registers."""

    def __init__(self, state: Path, *given: Definition) -> None:
        state.mkdir(exist_ok=True)
        self.catalog = Catalog()
        self.spawnable: dict[str, bytes] = {}
        for definition in given:
            self.enter(definition)
        self.deployment = Deployment(state, LoadingGuard(state), self.catalog, self.spawnable)
        self.deployment.load(self.enter)

    def enter(self, definition: Definition) -> None:
        self.spawnable[definition.name] = self.catalog.register(definition)

    def register(self, definition: Definition) -> "Future[None]":
        done = Future[None]()
        self.enter(definition)
        done.set_result(None)
        return done

    def sent(self, *bundles: Bundle) -> None:
        for one in bundles:
            self.deployment.take_in(one, self.register, 1.0)

    def follow(self, other: "Engine", *, but: str = "") -> list[str]:
        """Take over what is wanted of another engine, and return the workflows of those bundles."""
        shelved, taken = other.deployment.shelved, list[str]()
        for digest in self.deployment.lacks(shelved):
            data = other.deployment.bundle(digest)
            assert data is not None
            one = decode_bundle(data)
            if one.workflow != but:
                taken.append(f"{one.workflow}{one.version.partition('+')[0]}")
                self.deployment.follow(one, shelved.replaced, self.register, 1.0)
        return taken

    def versions(self) -> dict[str, str]:
        return {name: one.version.partition("+")[0] for name, one in self.catalog.definitions.items()}


def test_an_engine_takes_over_what_counts_and_not_what_was_replaced(tmp_path: Path) -> None:
    one, two = Engine(tmp_path / "1"), Engine(tmp_path / "2")
    one.sent(bundle("w"), bundle("w", "2"), bundle("v"))
    assert two.follow(one) == ["w2", "v1"]
    assert two.versions() == {"w": "2", "v": "1"}
    assert two.follow(one) == one.follow(two) == []
    with pytest.raises(WorkflowTaken, match="has taken its place"):
        two.sent(bundle("w"))


def test_what_came_later_elsewhere_comes_later_here_also_after_a_start(tmp_path: Path) -> None:
    one, two = Engine(tmp_path / "1"), Engine(tmp_path / "2")
    one.sent(bundle("w"))
    two.sent(bundle("w"))
    one.sent(bundle("w", "2"))
    assert one.follow(two) == []
    assert two.follow(one) == ["w2"]
    again = Engine(tmp_path / "2")
    assert again.versions() == {"w": "2"}
    assert again.follow(one) == one.follow(again) == []
    old = Engine(tmp_path / "3")
    old.sent(bundle("w"))
    assert again.follow(old) == [], "it knows from the other one that this was replaced"


def test_of_two_that_do_not_know_of_each_other_each_engine_keeps_its_own(tmp_path: Path) -> None:
    one, two = Engine(tmp_path / "1"), Engine(tmp_path / "2")
    one.sent(bundle("w", "2"))
    two.sent(bundle("w", "3"))
    assert one.follow(two) == two.follow(one) == []


def test_of_two_that_came_in_another_order_elsewhere_each_engine_keeps_its_own(tmp_path: Path) -> None:
    one, two = Engine(tmp_path / "1"), Engine(tmp_path / "2")
    one.sent(bundle("w", "2"), bundle("w", "3"))
    two.sent(bundle("caller", called=workflow("w", "3")), bundle("w", "2"))
    assert two.follow(one) == []
    assert one.follow(two) == ["caller1"]
    assert (one.versions()["w"], two.versions()["w"]) == ("3", "2")


def test_a_callee_is_taken_over_with_its_caller_and_not_the_one_without_the_other_where_it_was_replaced(
    tmp_path: Path,
) -> None:
    one, two, three = (Engine(tmp_path / number) for number in "123")
    caller, callee = bundle("caller", called=workflow("w")), bundle("w", "2")
    one.sent(caller, callee)
    assert two.follow(one) == ["caller1", "w2"]
    assert two.versions() == {"caller": "1", "w": "2"}
    assert three.follow(one, but="caller") == ["w2"]
    assert three.follow(one) == ["caller1"]
    assert three.versions() == Engine(tmp_path / "3").versions() == {"caller": "1", "w": "2"}


def test_a_callee_that_counts_is_taken_over_although_its_caller_calls_another_one_now(tmp_path: Path) -> None:
    one, two = Engine(tmp_path / "1"), Engine(tmp_path / "2")
    one.sent(bundle("caller", called=workflow("w")), bundle("caller", "2", called=workflow("v")))
    assert two.follow(one) == ["caller1", "caller2"]
    for engine in (two, Engine(tmp_path / "2")):
        assert engine.versions() == {"caller": "2", "w": "1", "v": "1"}
        assert engine.follow(one) == []


def test_what_a_file_of_the_node_defines_stays(tmp_path: Path) -> None:
    one, two = Engine(tmp_path / "1"), Engine(tmp_path / "2", workflow("w", "9").definition())
    one.sent(bundle("w"), bundle("caller", called=workflow("w")))
    assert two.follow(one) == ["caller1"]
    assert two.versions() == {"w": "9", "caller": "1"}


def test_a_bundle_that_cannot_be_opened_is_not_kept(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "1")
    damaged = msgspec.structs.replace(bundle("w"), checksum=bytes(16))
    with pytest.raises(BundleUnusable, match="damaged"):
        engine.deployment.follow(damaged, {}, engine.register, 1.0)
    assert engine.deployment.shelved.bundles == {}
    assert engine.deployment.bundle(damaged.digest) is None


def test_what_handlers_have_spawned_begins_when_its_workflow_comes_to_the_running_engine(tmp_path: Path) -> None:
    spawner, inputs = workflow("spawner"), fingerprint([("start", 21)])
    driver = Driver(spawner)
    driver.spawn(spawner, {"start": [1]})
    answer = outcome(driver.only())
    assert isinstance(answer, Done)
    tokens = (("start", encode(21)),)
    spawn = SpawnNamed(instance="two", workflow="late", tokens=tokens, inputs=inputs, incarnation=1)
    driver.deliver(driver.only(), msgspec.structs.replace(answer, sent=(encode_message(spawn),)))
    driver.rest()
    state = open_state(tmp_path / "state")
    state.store.commit(list(driver.store.scan(b"")))
    state.close()
    with Runtime(tmp_path / "state", workflows=[spawner]) as runtime:
        assert [one.instance for one in runtime.list()] == ["one"]
        engine_of(runtime).take_in(bundle("late"), 10.0)
        until(lambda: len(list(runtime.list("completed"))) == 2, "it has begun, and ended")
        assert runtime.instance("two").result(10.0) == {"done": [42]}
