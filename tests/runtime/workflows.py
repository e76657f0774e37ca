"""Small workflows and a way to hold their handlers, for tests of the runtime."""

import threading

from placet import Retry, Workflow

WAIT_S = 20.0  # a bound for what takes milliseconds


class Gate:
    """Holds handlers until it is opened, and says when one has come to it."""

    def __init__(self) -> None:
        self._reached = threading.Semaphore(0)
        self._open = threading.Event()

    def pass_through(self) -> None:
        """Wait in a handler."""
        self._reached.release()
        assert self._open.wait(WAIT_S), "nobody opened the gate"

    def wait_reached(self) -> None:
        """Wait in the test until a handler is at the gate."""
        assert self._reached.acquire(timeout=WAIT_S), "no handler came to the gate"

    def open(self) -> None:
        """Let everybody through, from now on."""
        self._open.set()


def doubling() -> Workflow:
    workflow = Workflow("doubling")
    start, doubled, done = workflow.places("start doubled done")

    @workflow.transition(start >> doubled)
    def double(number: int) -> int:
        return 2 * number

    @workflow.transition(doubled >> done, run="inline")
    def increment(number: int) -> int:
        return number + 1

    return workflow


def gated(gate: Gate) -> Workflow:
    workflow = Workflow("gated")
    start, held, done = workflow.places("start held done")

    @workflow.transition(start >> held)
    def hold(value: object) -> object:
        gate.pass_through()
        return value

    workflow.transition(held >> done, "finish")
    return workflow


def failing(failures: list[str], *, attempts: int = 1) -> Workflow:
    """Return a workflow whose only transition raises as long as there is a text in `failures`, and takes it out."""
    workflow = Workflow("failing")
    start, done = workflow.places("start done")

    @workflow.transition(start >> done, retry=Retry(attempts=attempts, first_s=0.001))
    def work(value: object) -> object:
        if failures:
            raise ValueError(failures.pop(0))
        return value

    return workflow
