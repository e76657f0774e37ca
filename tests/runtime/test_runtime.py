"""The embedded runtime from end to end: its threads, its twins for asyncio, closing and opening again."""

import asyncio
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from placet import (
    Busy,
    EngineStopped,
    Instance,
    InstanceState,
    InvalidId,
    NotCompleted,
    NotFound,
    Outputs,
    Pause,
    RequestRefused,
    Resume,
    Runtime,
    SpawnConflict,
    UnknownWorkflow,
    WaitTimeout,
    Workflow,
)
from placet.actors import engine
from placet.actors.effects import Progress
from placet.actors.engine import Health
from placet.persistence.errors import StoreInUse
from tests.runtime.workflows import WAIT_S, Gate, doubling, failing, gated


@pytest.fixture
def gate() -> Generator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


# -- spawning --------------------------------------------------------------------------------------------------------


def test_an_instance_runs_to_its_result(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        instance = runtime.spawn("doubling", {"start": [1, 2]}, id="one")
        assert instance.result(timeout_s=WAIT_S) == {"done": [3, 5]}
        assert instance.state is InstanceState.COMPLETED
        assert [record.kind for _, record in instance.history()].count("fired") == 4


def test_the_same_id_is_the_same_instance_or_a_conflict(tmp_path: Path) -> None:
    workflow = doubling()
    with Runtime(tmp_path / "state", [workflow, failing([])]) as runtime:
        for _ in range(2):
            assert runtime.spawn(workflow, {workflow["start"]: [1]}, id="one").result(WAIT_S) == {"done": [3]}
        with pytest.raises(SpawnConflict):
            runtime.spawn(workflow, {"start": [2]}, id="one")
        with pytest.raises(SpawnConflict):
            runtime.spawn("failing", {"start": [1]}, id="one")
        assert runtime.spawn(workflow, {"start": [1]}).id != runtime.spawn(workflow, {"start": [1]}).id


def test_what_cannot_be_spawned(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        with pytest.raises(UnknownWorkflow):
            runtime.spawn("other", {})
        with pytest.raises(NotFound, match="no entry place 'done'"):
            runtime.spawn("doubling", {"done": [1]})
        with pytest.raises(InvalidId, match="choose another"):
            runtime.spawn("doubling", {"start": [1]}, id="a/b")
        with pytest.raises(TypeError, match="must be a list"):
            runtime.spawn("doubling", {"start": "text"})
        assert list(runtime.list()) == []


def test_many_threads_spawn_and_wait_at_once(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime, ThreadPoolExecutor(8) as pool:

        def one(number: int) -> object:
            return runtime.spawn("doubling", {"start": [number]}, id=f"n{number % 50}").result(WAIT_S)["done"]

        results = list(pool.map(one, [number % 50 for number in range(200)]))
    assert results == [[2 * (number % 50) + 1] for number in range(200)]


def test_too_many_requests_are_refused_not_queued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        monkeypatch.setattr(engine, "QUEUE_LIMIT", -1)
        with pytest.raises(Busy) as refused:
            runtime.spawn("doubling", {"start": [1]}, id="one")
        assert (refused.value.limit, refused.value.queued >= 0) == (-1, True)
        monkeypatch.undo()
        assert runtime.spawn("doubling", {"start": [1]}, id="one").result(WAIT_S) == {"done": [3]}


# -- finding and waiting ---------------------------------------------------------------------------------------------


def test_finding_instances_and_actors(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        runtime.spawn("doubling", {"start": [1]}, id="one").result(WAIT_S)
        runtime.spawn("doubling", {}, id="two").wait_until(["completed"], WAIT_S)
        assert sorted(header.instance for header in runtime.list()) == ["one", "two"]
        assert list(runtime.list("incident")) == []
        assert isinstance(runtime.find("one"), Instance)
        place = runtime.find("one/done")
        assert not isinstance(place, Instance)
        assert (place.address, place.values()) == ("one/done", [3])
        place.sleep()
        place.restart()
        assert place.values() == [3]
        assert len(place.inspect().entries) == 1
        for address in ("none", "one/nowhere"):
            with pytest.raises(NotFound):
                runtime.find(address)
        with pytest.raises(NotFound):
            runtime.instance("none")


def test_a_wait_that_times_out_leaves_the_instance_alone(tmp_path: Path, gate: Gate) -> None:
    with Runtime(tmp_path / "state", [gated(gate)]) as runtime:
        instance = runtime.spawn("gated", {"start": ["v"]}, id="one")
        gate.wait_reached()
        with pytest.raises(WaitTimeout):
            instance.result(timeout_s=0.01)
        with pytest.raises(TimeoutError):
            instance.wait_until("paused", timeout_s=0.01)
        gate.open()
        assert instance.result(WAIT_S) == {"done": ["v"]}


def test_result_raises_on_an_open_incident_and_says_why(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [failing(["no such part"])]) as runtime:
        instance = runtime.spawn("failing", {"start": [1]}, id="one")
        with pytest.raises(NotCompleted, match="work failed with ValueError: no such part") as error:
            instance.result(WAIT_S)
        assert error.value.state == "incident"


def test_retries_happen_by_themselves(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [failing(["once", "twice"], attempts=3)]) as runtime:
        instance = runtime.spawn("failing", {"start": [1]}, id="one")
        assert instance.wait_until(["completed"], WAIT_S) is InstanceState.COMPLETED
        kinds = [record.kind for _, record in instance.history()]
        assert kinds == ["spawned", "attempt_failed", "attempt_failed", "fired", "completed"]


# -- interventions ---------------------------------------------------------------------------------------------------


def test_retry_skip_and_fail_an_incident(tmp_path: Path) -> None:
    failures = ["one", "two", "three"]
    with Runtime(tmp_path / "state", [failing(failures)]) as runtime:
        instances = [runtime.spawn("failing", {"start": [id]}, id=id) for id in ("retried", "skipped", "failed")]
        for instance in instances:
            instance.wait_until("incident", WAIT_S)
        retried, skipped, failed = instances
        numbers = [instance.view().incidents[0].number for instance in instances]
        retried.retry(numbers[0], by="eva", why="mended")
        assert retried.result(WAIT_S) == {"done": ["retried"]}
        skipped.skip(numbers[1], "given", by="eva")
        assert skipped.result(WAIT_S) == {"done": ["given"]}
        failed.fail(numbers[2], by="eva")
        with pytest.raises(NotCompleted, match="failed is failed"):
            failed.result(WAIT_S)
        with pytest.raises(RequestRefused):
            skipped.skip(numbers[1], Outputs({"done": ["again"]}), by="eva")
        (record,) = [record for _, record in retried.history() if record.kind == "retried"]
        assert isinstance(record.detail, dict)
        assert (record.detail["by"], record.detail["why"]) == ("eva", "mended")


def test_pause_counts_what_runs_and_chooses_nothing_new(tmp_path: Path, gate: Gate) -> None:
    with Runtime(tmp_path / "state", [gated(gate)]) as runtime:
        instance = runtime.spawn("gated", {"start": ["v"]}, id="one")
        gate.wait_reached()
        assert not instance.pause(by="eva").already
        assert instance.pause(by="eva").already
        counted = threading.Event()
        runtime.follow("one", lambda step: counted.set() if step.kind == "fired" else None)
        gate.open()
        assert counted.wait(WAIT_S)
        assert instance.marking() == {"held": ["v"]}
        runtime.tell("one", Resume(by="eva"))
        assert instance.result(WAIT_S) == {"done": ["v"]}


def test_cancel_waits_for_what_runs(tmp_path: Path, gate: Gate) -> None:
    with Runtime(tmp_path / "state", [gated(gate)]) as runtime:
        instance = runtime.spawn("gated", {"start": ["v"]}, id="one")
        gate.wait_reached()
        instance.cancel(by="eva")
        assert instance.state is InstanceState.CANCELLING
        gate.open()
        with pytest.raises(NotCompleted, match="cancelled"):
            instance.result(WAIT_S)


def test_an_intervention_needs_somebody(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        runtime.spawn("doubling", {"start": [1]}, id="one").result(WAIT_S)
        with pytest.raises(ValueError, match="who does it"):
            runtime.instance("one").tell(Pause(by=""))
        with pytest.raises(RequestRefused, match="one is completed"):
            runtime.instance("one").tell(Pause(by="eva"))
        with pytest.raises(NotFound):
            runtime.tell("none", Pause(by="eva"))


# -- watching --------------------------------------------------------------------------------------------------------


def test_every_step_is_told_in_order_after_its_commit(tmp_path: Path) -> None:
    steps: list[Progress] = []
    states: list[InstanceState] = []
    told_all = threading.Event()
    with Runtime(tmp_path / "state", [doubling()]) as runtime:

        def listen(step: Progress) -> None:
            steps.append(step)
            states.append(runtime.instance("one").state)  # it is on disk already
            if step.kind == "completed":
                told_all.set()

        stop = runtime.follow("one", listen)
        runtime.spawn("doubling", {"start": [1]}, id="other").result(WAIT_S)
        runtime.spawn("doubling", {"start": [1]}, id="one")
        assert told_all.wait(WAIT_S)
        seen = [(step.kind, step.transition) for step in steps]
        assert seen[:3] == [("spawned", ""), ("started", "double"), ("fired", "double")]
        assert ("fired", "increment") in seen
        assert {step.instance for step in steps} == {"one"}
        assert states[-1] is InstanceState.COMPLETED
        stop()
        told = len(steps)
        runtime.spawn("doubling", {"start": [1]}, id="later").result(WAIT_S)
        assert len(steps) == told


def test_what_runs_now(tmp_path: Path, gate: Gate) -> None:
    with Runtime(tmp_path / "state", [gated(gate)], threads=2) as runtime:
        instance = runtime.spawn("gated", {"start": [1, 2]}, id="one")
        gate.wait_reached()
        gate.wait_reached()
        running = runtime.running()
        assert [(handler.instance, handler.transition) for handler in running] == [("one", "hold")] * 2
        assert running[0].since_s >= running[1].since_s
        gate.open()
        instance.result(WAIT_S)
    assert runtime.running() == []


# -- asyncio ---------------------------------------------------------------------------------------------------------


def test_the_twins_for_asyncio(tmp_path: Path, gate: Gate) -> None:
    async def together(runtime: Runtime) -> list[object]:
        names = [f"n{number}" for number in range(20)]
        made = await asyncio.gather(*(runtime.spawn_async("doubling", {"start": [1]}, id=name) for name in names))
        held = await runtime.spawn_async("gated", {"start": ["v"]}, id="held")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await held.result_async()
        receipt = await held.tell_async(Pause(by="eva"))
        assert not receipt.already
        assert await held.wait_until_async(["paused"]) is InstanceState.PAUSED
        await held.tell_async(Resume(by="eva"))
        gate.open()
        results = await asyncio.gather(*(instance.result_async() for instance in made))
        return [*results, await held.result_async()]

    with Runtime(tmp_path / "state", [doubling(), gated(gate)]) as runtime:
        assert asyncio.run(together(runtime)) == [{"done": [3]}] * 20 + [{"done": ["v"]}]


def test_asyncio_sees_refusals(tmp_path: Path) -> None:
    async def refused(runtime: Runtime) -> None:
        await runtime.spawn_async("doubling", {"start": [1]}, id="one")
        with pytest.raises(SpawnConflict):
            await runtime.spawn_async("doubling", {"start": [2]}, id="one")

    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        asyncio.run(refused(runtime))


# -- closing and opening again ---------------------------------------------------------------------------------------


def test_closing_waits_for_what_runs_and_counts_it(tmp_path: Path, gate: Gate) -> None:
    state = tmp_path / "state"
    with Runtime(state, [gated(gate)]) as runtime:
        runtime.spawn("gated", {"start": ["v"]}, id="one")
        gate.wait_reached()
        closing = threading.Thread(target=runtime.close)
        closing.start()
        gate.open()
        closing.join(WAIT_S)
        assert not closing.is_alive()
    with Runtime(state, [gated(gate)]) as runtime:
        assert runtime.instance("one").result(WAIT_S) == {"done": ["v"]}
        kinds = [record.kind for _, record in runtime.instance("one").history()]
        assert kinds == ["spawned", "fired", "fired", "completed"]


def test_what_outlives_the_grace_is_run_again_and_not_counted_as_lost(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first, second = Gate(), Gate()
    with Runtime(state, [gated(first)], grace_s=0.0) as runtime:
        runtime.spawn("gated", {"start": ["v"]}, id="one")
        first.wait_reached()
    second.open()
    with Runtime(state, [gated(second)]) as runtime:
        assert runtime.instance("one").result(WAIT_S) == {"done": ["v"]}
        history = [record for _, record in runtime.instance("one").history()]
    first.open()
    assert [record.kind for record in history] == ["spawned", "fired", "fired", "completed"]
    assert history[1].attempt == 2


def test_a_closed_runtime_refuses_and_tells_those_who_wait(tmp_path: Path, gate: Gate) -> None:
    runtime = Runtime(tmp_path / "state", [gated(gate)], grace_s=0.0)
    runtime.spawn("gated", {"start": ["v"]}, id="one")
    runtime.close()
    runtime.close()
    assert runtime.health is Health.STOPPED
    with pytest.raises(EngineStopped, match="open it again"):
        runtime.spawn("gated", {"start": ["v"]}, id="two", timeout_s=WAIT_S)


def test_one_runtime_a_state(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [doubling()]), pytest.raises(StoreInUse):
        Runtime(tmp_path / "state", [doubling()])
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        assert list(runtime.list()) == []


def test_an_instance_whose_workflow_is_not_here_waits_for_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    gate = Gate()
    with Runtime(state, [gated(gate)], grace_s=0.0) as runtime:
        runtime.spawn("gated", {"start": ["v"]}, id="one")
        gate.wait_reached()
    gate.open()
    with Runtime(state, []) as runtime:
        assert "gated" in runtime.unknown
        assert runtime.instance("one").wait_until("waiting", WAIT_S) is InstanceState.WAITING
    with Runtime(state, [gated(gate)]) as runtime:
        assert runtime.instance("one").result(WAIT_S) == {"done": ["v"]}


def test_a_stuck_instance_names_what_is_lacking(tmp_path: Path) -> None:
    workflow = Workflow("join")
    left, right, both = workflow.places("left right both")
    workflow.transition((left & right) >> both, "meet")
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        instance = runtime.spawn(workflow, {left: [1]}, id="one")
        with pytest.raises(NotCompleted, match="meet needs 1 in right, which has 0"):
            instance.result(WAIT_S)
        assert instance.cancel(by="eva").instance == "one"
        assert instance.wait_until("cancelled", WAIT_S) is InstanceState.CANCELLED
