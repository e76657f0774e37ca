"""Signs of life on every executor: who gives them goes on, who does not is timed out, and what was told is kept."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import cast

import pytest

from placet import Context, Instance, Retry, Runtime, Workflow
from placet.actors.errors import AttemptOver
from placet.actors.executors import pulse as pulses
from placet.actors.executors.pulse import Pulse
from tests.endtoend.processes import until
from tests.executors.context_handlers import (
    beat_and_die,
    beat_items_then_hang,
    beat_on,
    beat_on_async,
    beat_then_hang,
    beat_then_hang_async,
    beat_until_over,
    beat_wrongly,
    given_back,
    hang_on,
)
from tests.executors.flows import PATIENCE_S, failure

AGAIN = Retry(attempts=3, first_s=0.0, jitter=0.0)
IN_WORKERS_S = 8.0  # silence that is allowed to items there: a worker imports the handler first


def watched(
    handler: Callable[..., object],
    run: str,
    *,
    heartbeat_s: float | None = 1.0,
    timeout_s: float | None = None,
    retry: Retry | None = AGAIN,
    name: str = "watched",
) -> Workflow:
    """Return a workflow of one step whose handler must give signs of life."""
    workflow = Workflow(name)
    start, done = workflow.places("start done")
    workflow.transition(
        start >> done, "step", handler=handler, run=run, heartbeat_s=heartbeat_s, timeout_s=timeout_s, retry=retry
    )
    return workflow


def done(instance: Instance) -> list[object]:
    return instance.result(timeout_s=PATIENCE_S)["done"]


def failures(instance: Instance) -> list[object]:
    """Return the types of all failed attempts, from the history."""
    records = [record for _, record in instance.history() if record.kind == "attempt_failed"]
    return [record.detail["type"] for record in records if isinstance(record.detail, dict)]


HANGING = {
    "thread": beat_then_hang,
    "hybrid": beat_then_hang,
    "process": beat_then_hang,
    "async": beat_then_hang_async,
}


@pytest.mark.parametrize("run", HANGING)
def test_a_silent_attempt_is_over_and_the_next_one_is_given_what_it_told_last(run: str, tmp_path: Path) -> None:
    workflow = watched(HANGING[run], run, heartbeat_s=0.5)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": [str(tmp_path / "begun")]})
        assert done(instance) == [{"done": 2}]
        assert failures(instance) == ["HeartbeatLost"]


@pytest.mark.parametrize("run", ["parallel", "parallel_threads"])
def test_items_of_a_list_give_signs_of_life_for_the_whole_list(run: str, tmp_path: Path) -> None:
    workflow = watched(beat_items_then_hang, run, heartbeat_s=IN_WORKERS_S if run == "parallel" else 0.5)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": [[str(tmp_path / "begun")]]})
        assert done(instance) == [[{"done": 2}]]
        assert failures(instance) == ["HeartbeatLost"]


BEATING = {"thread": beat_on, "hybrid": beat_on, "process": beat_on, "async": beat_on_async}


@pytest.mark.parametrize("run", BEATING)
def test_an_attempt_that_gives_signs_of_life_runs_on(run: str, tmp_path: Path) -> None:
    workflow = watched(BEATING[run], run, heartbeat_s=1.0)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": [2.5]})
        (count,) = done(instance)
        assert isinstance(count, int)
        assert count > 20
        assert failures(instance) == []


@pytest.mark.parametrize("run", ["parallel", "parallel_threads"])
def test_a_list_whose_items_give_signs_of_life_runs_on(run: str, tmp_path: Path) -> None:
    workflow = watched(beat_on, run, heartbeat_s=1.0)
    first = watched(beat_on, run, heartbeat_s=None, name="first")  # by which workers have imported the handler
    with Runtime(tmp_path / "state", [workflow, first], processes=1) as runtime:
        assert done(runtime.spawn(first, {"start": [[0.0]]})) == [[0]]
        instance = runtime.spawn(workflow, {"start": [[0.5, 2.5]]})
        (counts,) = done(instance)
        assert isinstance(counts, list)
        assert len(cast("list[object]", counts)) == 2
        assert failures(instance) == []


def test_the_failure_says_how_long_nothing_was_heard(tmp_path: Path) -> None:
    workflow = watched(beat_then_hang, "thread", heartbeat_s=0.25, retry=None)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        kind, message = failure(runtime.spawn(workflow, {"start": [str(tmp_path / "begun")]}))
    assert kind == "HeartbeatLost"
    assert message.startswith("the handler gave no sign of life for 0.25 s; it had run for ")


def test_whoever_retries_timeouts_retries_silence(tmp_path: Path) -> None:
    workflow = watched(
        beat_then_hang, "thread", heartbeat_s=0.25, retry=Retry(attempts=2, first_s=0.0, only=(TimeoutError,))
    )
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert done(runtime.spawn(workflow, {"start": [str(tmp_path / "begun")]})) == [{"done": 2}]


@pytest.mark.parametrize("run", ["thread", "process"])
def test_a_handler_in_an_instance_that_is_cancelled_is_told(run: str, tmp_path: Path) -> None:
    workflow = watched(beat_until_over, run, heartbeat_s=None)
    path = tmp_path / "over"
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": [str(path)]})
        until(lambda: instance.view().firings[0].beat_at, "a sign of life")
        instance.cancel(by="eva")
        assert instance.wait_until(["cancelled"], PATIENCE_S) == "cancelled"
        assert path.read_text(encoding="utf-8") == "its instance is being cancelled"
        assert instance.marking()["start"] == [str(path)]


def test_a_thread_that_has_run_out_of_time_is_told(tmp_path: Path) -> None:
    over = Event()
    reasons: list[str] = []

    def work(_value: object, context: Context) -> None:
        try:
            while True:
                context.heartbeat()
                over.wait(0.01)
        except AttemptOver as error:
            reasons.append(error.reason)
            over.set()
            raise

    workflow = watched(work, "thread", heartbeat_s=None, timeout_s=0.3, retry=None)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert failure(runtime.spawn(workflow, {"start": [1]}))[0] == "TimedOut"
        assert over.wait(PATIENCE_S)
    assert reasons == ["it has had its time"]


def test_what_a_worker_told_before_it_died_is_given_to_the_next_attempt(tmp_path: Path) -> None:
    workflow = watched(beat_and_die, "process", heartbeat_s=None)
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        instance = runtime.spawn(workflow, {"start": [1]})
        assert done(instance) == ["last"]
        assert failures(instance) == ["WorkerDied"]


@pytest.mark.parametrize("run", ["thread", "process"])
def test_people_see_how_far_it_has_come(run: str, tmp_path: Path) -> None:
    def shown(*options: str) -> str:
        command = [sys.executable, "-m", "placet", "show", instance.id, "--state", str(tmp_path / "state"), *options]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    workflow = watched(beat_until_over, run, heartbeat_s=None, timeout_s=PATIENCE_S, retry=None)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": [str(tmp_path / "over")]})
        until(lambda: instance.view().firings[0].beat_at, "a sign of life")
        view = instance.view().firings[0]
        assert (view.progress, view.attempt) == ("on", 1)
        text = shown()
        assert ('  progress: "on"\n' in text, ", last heard " in text) == (True, True), text
        (running,) = json.loads(shown("--json"))["firings_running"]
        assert (running["progress"], running["beat_at"] >= view.beat_at) == ("on", True)
        instance.cancel(by="eva")
        instance.wait_until(["cancelled"], PATIENCE_S)


@pytest.mark.parametrize("run", ["thread", "process"])
def test_progress_that_is_too_large_or_cannot_be_encoded_is_refused_at_the_call(run: str, tmp_path: Path) -> None:
    workflow = watched(beat_wrongly, run, heartbeat_s=None, retry=None)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        kind, message = failure(runtime.spawn(workflow, {"start": ["x" * 20_000]}))
    assert kind.endswith("ValueTooLarge")
    assert "16384" in message


# -- the pulse itself ----------------------------------------------------------------------------------------------


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(pulses, "monotonic_s", found)
    return found


def test_few_signs_of_life_are_passed_on_and_the_latest_progress_with_them(clock: Clock) -> None:
    passed: list[bytes | None] = []

    def take(progress: bytes | None) -> bool:
        passed.append(progress)
        return True

    pulse = Pulse(take, pause_s=1.0)
    for number in range(10):
        pulse.beat(b"%d" % number)
        clock.now += 0.3
    assert passed == [b"0", b"4", b"8"]
    pulse.flush()
    pulse.flush()
    assert passed == [b"0", b"4", b"8", b"9"]


def test_one_that_does_not_get_through_is_tried_again_with_the_next(clock: Clock) -> None:
    passed: list[bytes | None] = []

    def take(progress: bytes | None) -> bool:
        passed.append(progress)
        return len(passed) > 1

    pulse = Pulse(take, pause_s=1.0)
    pulse.beat(b"one")
    pulse.beat(None)
    clock.now += 0.5
    pulse.beat(b"two")
    assert passed == [b"one", b"one"]


def test_the_end_of_an_attempt_is_told_with_the_next_sign_of_life(clock: Clock) -> None:
    pulse = Pulse(lambda _: True, pause_s=1.0)
    clock.now += 5.0
    assert pulse.silent_s() == 5.0
    pulse.beat(None)
    assert pulse.silent_s() == 0.0
    pulse.end("it has had its time")
    with pytest.raises(AttemptOver, match="it has had its time; nothing it returns counts"):
        pulse.beat(None)


def beat_each(item: int, context: Context) -> int:
    """Give signs of life for longer than silence is allowed."""
    for _ in range(3):
        Event().wait(0.1)
        context.heartbeat()
    return item


def test_a_list_whose_items_wait_behind_anothers_is_not_silent(tmp_path: Path) -> None:
    workflow = watched(beat_each, "parallel_threads", heartbeat_s=0.5, retry=None)
    lists = [list(range(16)) for _ in range(3)]
    with Runtime(tmp_path / "state", [workflow], threads=2) as runtime:
        instance = runtime.spawn(workflow, {"start": lists})
        assert done(instance) == lists


def test_a_hanging_handler_is_noticed_after_many_to_whom_nobody_listened(tmp_path: Path) -> None:
    count = 400  # more beginnings than the line of a worker holds
    workflow = Workflow("many")
    todo, ready, end = workflow.places("todo ready end")
    workflow.transition(todo >> ready, "plain", handler=given_back, run="process")
    workflow.transition(ready * count >> end, "hang", handler=hang_on, run="process", heartbeat_s=0.5)
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        instance = runtime.spawn(workflow, {todo: list(range(count))})
        assert failure(instance)[0] == "HeartbeatLost"


def test_a_sign_of_life_out_of_a_signal_handler_waits_for_none_that_is_being_given() -> None:
    given: list[bytes | None] = []

    def pass_on(progress: bytes | None) -> bool:
        if progress == b"outer":
            pulse.beat(b"inner")  # as if a signal came now
        given.append(progress)
        return True

    pulse = Pulse(pass_on, 0.0)
    pulse.beat(b"outer")
    assert given == [b"inner", b"outer"]
