"""How deep composites may nest: as deep as they are allowed to, they run; deeper is said when they are defined."""

from pathlib import Path

import pytest

from placet import DefinitionError, Runtime, Workflow
from placet.petri.structure import MAX_DEPTH
from tests.runtime.workflows import WAIT_S


def nested(depth: int) -> Workflow:
    """Return a workflow of so many levels, whose only transition is in the innermost."""
    workflow = Workflow("level")
    start, done = workflow.places("start done")
    workflow.transition(start >> done, "move", handler=abs)
    for _ in range(depth - 1):
        outer = Workflow("level")
        outer.places("start done")
        outer.composite("inner", workflow, {"start": "start", "done": "done"})
        workflow = outer
    return workflow


def test_composites_nest_a_hundred_deep(tmp_path: Path) -> None:
    workflow = nested(MAX_DEPTH)
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert runtime.spawn(workflow, {"start": [-1]}, id="one").result(WAIT_S) == {"done": [1]}
    with Runtime(tmp_path / "state", [workflow]) as runtime:
        assert runtime.instance("one").result(WAIT_S) == {"done": [1]}
        assert runtime.spawn(workflow, {"start": [-2]}).result(WAIT_S) == {"done": [2]}


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1_000])
def test_composites_that_nest_deeper_are_refused_with_the_limit(depth: int) -> None:
    with pytest.raises(DefinitionError, match=f"composites nest {depth} deep, 100 is the limit"):
        nested(depth).definition()
