"""One-step workflows for the executors' tests, and what became of their firings."""

from collections import Counter
from collections.abc import Callable

from placet import Instance, Retry, Workflow

PATIENCE_S = 60.0  # a bound for what takes a second or two


def one_step(
    handler: Callable[..., object],
    run: str | None = None,
    *,
    timeout_s: float | None = None,
    retry: Retry | None = None,
) -> Workflow:
    """Return a workflow with one transition, `step`, from place `start` to place `done`."""
    workflow = Workflow("one_step")
    start, done = workflow.places("start done")
    workflow.transition(start >> done, "step", handler=handler, run=run, timeout_s=timeout_s, retry=retry)
    return workflow


def kinds(instance: Instance) -> Counter[str]:
    """Return how many records of each kind the history of an instance has."""
    return Counter(record.kind for _, record in instance.history())


def failure(instance: Instance) -> tuple[str, str]:
    """Wait for an incident and return type and message of the failure behind it."""
    instance.wait_until(["incident"], PATIENCE_S)
    [incident] = instance.view().incidents
    return incident.failures[-1].type, incident.failures[-1].message
