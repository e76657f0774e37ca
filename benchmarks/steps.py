"""The workflow that most figures are about: ten steps one after the other that do nothing."""

from placet import Retry, Workflow

STEPS = 10


def step(value: int) -> int:
    """Return what it is given: all the time goes into Placet."""
    return value


async def async_step(value: int) -> int:
    """Return what it is given, on an event loop."""
    return value


def is_valid(value: int) -> bool:
    """Guard every step: true for every value there is."""
    return value >= 0


def ten_steps(
    name: str, run: str, *, is_guarded: bool = True, retry: Retry | None = None, timeout_s: float | None = None
) -> Workflow:
    """Return a workflow of ten steps from place `p0` to `p10`, with the policies given on each."""
    workflow = Workflow(name)
    places = [workflow.place(f"p{number}") for number in range(STEPS + 1)]
    for number in range(STEPS):
        workflow.transition(
            places[number] >> places[number + 1],
            f"step_{number}",
            handler=async_step if run == "async" else step,
            guard=is_valid if is_guarded else None,
            run=run,
            retry=retry,
            timeout_s=timeout_s,
        )
    return workflow
