"""Promises of a whole runtime over a directory: ids, inputs, stopping, timeouts, and who may come near it."""

import dataclasses
import json
import os
import pickle
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from placet import (
    Busy,
    Cancel,
    Context,
    EngineStopped,
    InstanceState,
    InvalidId,
    NotCompleted,
    Retry,
    Runtime,
    SpawnConflict,
    WaitTimeout,
    Workflow,
)
from placet.actors import engine
from placet.actors.control.client import carry_out
from placet.actors.control.request import PauseRequest, ResumeRequest
from placet.actors.control.tokens import InjectRequest
from placet.actors.engine import Health
from placet.actors.runtime import client_of
from placet.persistence.directory import CONTROL
from placet.persistence.errors import StoreFailed, StoreInUse
from placet.persistence.lmdb_store import LmdbStore
from placet.persistence.preview import to_json
from placet.persistence.values import encode

WAIT_S = 20.0


@dataclasses.dataclass(frozen=True)
class Line:
    """A value with fields."""

    article: str
    count: float


class Opaque:
    """A value that says nothing of itself but its bytes."""

    def __init__(self, content: object) -> None:
        self.content = content


def step(handler: Callable[..., object], name: str = "step", **options: object) -> Workflow:
    """Return a workflow of one transition."""
    workflow = Workflow(name)
    begin, done = workflow.places("begin done")
    workflow.transition(begin >> done, "work", handler=handler, **options)  # type: ignore[arg-type]  # a test's options  # pyright: ignore[reportArgumentType]
    return workflow


def same(value: object) -> object:
    return value


def held_by(gate: threading.Event) -> Callable[[object], object]:
    """Return a handler that waits for `gate`."""

    def work(value: object) -> object:
        gate.wait(WAIT_S)
        return value

    return work


# -- ids and inputs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"x", "y", "z"}, {"z", "y", "x"}),
        (1, 1.0),
        (["a", "a"], ["a", "".join(["", "a"])]),
        (Line(article="nut", count=3), Line(article="nut", count=3.0)),
        (Opaque([1, 2]), Opaque([1, 2])),
    ],
)
def test_equal_values_under_one_id_are_one_instance(tmp_path: Path, first: object, second: object) -> None:
    workflow = step(same)
    with Runtime(tmp_path, [workflow], control=False) as runtime:
        for value in (first, second):
            runtime.spawn(workflow, {"begin": [value]}, id="i", timeout_s=WAIT_S)
        assert [header.instance for header in runtime.list()] == ["i"]


def test_the_order_in_which_places_are_given_does_not_matter(tmp_path: Path) -> None:
    workflow = Workflow("pair")
    left, right, both = workflow.places("left right both")
    workflow.transition((left & right) >> both, "join")
    with Runtime(tmp_path, [workflow], control=False) as runtime:
        runtime.spawn(workflow, {left: [1], right: [2]}, id="i", timeout_s=WAIT_S)
        runtime.spawn(workflow, {right: [2], left: [1]}, id="i", timeout_s=WAIT_S)
        with pytest.raises(SpawnConflict):
            runtime.spawn(workflow, {right: [1], left: [2]}, id="i", timeout_s=WAIT_S)


@pytest.mark.parametrize(("first", "second"), [(1, 2), ((1, 2), [1, 2]), ("1", 1), (b"a", "a")])
def test_other_values_under_one_id_are_refused(tmp_path: Path, first: object, second: object) -> None:
    workflow = step(same)
    with Runtime(tmp_path, [workflow], control=False) as runtime:
        runtime.spawn(workflow, {"begin": [first]}, id="i", timeout_s=WAIT_S)
        with pytest.raises(SpawnConflict):
            runtime.spawn(workflow, {"begin": [second]}, id="i", timeout_s=WAIT_S)


def test_an_id_of_another_workflow_is_refused(tmp_path: Path) -> None:
    one, other = step(same, "one"), step(same, "other")
    with Runtime(tmp_path, [one, other], control=False) as runtime:
        runtime.spawn(one, {"begin": [1]}, id="i", timeout_s=WAIT_S)
        with pytest.raises(SpawnConflict):
            runtime.spawn(other, {"begin": [1]}, id="i", timeout_s=WAIT_S)


def test_an_ended_instance_keeps_its_id_and_its_result(tmp_path: Path) -> None:
    workflow = step(same)
    for _ in range(2):
        with Runtime(tmp_path, [workflow], control=False) as runtime:
            instance = runtime.spawn(workflow, {"begin": [1]}, id="i", timeout_s=WAIT_S)
            assert instance.result(WAIT_S) == {"done": [1]}
            assert [record.kind for _, record in instance.history()] == ["spawned", "fired", "completed"]


@pytest.mark.parametrize("id", [" ", "a/b", "a\nb", "x" * 1_001])
def test_an_id_is_one_line_without_a_slash_of_up_to_a_thousand_characters(tmp_path: Path, id: str) -> None:
    workflow = step(same)
    with Runtime(tmp_path, [workflow], control=False) as runtime:
        with pytest.raises(InvalidId):
            runtime.spawn(workflow, {"begin": [1]}, id=id)
        runtime.spawn(workflow, {"begin": [1]}, id="ü" * 1_000, timeout_s=WAIT_S).result(WAIT_S)


def test_too_much_waiting_is_refused_as_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = step(same)
    with Runtime(tmp_path, [workflow], control=False) as runtime:
        monkeypatch.setattr(engine, "QUEUE_LIMIT", -1)
        with pytest.raises(Busy):
            runtime.spawn(workflow, {"begin": [1]}, id="i")


# -- answers ----------------------------------------------------------------------------------------------------


def test_a_result_is_an_error_unless_the_instance_completed(tmp_path: Path) -> None:
    def work(value: object) -> object:
        raise ValueError(value)

    workflow = step(work)
    with Runtime(tmp_path, [workflow], control=False) as runtime:
        instance = runtime.spawn(workflow, {"begin": [1]}, id="i", timeout_s=WAIT_S)
        with pytest.raises(NotCompleted) as caught:
            instance.result(WAIT_S)
        assert caught.value.state == "incident"
        instance.tell(Cancel(by="eva"), WAIT_S)
        with pytest.raises(NotCompleted):
            instance.result(WAIT_S)


def test_a_wait_for_a_state_that_can_no_longer_come_ends_with_the_last_one(tmp_path: Path) -> None:
    workflow = step(same)
    with Runtime(tmp_path, [workflow], control=False) as runtime:
        instance = runtime.spawn(workflow, {"begin": [1]}, id="i", timeout_s=WAIT_S)
        assert instance.wait_until(["paused"], WAIT_S) is InstanceState.COMPLETED


def test_a_wait_that_is_over_changes_nothing(tmp_path: Path) -> None:
    gate = threading.Event()
    workflow = step(held_by(gate))
    with Runtime(tmp_path, [workflow], control=False) as runtime:
        instance = runtime.spawn(workflow, {"begin": [1]}, id="i", timeout_s=WAIT_S)
        with pytest.raises(WaitTimeout):
            instance.result(timeout_s=0.0)
        gate.set()
        assert instance.result(WAIT_S) == {"done": [1]}


# -- stopping ---------------------------------------------------------------------------------------------------


def test_closing_counts_what_comes_within_the_grace(tmp_path: Path) -> None:
    began, gate = threading.Event(), threading.Event()

    def work(value: object) -> object:
        began.set()
        gate.wait(WAIT_S)
        return value

    workflow = step(work)
    runtime = Runtime(tmp_path, [workflow], grace_s=WAIT_S, control=False)
    runtime.spawn(workflow, {"begin": [1]}, id="i", timeout_s=WAIT_S)
    assert began.wait(WAIT_S)
    threading.Timer(0.05, gate.set).start()
    runtime.close()
    with Runtime(tmp_path, [workflow], control=False) as again:
        records = [record.kind for _, record in again.instance("i").history()]
    assert records == ["spawned", "fired", "completed"]


def test_closing_waits_no_longer_than_the_grace_and_what_ran_on_runs_again(tmp_path: Path) -> None:
    began, gate = threading.Semaphore(0), threading.Event()
    attempts: list[int] = []

    def work(value: object, context: Context) -> object:
        attempts.append(context.attempt)
        began.release()
        gate.wait(WAIT_S)
        return value

    workflow = step(work)
    with Runtime(tmp_path, [workflow], grace_s=0.0, control=False) as runtime:
        runtime.spawn(workflow, {"begin": [1]}, id="i", timeout_s=WAIT_S)
        assert began.acquire(timeout=WAIT_S)
    with Runtime(tmp_path, [workflow], control=False) as again:
        assert began.acquire(timeout=WAIT_S)
        gate.set()
        instance = again.instance("i")
        assert instance.result(WAIT_S) == {"done": [1]}
        records = [record.kind for _, record in instance.history()]
    assert attempts == [1, 2]
    assert records == ["spawned", "fired", "completed"]


def test_a_closed_runtime_answers_nobody(tmp_path: Path) -> None:
    workflow = step(same)
    runtime = Runtime(tmp_path, [workflow], control=False)
    runtime.close()
    runtime.close()
    with pytest.raises(EngineStopped):
        runtime.spawn(workflow, {"begin": [1]}, id="i", timeout_s=WAIT_S)


def test_one_engine_has_a_state(tmp_path: Path) -> None:
    with Runtime(tmp_path, control=False), pytest.raises(StoreInUse):
        Runtime(tmp_path, control=False)


def test_after_an_io_error_the_engine_ends_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    workflow = step(held_by(gate))

    def broken(_store: LmdbStore, _writes: object) -> None:
        raise StoreFailed("the disk is gone")

    with Runtime(tmp_path, [workflow], control=False) as runtime:
        instance = runtime.spawn(workflow, {"begin": [1]}, id="i", timeout_s=WAIT_S)
        with monkeypatch.context() as patch:
            patch.setattr(LmdbStore, "commit", broken)
            with pytest.raises(EngineStopped):
                runtime.spawn(workflow, {"begin": [2]}, id="j", timeout_s=WAIT_S)
            gate.set()
        assert runtime.health is Health.FAILED
        assert instance.state is InstanceState.RUNNING
    with Runtime(tmp_path, [workflow], control=False) as again:
        assert again.instance("i").result(WAIT_S) == {"done": [1]}
        assert client_of(again).reader.header("j") is None


# -- threads ----------------------------------------------------------------------------------------------------


def test_a_handler_past_its_time_is_abandoned_and_its_late_result_dropped(tmp_path: Path) -> None:
    gate, ended = threading.Event(), threading.Event()

    def work(value: object, context: Context) -> object:
        if context.attempt == 1:
            gate.wait(WAIT_S)
            ended.set()
            return "late"
        return value

    workflow = step(work, timeout_s=0.05, retry=Retry(attempts=2, first_s=0.0))
    with Runtime(tmp_path, [workflow], threads=1, control=False) as runtime:
        instance = runtime.spawn(workflow, {"begin": [1]}, id="i", timeout_s=WAIT_S)
        assert instance.result(WAIT_S) == {"done": [1]}
        assert client_of(runtime).engine.executors["thread"].load().abandoned == 1
        gate.set()
        assert ended.wait(WAIT_S)
        assert instance.marking() == {"done": [1]}


# -- who may come near ------------------------------------------------------------------------------------------


def test_the_socket_is_for_its_user_alone(tmp_path: Path) -> None:
    with Runtime(tmp_path):
        assert stat.S_IMODE((tmp_path / CONTROL).stat().st_mode) == 0o600


class Trap:
    """A value whose loading leaves a trace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_nothing_from_the_socket_is_unpickled(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with Runtime(tmp_path / "state") as runtime, socket.socket(socket.AF_UNIX) as client:
        assert not runtime.control_problem
        client.settimeout(WAIT_S)
        client.connect(str(tmp_path / "state" / CONTROL))
        client.sendall(pickle.dumps(Trap(trace), 0).replace(b"\n", b" ") + b"\n")
        answer = json.loads(client.makefile("rb").readline())
    assert answer["error"]["code"] == "bad_request"
    assert not trace.exists()


def test_showing_a_value_never_loads_it(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    shown = to_json(encode(Trap(trace)))
    assert isinstance(shown, dict)
    assert not trace.exists()


def the_first(value: object, *_: object) -> object:
    return value


def test_an_intervention_without_an_engine_leaves_the_state_as_an_engine_would(tmp_path: Path) -> None:
    workflow = Workflow("waits")
    asked, answered, begin, blocked, end = workflow.places("asked answered begin blocked end")
    workflow.task(asked >> answered, "decide")
    workflow.transition((begin & blocked.inhibit()) >> end, "work", handler=the_first)
    workflow.transition((blocked & answered) >> end, "free", handler=the_first)
    with Runtime(tmp_path, [workflow], control=False) as runtime:
        for id, tokens in (("task", {"asked": [1], "begin": []}), ("stuck", {"begin": [1], "blocked": [1]})):
            runtime.spawn(workflow, tokens, id=id, timeout_s=WAIT_S).wait_until(["waiting", "stuck"], WAIT_S)
        before = {one.instance: one.state for one in runtime.list()}
    assert before == {"task": InstanceState.WAITING, "stuck": InstanceState.STUCK}
    for id, state in before.items():
        carry_out(tmp_path, PauseRequest(instance=id, by="eva"))
        face = carry_out(tmp_path, ResumeRequest(instance=id, by="eva"))
        assert (face["state"], face["engine"]) == (state.value, None)
    face = carry_out(tmp_path, PauseRequest(instance="task", target="decide", by="eva"))
    assert face["state"] == "waiting"
    opened = carry_out(tmp_path, InjectRequest(instance="task", place="begin", value=1, by="eva"))
    assert opened["state"] == "running", "an engine will take it"
    with Runtime(tmp_path, [workflow], control=False) as again:
        assert again.instance("task").wait_until(["waiting"], WAIT_S) is InstanceState.WAITING
        assert again.instance("task").marking() == {"asked": [1], "end": [1]}
        assert again.instance("stuck").state is InstanceState.STUCK


def test_an_intervention_without_an_engine_starts_nothing(tmp_path: Path) -> None:
    calls: list[object] = []
    gate = threading.Event()

    def work(value: object) -> object:
        calls.append(value)
        gate.wait(WAIT_S)
        return value

    workflow = step(work)
    with Runtime(tmp_path, [workflow], grace_s=0.0, control=False) as runtime:
        runtime.spawn(workflow, {"begin": [1]}, id="i", timeout_s=WAIT_S)
    before = list(calls)
    face = carry_out(tmp_path, PauseRequest(instance="i", by="eva", why="lunch"))
    gate.set()
    assert (face["state"], face["engine"]) == ("paused", None)
    assert calls == before
    with Runtime(tmp_path, [workflow], control=False) as again:
        assert again.instance("i").state is InstanceState.PAUSED
