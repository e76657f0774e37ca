"""Rehearsals: what users of Placet build their own tests on."""

import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event

import pytest

from placet import (
    Instance,
    InvalidId,
    NotCompleted,
    NotFound,
    Outputs,
    RemoteInstance,
    RequestRefused,
    Retry,
    SpawnConflict,
    UnknownWorkflow,
    WaitTimeout,
    Workflow,
    WrongType,
)
from placet.actors.effects import Expire, Start
from placet.actors.executors.thread import ThreadExecutor
from placet.actors.messages import Failed, KernelMessage, Pause
from placet.actors.verbs import PartVerbs, Verbs
from placet.persistence.values import encode
from placet.petri.behaviour import THREAD
from placet.petri.errors import PlacetError
from placet.petri.plan import make_plan
from placet.petri.result import prepare
from placet.testing import Rehearsal, RehearsedInstance, rehearsal
from placet.testing.errors import InsideHandler, NotRehearsed, Restless, UnknownTransition

MINUTE_S = 60.0


def step(
    handler: Callable[..., object],
    *,
    name: str = "step",
    retry: Retry | None = None,
    timeout_s: float | None = None,
    run: str | None = None,
) -> Workflow:
    """Return a workflow of one transition, `work`, from `begin` to `done`."""
    workflow = Workflow(name)
    begin, done = workflow.places("begin done")
    workflow.transition(begin >> done, "work", handler=handler, retry=retry, timeout_s=timeout_s, run=run)
    return workflow


class Recorder:
    """A handler that fails as often as it is told, and remembers when it was called."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.rehearsal: Rehearsal | None = None
        self.called_at: list[float] = []

    def __call__(self, value: object) -> object:
        assert self.rehearsal is not None
        self.called_at.append(self.rehearsal.now_s)
        if len(self.called_at) <= self.failures:
            raise ValueError("no")
        return value


def rehearse(
    recorder: Recorder, retry: Retry | None = None, timeout_s: float | None = None
) -> tuple[Rehearsal, RehearsedInstance]:
    workflow = step(recorder, retry=retry, timeout_s=timeout_s)
    recorder.rehearsal = Rehearsal(workflow, start_s=1_000.0)
    return recorder.rehearsal, recorder.rehearsal.spawn(workflow, {"begin": [1]}, id="one")


# -- moving ------------------------------------------------------------------------------------------------------


def test_nothing_is_called_before_run_and_run_lets_no_time_pass() -> None:
    recorder = Recorder()
    rehearsed, instance = rehearse(recorder)
    assert (instance.state, recorder.called_at) == ("running", [])
    rehearsed.run()
    assert (instance.state, recorder.called_at, rehearsed.now_s) == ("completed", [1_000.0], 1_000.0)
    assert instance.history() == ["spawned", "fired", "completed"]


def test_timers_fire_at_their_own_moments_while_time_passes() -> None:
    recorder = Recorder(failures=3)
    rehearsed, instance = rehearse(recorder, Retry(attempts=5, first_s=MINUTE_S, factor=2.0, jitter=0.0))
    rehearsed.advance(3_600.0)
    assert recorder.called_at == [1_000.0, 1_060.0, 1_180.0, 1_420.0]
    assert rehearsed.now_s == 4_600.0
    assert instance.result() == {"done": [1]}


def test_a_timer_is_not_due_a_moment_too_early() -> None:
    recorder = Recorder(failures=1)
    rehearsed, instance = rehearse(recorder, Retry(attempts=2, first_s=10.0, jitter=0.0))
    rehearsed.advance(9.99)
    assert instance.state == "waiting"
    rehearsed.advance(0.01)
    assert instance.state == "completed"


def test_back_offs_of_nothing_are_run_without_time() -> None:
    recorder = Recorder(failures=3)
    rehearsed, instance = rehearse(recorder, Retry(attempts=4, first_s=0.0))
    rehearsed.run()
    assert instance.state == "completed"
    assert recorder.called_at == [1_000.0] * 4


def test_handlers_take_as_long_as_is_said_and_no_more_run_at_once_than_in_a_runtime() -> None:
    recorder = Recorder()
    workflow = step(recorder)
    rehearsed = recorder.rehearsal = Rehearsal(workflow)
    rehearsed.takes("work", 10.0)
    instance = rehearsed.spawn(workflow, {"begin": list(range(100))})
    rehearsed.run()
    assert len(recorder.called_at) == 64
    rehearsed.advance(10.0)
    assert (len(instance.marking()["done"]), len(recorder.called_at)) == (64, 100)
    rehearsed.advance(10.0)
    assert len(instance.result()["done"]) == 100


def test_answers_come_in_the_order_of_their_times() -> None:
    workflow = Workflow("two")
    begin, slow_begin, done = workflow.places("begin slow_begin done")
    workflow.transition(begin >> done, "quick", handler=str)
    workflow.transition(slow_begin >> done, "slow", handler=str)
    rehearsed = Rehearsal(workflow)
    rehearsed.takes("slow", 20.0)
    rehearsed.takes("quick", 5.0)
    instance = rehearsed.spawn(workflow, {slow_begin: ["slow"], begin: ["quick"]})
    rehearsed.advance(60.0)
    assert instance.result() == {"done": ["quick", "slow"]}


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_time_passes_forward_and_by_a_number(seconds: float) -> None:
    rehearsed, _ = rehearse(Recorder())
    with pytest.raises(ValueError, match="0 or more seconds"):
        rehearsed.advance(seconds)
    with pytest.raises(ValueError, match="0 or more seconds"):
        rehearsed.takes("work", seconds)
    with pytest.raises(ValueError, match="above 0"):
        Rehearsal(start_s=seconds)


@pytest.mark.parametrize("run", ["thread", "inline"])
def test_what_never_rests_is_an_error(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "MOST_STEPS", 500)
    workflow = Workflow("ring")
    here, there = workflow.place("here", entry=True), workflow.place("there")
    workflow.transition(here >> there, "go", handler=str, run=run)
    workflow.transition(there >> here, "back", handler=str, run=run)
    rehearsed = Rehearsal(workflow)
    with pytest.raises(Restless, match="loop of transitions"):
        rehearsed.spawn(workflow, {here: ["x"]}).result()


# -- timeouts ----------------------------------------------------------------------------------------------------


def test_a_handler_that_takes_too_long_fails_at_its_deadline() -> None:
    rehearsed, instance = rehearse(Recorder(), timeout_s=30.0)
    rehearsed.takes("work", 31.0)
    rehearsed.advance(29.9)
    assert instance.state == "running"
    rehearsed.advance(0.2)
    (incident,) = instance.incidents()
    assert incident.failures[-1].at == 1_030.0
    assert "it had run for 30.000 s" in incident.failures[-1].message
    rehearsed.advance(100.0)  # the answer that would come now is nobody's
    assert instance.history() == ["spawned", "attempt_failed", "incident"]


def test_a_handler_that_returns_at_its_deadline_is_in_time() -> None:
    rehearsed, instance = rehearse(Recorder(), timeout_s=30.0)
    rehearsed.takes("work", 30.0)
    rehearsed.advance(30.0)
    assert instance.state == "completed"


def test_a_slow_attempt_is_tried_again() -> None:
    rehearsed, instance = rehearse(Recorder(), Retry(attempts=2, first_s=5.0, jitter=0.0), timeout_s=30.0)
    rehearsed.takes("work", 60.0)
    rehearsed.advance(31.0)
    rehearsed.takes("work", 1.0)
    rehearsed.advance(5.0)
    assert instance.result() == {"done": [1]}


def test_a_timeout_is_told_as_the_executor_of_threads_tells_it() -> None:
    begun, may_end = Event(), Event()

    def hold(_value: object) -> None:
        begun.set()
        may_end.wait(30.0)

    definition = step(hold).definition()
    plan = prepare(make_plan(definition.net, definition.behaviours))
    posted: SimpleQueue[KernelMessage] = SimpleQueue()
    executor = ThreadExecutor(posted.put, threads=1)
    start = Start(
        root=b"r",
        instance="one",
        incarnation=1,
        transition=plan.transitions[0],
        number=1,
        attempt=1,
        tokens=((0, 1, encode(1)),),
    )
    executor.submit([start])
    assert begun.wait(30.0)
    executor.expire(Expire(executor=THREAD, root=b"r", number=1, attempt=1))
    real = posted.get(timeout=30.0)
    may_end.set()
    executor.close()
    rehearsed, instance = rehearse(Recorder(), timeout_s=30.0)
    rehearsed.takes("work", 60.0)
    rehearsed.advance(60.0)
    ours = instance.incidents()[0].failures[-1]
    assert isinstance(real, Failed)
    assert (ours.type, ours.types) == (real.failure.type, real.failure.types)
    assert ours.message.partition(";")[0] == real.failure.message.partition(";")[0]


def test_only_transitions_there_are_can_take_time() -> None:
    rehearsed, _ = rehearse(Recorder())
    with pytest.raises(UnknownTransition, match="no transition 'wrok'; name one of work"):
        rehearsed.takes("wrok", 1.0)


# -- crashes and restarts ----------------------------------------------------------------------------------------


def test_a_crash_loses_what_was_in_flight_and_it_runs_again() -> None:
    recorder = Recorder()
    rehearsed, instance = rehearse(recorder)
    rehearsed.takes("work", 10.0)
    rehearsed.advance(9.0)
    rehearsed.crash()
    assert instance.history() == ["spawned", "lost"]
    rehearsed.advance(9.0)
    assert (instance.state, recorder.called_at) == ("running", [1_000.0, 1_009.0])
    rehearsed.advance(1.0)
    assert instance.history() == ["spawned", "lost", "fired", "completed"]


def test_a_back_off_goes_on_across_a_crash() -> None:
    recorder = Recorder(failures=1)
    rehearsed, instance = rehearse(recorder, Retry(attempts=2, first_s=MINUTE_S, jitter=0.0))
    rehearsed.advance(30.0)
    rehearsed.crash()
    rehearsed.advance(30.0)
    assert instance.result() == {"done": [1]}
    assert recorder.called_at == [1_000.0, 1_060.0]


def test_what_is_lost_again_and_again_ends_as_an_incident() -> None:
    rehearsed, instance = rehearse(Recorder())
    rehearsed.takes("work", 10.0)
    crashes = 0
    while instance.state != "incident" and crashes < 20:
        rehearsed.run()
        rehearsed.crash()
        crashes += 1
    assert crashes == 6
    assert instance.incidents()[0].failures[-1].type == "Lost"


def test_a_clean_restart_counts_nothing_as_lost() -> None:
    recorder = Recorder()
    rehearsed, instance = rehearse(recorder)
    rehearsed.takes("work", 10.0)
    for _ in range(7):
        rehearsed.advance(9.0)
        rehearsed.restart()
    rehearsed.advance(11.0)
    assert instance.state == "completed"
    assert "lost" not in instance.history()
    assert len(recorder.called_at) == 8


def test_a_restart_can_bring_other_handlers() -> None:
    broken, mended = Recorder(failures=100), Recorder()
    rehearsed, instance = rehearse(broken)
    rehearsed.run()
    mended.rehearsal = rehearsed
    rehearsed.restart(step(mended))
    instance.retry(instance.incidents()[0].number, by="eva")
    assert instance.result() == {"done": [1]}
    assert (len(broken.called_at), len(mended.called_at)) == (1, 1)


# -- people ------------------------------------------------------------------------------------------------------


def test_incidents_are_retried_skipped_and_failed() -> None:
    workflow = step(Recorder(failures=100))
    rehearsed = Rehearsal(workflow)
    retried, skipped, failed, routed = (rehearsed.spawn(workflow, {"begin": [n]}, id=f"i{n}") for n in range(4))
    rehearsed.run()
    retried.retry(retried.incidents()[0].number, by="eva", why="again")
    skipped.skip(skipped.incidents()[0].number, "by hand", by="eva")
    routed.skip(routed.incidents()[0].number, Outputs({"done": ["there"]}), by="eva")
    failed.fail(failed.incidents()[0].number, by="eva")
    rehearsed.run()
    assert [one.state for one in (retried, skipped, failed, routed)] == ["incident", "completed", "failed", "completed"]
    assert skipped.result() == {"done": ["by hand"]}
    assert routed.result() == {"done": ["there"]}


def test_pause_resume_and_cancel() -> None:
    rehearsed, instance = rehearse(Recorder(failures=1), Retry(attempts=2, first_s=1.0))
    rehearsed.run()
    instance.pause(by="eva")
    assert rehearsed.tell("one", Pause(by="ben")).already
    rehearsed.advance(10.0)
    assert instance.state == "paused"
    instance.resume(by="eva")
    assert instance.result() == {"done": [1]}
    with pytest.raises(RequestRefused, match="completed"):
        instance.cancel(by="eva")


def test_a_cancelled_instance_ends_once_its_handler_has() -> None:
    rehearsed, instance = rehearse(Recorder())
    rehearsed.takes("work", 10.0)
    rehearsed.run()
    instance.cancel(by="eva", why="enough")
    assert instance.state == "cancelling"
    rehearsed.advance(10.0)
    with pytest.raises(NotCompleted, match="cancelled"):
        instance.result()


def test_who_intervenes_and_where_must_be_said() -> None:
    rehearsed, instance = rehearse(Recorder())
    with pytest.raises(ValueError, match="needs `by`"):
        instance.pause(by="")
    with pytest.raises(NotFound, match="no instance two"):
        rehearsed.tell("two", Pause(by="eva"))


# -- results and mistakes ----------------------------------------------------------------------------------------


def test_a_result_that_needs_time_says_so() -> None:
    _, instance = rehearse(Recorder(failures=1), Retry(attempts=2, first_s=10.0))
    with pytest.raises(WaitTimeout, match=r"waiting.*`advance`"):
        instance.result()


def test_an_open_incident_has_no_result() -> None:
    _, instance = rehearse(Recorder(failures=1))
    with pytest.raises(NotCompleted, match="ValueError: no"):
        instance.result()


def test_the_same_spawn_again_is_the_same_instance_and_another_is_refused() -> None:
    recorder = Recorder()
    rehearsed, instance = rehearse(recorder)
    rehearsed.run()
    again = rehearsed.spawn("step", {"begin": [1]}, id="one")
    assert (again.id, again.state) == (instance.id, "completed")
    with pytest.raises(SpawnConflict):
        rehearsed.spawn("step", {"begin": [2]}, id="one")
    assert len(recorder.called_at) == 1


def test_mistakes_in_a_spawn_are_told() -> None:
    rehearsed, _ = rehearse(Recorder())
    with pytest.raises(NotFound, match="its entries are begin"):
        rehearsed.spawn("step", {"done": [1]})
    with pytest.raises(TypeError, match="list of values"):
        rehearsed.spawn("step", {"begin": "text"})
    with pytest.raises(InvalidId):
        rehearsed.spawn("step", {"begin": [1]}, id="a/b")
    with pytest.raises(UnknownWorkflow, match=r"Rehearsal\(…\)"):
        rehearsed.spawn(step(str, name="other"), {"begin": [1]})


def test_a_handler_may_spawn_but_not_move_the_rehearsal() -> None:
    refused: list[PlacetError] = []

    def parent(value: object) -> object:
        rehearsed.spawn("child", {"begin": [value]}, id="child")
        for move in (rehearsed.run, rehearsed.crash, rehearsed.restart):
            try:
                move()
            except InsideHandler as error:
                refused.append(error)
        return value

    workflow, child = step(parent, name="parent"), step(str, name="child")
    rehearsed = Rehearsal(workflow, child)
    assert rehearsed.spawn(workflow, {"begin": [5]}).result() == {"done": [5]}
    assert RehearsedInstance(rehearsed, "child").marking() == {"done": ["5"]}
    assert len(refused) == 3


def test_an_inline_handler_cannot_ask_the_engine_it_runs_in() -> None:
    def ask(value: object) -> object:
        rehearsed.spawn("step", {"begin": [value]}, id="other")
        return value

    workflow = step(ask, run="inline")
    rehearsed = Rehearsal(workflow)
    instance = rehearsed.spawn(workflow, {"begin": [1]})
    assert instance.incidents()[0].failures[-1].type == "placet.actors.errors.WaitsForItself"


def test_errors_survive_pickling() -> None:
    for error in (InsideHandler(), NotRehearsed("w"), Restless(3), UnknownTransition("t", ("u", "v"))):
        twin = pickle.loads(pickle.dumps(error))
        assert (type(twin), str(twin)) == (type(error), str(error))


def test_importing_the_tools_brings_no_more_than_a_rehearsal_needs() -> None:
    program = "import sys, placet.testing as t; print(*t.__all__, *sorted(m for m in sys.modules))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    names = answer.stdout.split()
    assert names[:3] == ["Rehearsal", "RehearsedActor", "RehearsedInstance"]
    assert not {"placet.testing.simulate", "placet.testing.probes", "hypothesis", "pytest", "networkx"} & set(names)


# -- people --------------------------------------------------------------------------------------------------------


def approving() -> Workflow:
    workflow = Workflow("approving")
    asked, yes, no, late = workflow.place("asked", type=int), *workflow.places("yes no late")
    workflow.approval("boss", asked, approve=yes, reject=no, roles=["boss"], escalate=late, after_s=3600.0)
    return workflow


def test_tasks_are_offered_decided_and_escalated_in_virtual_time() -> None:
    workflow = approving()
    rehearsal = Rehearsal(workflow)
    instances = [rehearsal.spawn(workflow, {"asked": [number]}) for number in range(3)]
    rehearsal.advance(3599.0)
    rehearsal.crash()
    assert {task.value for task in rehearsal.tasks(role="boss")} == {0, 1, 2}
    assert not list(rehearsal.tasks(role="clerk"))
    first, second, third = (instance.tasks()[0].id for instance in instances)
    instances[0].approve(first, by="eva", roles=["boss"])
    instances[1].reject(second, by="eva", roles=["boss"], value="no")
    rehearsal.advance(1.0)
    assert [instance.result() for instance in instances] == [{"yes": [0]}, {"no": ["no"]}, {"late": [2]}]
    with pytest.raises(RequestRefused, match="its token went another way"):
        instances[2].approve(third, by="eva", roles=["boss"])


def test_tasks_are_claimed_and_tokens_handled_as_those_of_an_instance() -> None:
    workflow = approving()
    rehearsal = Rehearsal(workflow)
    instance = rehearsal.spawn(workflow, {"asked": [1]})
    (task,) = instance.tasks()
    assert task.token is not None
    instance.claim(task.id, by="eva", roles=["boss"])
    with pytest.raises(RequestRefused):
        instance.approve(task.id, by="ben", roles=["boss"])
    instance.unclaim(task.id, by="eva")
    with pytest.raises(WrongType):
        instance.edit_token(task.token, "two", by="eva")
    assert not instance.edit_token(task.token, 2, by="eva", request_id="once").already
    assert instance.edit_token(task.token, 3, by="eva", request_id="once").already
    instance.freeze_token(task.token, by="eva")
    assert not instance.tasks()
    instance.thaw_token(task.token, by="eva")
    instance.inject("no", "text", by="eva")
    (injected,) = instance.tokens()["no"]
    with pytest.raises(WrongType):
        instance.move_token(injected, "asked", by="eva")
    instance.drop_token(injected, by="eva")
    instance.move_token(task.token, "yes", by="eva")
    assert instance.result() == {"yes": [2]}


def test_an_instance_has_the_same_verbs_wherever_it_is() -> None:
    verbs = {**vars(PartVerbs), **vars(Verbs)}
    told = {name for name, verb in verbs.items() if inspect.isfunction(verb) and name[0] != "_"}
    assert {"approve", "put", "pause", "retry", "tell"} <= told
    own = {kind.__name__: told & set(vars(kind)) for kind in (Instance, RemoteInstance, RehearsedInstance)}
    assert own == {"Instance": set(), "RemoteInstance": set(), "RehearsedInstance": {"tell"}}
