"""The workflows of the sleeping: what waits for a time, for a token, or for a person."""

from placet import Retry, Workflow

DAY_S = 86_400.0

welcome: set[int] = set()  # values that `refuse` lets pass


def refuse(value: int) -> int:
    """Fail until the value is welcome."""
    if value not in welcome:
        raise ConnectionError("not today")
    return value


def timed(name: str, delay_s: float) -> Workflow:
    """Return a workflow whose only step fails and is tried again after a time."""
    workflow = Workflow(name)
    start, end = workflow.places("start end")
    retry = Retry(attempts=1_000_000, first_s=delay_s, factor=1.0, most_s=delay_s, jitter=0.0)
    workflow.transition(start >> end, "refuse", handler=refuse, retry=retry)
    return workflow


def lacking() -> Workflow:
    """Return a workflow that needs two tokens and is given one: it is stuck."""
    workflow = Workflow("lacking")
    first, second, end = workflow.places("first second end")
    workflow.transition((first & second) >> end, "meet", handler=max)
    return workflow


TOMORROW, SOON = timed("tomorrow", DAY_S), timed("soon", 0.05)
LACKING = lacking()
WORKFLOWS = (TOMORROW, SOON, LACKING)
