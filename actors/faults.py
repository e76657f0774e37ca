"""Actor faults: a `receive` that raised. What is to be done, `supervision/faults.py` decides; here is what it takes.

A message that keeps failing is set aside in its instance, where a person can see it; if even that fails, the
instance is left alone until the next start, with a record of the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from placet.actors.effects import StateChanged
from placet.actors.lifecycle import TERMINAL, InstanceState, Intent, check_move
from placet.actors.messages import Done, Failed, KernelMessage, Lost, Park, Request, Withdrawn, encode_message
from placet.actors.records import Failure, Parked, decode_header, encode
from placet.actors.troubles import tell_caller
from placet.actors.turn import Turn
from placet.actors.usercode import failure_of
from placet.persistence.keys import HEADER, PARKED, entry_key
from placet.persistence.store import MAX_VALUE_BYTES
from placet.supervision.faults import FaultVerdict, after_fault

_OUTSIDE = 1 << 63  # numbers an instance never gives out itself
MOST_PARKED_BYTES = MAX_VALUE_BYTES // 2  # of a message that is kept as it is


@dataclass(frozen=True, slots=True)
class Remedy:
    """What is to be done: handle a message next, or set one aside without the help of its instance's actors."""

    again: KernelMessage | None = None
    parked: Parked | None = None


class Faults:
    """When each instance was restarted of late, and which could not be brought back at all."""

    def __init__(self) -> None:
        self.past: dict[bytes, tuple[float, ...]] = {}
        self.broken: dict[bytes, str] = {}  # instances that cannot be brought back -> why

    def may_try_again(self, root: bytes, now: float) -> bool:
        """Count one more fault of an instance that is not there yet; False: it has had its restarts."""
        return self._count(root, now, is_parking=False) is FaultVerdict.RESTART

    def remedy(self, root: bytes, message: KernelMessage, error: Exception, now: float) -> Remedy:
        """Count one more fault of an instance, and return what is to be done about the message whose turn raised."""
        verdict = self._count(root, now, is_parking=isinstance(message, Park))
        if verdict is FaultVerdict.RESTART:
            return Remedy(again=message)
        if not isinstance(message, Park):
            return Remedy(again=_parking(root, message, error))
        self.broken[root] = repr(error)
        parked = Parked(
            number=_OUTSIDE, kind=message.kind, message=message.message, failure=failure_of(error), actor=message.actor
        )
        return Remedy(parked=parked)

    def leave(self, prefix: bytes) -> None:
        """Forget the instances whose root begins so: another engine has them now."""
        for root in [root for root in self.past if root.startswith(prefix)]:
            del self.past[root]
        for root in [root for root in self.broken if root.startswith(prefix)]:
            del self.broken[root]

    def _count(self, root: bytes, now: float, *, is_parking: bool) -> FaultVerdict:
        verdict, past = after_fault(self.past.get(root, ()), now, is_parking=is_parking)
        if past:
            self.past[root] = past
        else:
            self.past.pop(root, None)
        return verdict


def set_aside(turn: Turn, get: Callable[[bytes], bytes | None], parked: Parked) -> None:
    """Note a message beside an instance that is past help, and say so in its header; what has ended stays as it is.

    The instance is marked to be woken at the next start, which may fare better.
    """
    key = entry_key(turn.root, 0, HEADER, 0)
    data = get(key)
    header = decode_header(data) if data else None
    if header is None or header.state in TERMINAL:
        return
    while get(entry_key(turn.root, 0, PARKED, parked.number)) is not None:
        parked.number += 1
    turn.put(entry_key(turn.root, 0, PARKED, parked.number), encode(parked))
    header.awake = True
    if header.intent is Intent.RUN and header.state is not InstanceState.INCIDENT:
        check_move(header.state, InstanceState.INCIDENT)
        header.state, header.changed_at = InstanceState.INCIDENT, turn.now
        tell_caller(header, turn)
        turn.rare().changes.append(
            StateChanged(instance=header.instance, root=turn.root, state=header.state.value, at=turn.now)
        )
    turn.put(key, encode(header))


def _parking(root: bytes, message: KernelMessage, error: Exception) -> Park:
    transition, number, attempt = -1, 0, 0
    if isinstance(message, (Done, Failed, Withdrawn, Lost)):
        transition, number, attempt = message.transition, message.number, message.attempt
    elif isinstance(message, Request):
        message = msgspec.structs.replace(message, reply=0)  # its client is told now, and only once
    kind, encoded = type(message).__name__, encode_message(message)
    if isinstance(message, Done) and len(encoded) > MOST_PARKED_BYTES:  # no entry holds it, and its firing is kept
        problem = f"its result of {len(encoded)} bytes could not be counted, and is too large to be kept"
        encoded = encode_message(
            Failed(
                root=root,
                transition=transition,
                number=number,
                attempt=attempt,
                failure=Failure(type="ValueTooLarge", message=problem),
            )
        )
    return Park(
        root=root,
        kind=kind,
        message=encoded,
        failure=failure_of(error, at=0.0),
        actor=faulty_actor(error),
        transition=transition,
        number=number,
        attempt=attempt,
    )


def faulty_actor(error: BaseException) -> str:
    """Return the path of the innermost actor in whose code an error was raised; "" is the workflow actor."""
    path = ""
    trace = error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        plan = getattr(owner, "plan", None)
        found = getattr(plan, "path", None)
        if isinstance(found, str):
            path = found
        trace = trace.tb_next
    return path
