"""An intervention with no engine: the state is opened, the message handled and committed, and no handler started."""

from pathlib import Path

import msgspec

from placet.actors.addressee import Addressee
from placet.actors.answers import Answer, Receipt, RefusalCode, Refused
from placet.actors.catalog import Catalog
from placet.actors.clock import EngineClock, wall_s
from placet.actors.control.answer import Face, receipt_face
from placet.actors.control.request import PersonalRequests, to_message
from placet.actors.errors import NotFound, RequestRefused
from placet.actors.kernel import Kernel
from placet.actors.messages import ClientMessage
from placet.actors.reader import StateReader
from placet.persistence.directory import DATA
from placet.persistence.errors import StateMissing
from placet.persistence.state import open_state
from placet.persistence.store import Store


def visit(directory: Path, request: PersonalRequests) -> Face:
    """Carry out an intervention on a state that no engine has.

    What was in flight when the last engine ended is left for the next one to count. Raises `StoreInUse` when there
    is an engine, `NotFound`, `RequestRefused`, `StoreFull`, and the other errors of `open_state`.
    """
    if not (directory / DATA).exists():
        raise StateMissing(str(directory))
    state = open_state(directory)
    try:
        reader = StateReader(state.store)
        receipt = accepted(
            request.instance,
            carry_out(state.store, to_message(request, reader, lambda instance: Addressee.of(instance, reader, {}))),
        )
        return receipt_face(receipt, reader)
    finally:
        state.close()


def carry_out(store: Store, message: ClientMessage) -> Answer:
    """Handle and commit one message of a person, with a kernel that knows no handlers."""
    kernel = Kernel(store, Catalog(), visiting=True)
    now = EngineClock(kernel.stamp).now()
    kernel.deliver(msgspec.structs.replace(message, reply=1))
    answers: list[Answer] = []
    while True:
        batch = kernel.run(now, wall=wall_s())
        if batch.writes:
            store.commit(batch.writes)
        kernel.committed()
        answers += [reply.answer for reply in batch.replies]
        if not kernel.has_work:
            return answers[0]


def accepted(instance: str, answer: Answer) -> Receipt:
    """Return the receipt. Raises `NotFound` and `RequestRefused`."""
    match answer:
        case Receipt():
            return answer
        case Refused(code=RefusalCode.NOT_FOUND, reason=reason):
            raise NotFound(instance, reason)
        case Refused(code=code, reason=reason, by=by, at=at):
            raise RequestRefused(instance, reason, code, by, at)
        case _:
            raise AssertionError(answer)
