"""Which executors an engine gets, and with which bounds."""

from pathlib import Path

import pytest

from placet import Context, DefinitionError, NotCompleted, Runtime, Workflow
from placet.actors.executors.roster import Bounds, processors
from placet.actors.runtime import client_of
from placet.petri.validation import EXECUTORS
from placet.testing import Rehearsal
from tests.executors.flows import PATIENCE_S, one_step
from tests.executors.handlers import doubled, echo


@pytest.mark.parametrize("run", [name for name in EXECUTORS if name not in ("inline", "async")])
def test_an_executor_is_there_where_a_workflow_names_it(run: str, tmp_path: Path) -> None:
    workflow = one_step(echo if not run.startswith("parallel") else doubled, run)
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        assert set(client_of(runtime).engine.executors) == {"thread", run}
        value = [1, 2] if run.startswith("parallel") else "text"
        expected = [2, 4] if run.startswith("parallel") else "text"
        assert runtime.spawn(workflow, {"start": [value]}).result(PATIENCE_S) == {"done": [expected]}


def test_bounds_are_at_least_one_and_there_is_a_worker_a_processor() -> None:
    assert Bounds().workers == processors() >= 1
    assert Bounds(processes=3).workers == 3
    for bounds in ({"threads": 0}, {"processes": -1}, {"concurrency": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(bounds))} must be >= 1"):
            Bounds(**bounds)


def test_a_bound_that_is_none_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="threads must be >= 1"):
        Runtime(tmp_path / "state", threads=0)
    assert not (tmp_path / "state").exists()


def test_an_async_def_and_its_executor_go_together() -> None:
    async def step(value: int) -> int:
        return value

    async def items(value: int) -> object:
        yield value

    for run in EXECUTORS:
        if run != "async":
            with pytest.raises(DefinitionError, match=f"is an `async def`, which run='{run}' cannot run; leave `run`"):
                one_step(step, run)
    with pytest.raises(DefinitionError, match="is a plain `def`, which would hold up all others of run='async'"):
        one_step(echo, "async")
    with pytest.raises(DefinitionError, match="is a generator; return the values instead"):
        one_step(items)


def test_an_object_with_an_async_call_is_an_async_handler(tmp_path: Path) -> None:
    class Step:
        async def __call__(self, value: int) -> int:
            return value + 1

    workflow = one_step(Step())
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert runtime.spawn(workflow, {"start": [1]}).result(PATIENCE_S) == {"done": [2]}


def test_what_a_parallel_handler_is_annotated_to_return_is_an_item() -> None:
    workflow = Workflow("typed")
    start = workflow.place("start", type=list)
    done = workflow.place("done", type=list)
    workflow.transition(start >> done, handler=doubled, run="parallel")
    assert workflow.definition().behaviours["doubled"].run == "parallel"


def test_a_rehearsal_runs_handlers_of_every_executor() -> None:
    async def later(value: object) -> object:
        return value

    def twice(value: int, context: Context) -> tuple[int, int | None]:
        return value * 2, context.item

    for run in EXECUTORS:
        is_parallel = run.startswith("parallel")
        workflow = one_step(twice if is_parallel else later if run == "async" else echo, run)
        rehearsal = Rehearsal(workflow)
        instance = rehearsal.spawn(workflow, {"start": [[5, 6]]})
        rehearsal.run()
        assert instance.result() == {"done": [[(10, 0), (12, 1)] if is_parallel else [5, 6]]}


def test_a_rehearsed_list_that_is_none_is_a_failure() -> None:
    workflow = one_step(doubled, "parallel")
    rehearsal = Rehearsal(workflow)
    instance = rehearsal.spawn(workflow, {"start": [1]})
    rehearsal.run()
    with pytest.raises(NotCompleted, match="takes a list as its first argument"):
        instance.result()
