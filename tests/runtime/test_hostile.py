"""Clients and user code at their worst: whatever they do, the engine goes on for all others."""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from placet import NotCompleted, Pause, PlacetError, Progress, Runtime, Workflow
from placet.actors import workflow as workflow_actor
from placet.actors.engine import Health
from placet.actors.errors import BadRequest
from placet.actors.inputs import fingerprint
from placet.actors.runtime import client_of
from placet.persistence.errors import ValueTooLarge

PATIENCE_S = 30.0


class Unspeakable(Exception):
    """An exception that leaves when asked for its text."""

    def __str__(self) -> str:
        raise SystemExit


def one_step(handler: Callable[..., object], run: str = "thread", timeout_s: float | None = None) -> Workflow:
    workflow = Workflow("one")
    begin, end = workflow.places("begin end")
    workflow.transition(begin >> end, name="step", handler=handler, run=run, timeout_s=timeout_s)
    return workflow


@pytest.mark.parametrize("run", ["thread", "inline"])
@pytest.mark.parametrize("error", [ValueError("no such file \udcff"), Unspeakable()])
def test_an_exception_that_cannot_be_stored_or_read_is_an_incident(tmp_path: Path, error: Exception, run: str) -> None:
    def raises(value: int) -> int:
        if value:
            return value
        raise error

    workflow = one_step(raises, run)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        with pytest.raises(NotCompleted):
            runtime.spawn(workflow, {"begin": [0]}).result(PATIENCE_S)
        assert runtime.spawn(workflow, {"begin": [1]}).result(PATIENCE_S) == {"end": [1]}


@pytest.mark.parametrize(
    "message",
    [
        Pause(by="eva", why="\udcff"),
        Pause(by=cast("str", 5)),
        Pause(by="eva", request_id=cast("str", 5)),
        Pause(by="eva", request_id="\udcff"),
    ],
    ids=["text", "by", "number", "id"],
)
def test_a_request_that_is_none_is_refused_before_it_is_sent(tmp_path: Path, message: Pause) -> None:
    workflow = one_step(len)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"begin": ["abc"]})
        with pytest.raises(PlacetError):
            instance.tell(message, PATIENCE_S)
        assert instance.result(PATIENCE_S) == {"end": [3]}
        assert runtime.health is Health.RUNNING


def test_a_listener_that_raises_is_told_nothing_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    workflow = one_step(len)
    told: list[Progress] = []

    def listener(progress: Progress) -> None:
        told.append(progress)
        raise ValueError(progress)

    with caplog.at_level(logging.CRITICAL + 1, "placet"), Runtime(tmp_path / "state", [workflow]) as runtime:
        runtime.follow("i", listener)
        assert runtime.spawn(workflow, {"begin": ["abc"]}, id="i").result(PATIENCE_S) == {"end": [3]}
        assert runtime.health is Health.RUNNING
    assert len(told) == 1


def leave(*_: object) -> None:
    raise SystemExit(1)


def test_a_listener_or_callback_that_leaves_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    workflow = one_step(len)
    with caplog.at_level(logging.CRITICAL + 1, "placet"), Runtime(tmp_path / "state", [workflow]) as runtime:
        runtime.follow("i", leave)
        runtime.spawn_later(workflow, {"begin": ["abc"]}, id="i").add_done_callback(leave)
        assert runtime.spawn(workflow, {"begin": ["abcd"]}, timeout_s=PATIENCE_S).result(PATIENCE_S) == {"end": [4]}
        assert runtime.instance("i").result(PATIENCE_S) == {"end": [3]}
        assert runtime.health is Health.RUNNING


def test_a_request_that_is_too_large_is_refused_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(value: object) -> object:
        raise ValueError(value)

    monkeypatch.setattr("placet.actors.engine.MAX_VALUE_BYTES", 100_000)
    workflow = one_step(fail)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"begin": ["abc"]})
        instance.wait_until(["incident"], PATIENCE_S)
        asked: list[Callable[[], object]] = [
            lambda: instance.pause(by="eva", why="x" * (1 << 16) + "x"),
            lambda: instance.pause(by="é" * (1 << 15) + "x"),
            lambda: instance.retry(1 << 64, by="eva"),
        ]
        for ask in asked:
            with pytest.raises(BadRequest):
                ask()
        with pytest.raises(ValueTooLarge):
            instance.skip(1, "x" * 100_000, by="eva")
        assert instance.pause(by="eva", why="x" * (1 << 16), timeout_s=PATIENCE_S).already is False
        assert runtime.health is Health.RUNNING


def test_closing_from_many_threads_is_one_clean_stop(tmp_path: Path) -> None:
    workflow = one_step(len)
    runtime = Runtime(tmp_path / "state", [workflow])
    for number in range(50):
        runtime.spawn_later(workflow, {"begin": ["abc"]}, id=f"i{number}")
    threads = [threading.Thread(target=runtime.close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert runtime.health is Health.STOPPED
    assert client_of(runtime).engine.kernel.stamp.stopped_s == client_of(runtime).engine.kernel.stamp.engine_s


def test_a_deadline_counts_from_when_the_handler_began(tmp_path: Path) -> None:
    pause = threading.Event()

    def slow(value: int) -> int:
        pause.wait(0.3)
        return value

    workflow = one_step(slow, timeout_s=0.5)
    with Runtime(tmp_path / "state", [workflow], threads=8) as runtime:
        spawned = [runtime.spawn(workflow, {"begin": [number]}) for number in range(32)]
        assert [one.result(PATIENCE_S) for one in spawned] == [{"end": [number]} for number in range(32)]


def test_hanging_handlers_take_no_more_than_twice_the_pool(tmp_path: Path) -> None:
    enough = threading.Event()

    def hang(value: int) -> int:
        enough.wait(PATIENCE_S)
        return value

    workflow = one_step(hang, timeout_s=0.05)
    before = set(threading.enumerate())  # other tests' handlers may still hang
    with Runtime(tmp_path / "state", [workflow], threads=4, grace_s=0.0) as runtime:
        spawned = [runtime.spawn(workflow, {"begin": [number]}) for number in range(8)]
        for one in spawned:
            with pytest.raises(NotCompleted, match="TimedOut"):
                one.result(PATIENCE_S)
        names = [thread.name for thread in set(threading.enumerate()) - before]
        assert 4 <= names.count("placet-handler") <= 8
        enough.set()


def test_a_child_that_a_handler_forks_does_not_go_on_as_the_engine(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def fork(value: int) -> int:
        with log.open("a") as file:
            file.write(f"{value}\n")
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        return value

    workflow = one_step(fork)
    with Runtime(tmp_path / "state", [workflow], threads=1) as runtime:
        spawned = [runtime.spawn(workflow, {"begin": [number]}) for number in range(5)]
        assert [one.result(PATIENCE_S) for one in spawned] == [{"end": [number]} for number in range(5)]
    assert sorted(log.read_text().split()) == [str(number) for number in range(5)]


def test_any_number_and_any_depth_has_a_fingerprint() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    assert fingerprint([("a", 10**5_000)]) != fingerprint([("a", 10**5_000 + 1)])
    assert fingerprint([("a", 2)]) == fingerprint([("a", 2.0)])
    assert fingerprint([("a", float("nan"))]) == fingerprint([("a", float("nan"))])
    with pytest.raises(PlacetError):
        fingerprint([("a", deep)])  # neither walked nor pickled: said so, and nothing is sent


def test_what_stands_in_a_value_many_times_is_read_once() -> None:
    nested: list[object] = []
    for _ in range(200):
        nested = [nested, nested]
    assert fingerprint([("a", nested)]) == fingerprint([("a", nested)])
    assert fingerprint([("a", nested)]) != fingerprint([("a", nested[0])])


def test_tokens_that_are_too_large_together_are_one_instances_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_actor, "MAX_VALUE_BYTES", 100_000)
    workflow = Workflow("heavy")
    begin, end = workflow.places("begin end")
    workflow.transition(begin * 3 >> end, name="gather", handler=len)
    light = one_step(len)
    with Runtime(tmp_path / "state", [workflow, light]) as runtime:
        with pytest.raises(PlacetError):
            runtime.spawn(workflow, {begin: ["x" * 50_000] * 3}, id="heavy", timeout_s=PATIENCE_S).result(PATIENCE_S)
        assert runtime.spawn(light, {"begin": ["abc"]}).result(PATIENCE_S) == {"end": [3]}
        assert runtime.health is Health.RUNNING
    with Runtime(tmp_path / "state", [workflow, light]) as runtime:
        assert runtime.spawn(light, {"begin": ["abcd"]}).result(PATIENCE_S) == {"end": [4]}


def test_tokens_that_grow_too_large_together_leave_an_incident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow_actor, "MAX_VALUE_BYTES", 100_000)
    workflow = Workflow("growing")
    begin, grown, end = workflow.places("begin grown end")

    def grow(value: int) -> str:
        return str(value) * 50_000

    workflow.transition(begin >> grown, name="grow", handler=grow)
    workflow.transition(grown * 3 >> end, name="gather", handler=len)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {begin: [1, 2, 3]})
        with pytest.raises(NotCompleted, match="ValueTooLarge"):
            instance.result(PATIENCE_S)
        assert runtime.health is Health.RUNNING
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert runtime.instance(instance.id).state == "incident"
        assert runtime.health is not Health.FAILED
