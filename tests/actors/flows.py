"""Small workflows for tests of the kernel."""

from collections.abc import Callable

from placet.petri.expression import PlaceRef
from placet.petri.workflow import Workflow
from placet.supervision.retry import Retry


def same(value: object) -> object:
    """Return what was given."""
    return value


def chain(steps: int, *, run: str = "thread", name: str = "chain") -> Workflow:
    """Return a workflow of `steps` steps from `p0` to `p{steps}`."""
    workflow = Workflow(name)
    before = workflow.place("p0")
    for number in range(1, steps + 1):
        after = workflow.place(f"p{number}")
        workflow.transition(before >> after, f"t{number}", handler=same, run=run)
        before = after
    return workflow


def single(
    *,
    retry: Retry | None = None,
    timeout_s: float | None = None,
    run: str = "thread",
    handler: Callable[..., object] = same,
    guard: Callable[[object], object] | None = None,
) -> Workflow:
    """Return a workflow with one step `t` from `a` to `b`."""
    workflow = Workflow("single")
    a, b = workflow.places("a b")
    workflow.transition(a >> b, "t", handler=handler, retry=retry, timeout_s=timeout_s, run=run, guard=guard)
    return workflow


def join() -> tuple[Workflow, PlaceRef, PlaceRef]:
    """Return a workflow that joins `left` (two tokens) and `right` (one) to `c`, and its inputs."""
    workflow = Workflow("join")
    left, right, c = workflow.places("left right c")
    workflow.transition((left * 2 & right) >> c, "meet", handler=gather)
    return workflow, left, right


def gather(*values: object) -> object:
    """Return all that was given."""
    return values
