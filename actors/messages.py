"""Everything a kernel can be told: frozen values, each protocol one closed union, handled through a dict by type.

Times are engine seconds. `root` is the 10-byte key prefix of an instance in this engine's store; messages
from people name the instance by its id.
"""

from typing import TypeAlias

import msgspec

from placet.actors.records import Failure


class Message(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Base of all messages."""


# -- from executors: each start is answered exactly once ------------------------------------------------


class RootMessage(Message, frozen=True, gc=False, kw_only=True):
    """Base of what goes to an instance that is known by its root."""

    root: bytes


class ExecutorAnswer(RootMessage, frozen=True, gc=False, kw_only=True):
    """Base of how executors answer a start."""

    transition: int
    number: int
    attempt: int


class Done(ExecutorAnswer, frozen=True, gc=False, kw_only=True):
    """A handler returned. `outputs` holds (position among the transition's outputs, value), one a token."""

    outputs: tuple[tuple[int, bytes], ...]


class Failed(ExecutorAnswer, frozen=True, gc=False, kw_only=True):
    """A handler raised, timed out, or returned what its outputs do not take."""

    failure: Failure
    retry_after_s: float | None = None


class Withdrawn(ExecutorAnswer, frozen=True, gc=False, kw_only=True):
    """A firing was taken back from its executor before its handler began: the attempt does not count."""


# -- from the kernel to its own actors --------------------------------------------------------------------


class Due(RootMessage, frozen=True, gc=False, kw_only=True):
    """The time of a firing has come: its deadline, or its next attempt; with transition -1, that of a token."""

    transition: int
    number: int


class Grant(RootMessage, frozen=True, gc=False, kw_only=True):
    """An executor has free slots, and it is this instance's turn to use some."""


class Recover(RootMessage, frozen=True, gc=False, kw_only=True):
    """The engine has started again: count what was lost with it, and go on."""

    stopped_s: float  # when the engine last stopped cleanly: what ran then does not count as lost


class RunAlone(RootMessage, frozen=True, gc=False, kw_only=True):
    """Nothing else is in flight: a suspected firing may be started."""

    transition: int
    number: int


class Park(RootMessage, frozen=True, gc=False, kw_only=True):
    """Set aside a message that failed every time, with the reason."""

    kind: str
    message: bytes
    failure: Failure
    actor: str
    transition: int = -1
    number: int = 0  # the firing whose result it is
    attempt: int = 0


# -- from clients ------------------------------------------------------------------------------------------


class Request(Message, frozen=True, gc=False, kw_only=True):
    """Base of what clients send: answered once, after commit, through `reply` (0: nobody waits)."""

    instance: str = ""  # filled in by the handle it is sent through
    reply: int = 0


class Spawn(Request, frozen=True, gc=False, kw_only=True):
    """Create an instance, or find the one that has this id and the same inputs."""

    workflow: str
    version: str
    net: bytes  # digest
    tokens: tuple[tuple[int, bytes], ...]  # (place, value)
    inputs: bytes  # fingerprint of the input values: equal for equal values
    incarnation: int


class ActorRequest(Request, frozen=True, gc=False, kw_only=True):
    """Base of what is said to one actor of an instance."""

    path: str = ""  # "" is the workflow actor itself; `fulfil/packed` one below


class Inspect(ActorRequest, frozen=True, gc=False, kw_only=True):
    """Answer with the actor's durable entries, as they are now."""


class Restart(ActorRequest, frozen=True, gc=False, kw_only=True):
    """Drop the actor from memory and bring it back from its durable entries."""


class Sleep(ActorRequest, frozen=True, gc=False, kw_only=True):
    """Put the actor to sleep: it wakes with the next message."""


class Trim(Request, frozen=True, gc=False, kw_only=True):
    """Delete history records of an instance that has others after them; oldest first, so that none is out of reach."""

    records: tuple[int, ...]  # sequence numbers, at most `MOST_TRIMMED`


MOST_TRIMMED = 1_000


class Intervention(Request, frozen=True, gc=False, kw_only=True):
    """Base of what a person sends into a running instance: recorded with `by` and `why`."""

    by: str
    why: str = ""
    request_id: str = ""  # the same id again gets the recorded answer


class Pause(Intervention, frozen=True, gc=False, kw_only=True):
    """Choose nothing new in the instance; results of what is in flight are counted."""


class Resume(Intervention, frozen=True, gc=False, kw_only=True):
    """Undo a pause."""


class Cancel(Intervention, frozen=True, gc=False, kw_only=True):
    """End the instance once what is in flight has answered; its tokens stay where they are."""


class RetryIncident(Intervention, frozen=True, gc=False, kw_only=True):
    """Try a failed firing again, with its attempts counted from the start."""

    incident: int


class SkipIncident(Intervention, frozen=True, gc=False, kw_only=True):
    """Count a failed firing as done with the given outputs."""

    incident: int
    outputs: tuple[tuple[str, bytes], ...]  # (place, value), one a token; place "" is the only output


class FailIncident(Intervention, frozen=True, gc=False, kw_only=True):
    """Give up: the whole instance ends as `failed`."""

    incident: int


ExecutorMessage: TypeAlias = Done | Failed | Withdrawn
InternalMessage: TypeAlias = Due | Grant | Recover | RunAlone | Park
ActorMessage: TypeAlias = Inspect | Restart | Sleep | Trim
InterventionMessage: TypeAlias = Pause | Resume | Cancel | RetryIncident | SkipIncident | FailIncident
ClientMessage: TypeAlias = Spawn | ActorMessage | InterventionMessage
KernelMessage: TypeAlias = ExecutorMessage | InternalMessage | ClientMessage

encode_message = msgspec.msgpack.Encoder().encode
decode_message = msgspec.msgpack.Decoder(KernelMessage).decode
