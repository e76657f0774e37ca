"""Everything a kernel can be told: frozen values, each protocol one closed union, handled through a dict by type.

Times are engine seconds. `root` is the 10-byte key prefix of an instance in this engine's store; messages
from people name the instance by its id.
"""

from typing import TypeAlias

import msgspec

from placet.actors.records import Caller, Condition, Failure
from placet.persistence.store import MAX_VALUE_BYTES


class Message(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Base of all messages."""


class StatePut(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A change of an instance's state: `value` None deletes. `compares`: only where it is `expected` so far."""

    name: str
    value: bytes | None
    compares: bool = False
    expected: bytes | None = None


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
    puts: tuple[StatePut, ...] = ()  # what becomes of the instance's state, if the result counts
    sent: tuple[bytes, ...] = ()  # messages to other instances, if the result counts: `encode_message` of a `Delivery`


class Failed(ExecutorAnswer, frozen=True, gc=False, kw_only=True):
    """A handler raised, timed out, or returned what its outputs do not take."""

    failure: Failure
    retry_after_s: float | None = None


class Withdrawn(ExecutorAnswer, frozen=True, gc=False, kw_only=True):
    """A firing was taken back from its executor before its handler began: the attempt does not count."""


class Lost(ExecutorAnswer, frozen=True, gc=False, kw_only=True):
    """An attempt that ran on another host will not be answered: what became of its handler nobody knows.

    `clean`: that host stopped cleanly, and the loss does not count.
    """

    reason: str
    clean: bool = False


class Beat(RootMessage, frozen=True, gc=False, kw_only=True):
    """A handler is alive: no answer, and dropped if its attempt is over."""

    transition: int
    number: int
    attempt: int
    progress: bytes | None = None  # encoded; None: it says no more than that


# -- from the kernel to its own actors --------------------------------------------------------------------


class Due(RootMessage, frozen=True, gc=False, kw_only=True):
    """The time of a firing (of its attempt, its silence, its back-off) has come, or that of a token."""

    transition: int  # `timers.OF_A_TOKEN` or `OF_A_SCHEDULE` for a token's
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


class CalledAgain(RootMessage, frozen=True, gc=False, kw_only=True):
    """The call that began this instance has come once more: its caller may not know how it is, or has ended."""


class Park(RootMessage, frozen=True, gc=False, kw_only=True):
    """Park a message that failed every time, with the reason."""

    kind: str
    message: bytes
    failure: Failure
    actor: str
    transition: int = -1
    number: int = 0  # the firing whose result it is
    attempt: int = 0
    sent: int = 0  # its number in the outbox, where it came from another instance


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
    caller: Caller | None = None  # whom it returns to


class Import(Request, frozen=True, gc=False, kw_only=True):
    """Create an instance out of an exported one, paused; the same incarnation again finds the one it created."""

    origin: str  # the id it had
    net: bytes  # digest
    stored_net: bytes
    entries: tuple[tuple[bytes, bytes], ...]  # (key below the root, value), in the order of keys
    records: tuple[bytes, ...]  # history, oldest first
    incarnation: int
    engine_s: float  # engine time at which it was exported
    age_s: float  # how long ago that was
    by: str
    why: str = ""


class SpawnNamed(Request, frozen=True, gc=False, kw_only=True):
    """Create an instance of whatever this process has registered under a name: what handlers ask for."""

    workflow: str
    tokens: tuple[tuple[str, bytes], ...]  # (place, value)
    inputs: bytes  # as in `Spawn`
    incarnation: int


class Call(Request, frozen=True, gc=False, kw_only=True):
    """Create a child instance for a firing of another instance, which waits for its `Return`."""

    workflow: str
    caller: Caller
    entries: tuple[str, ...]  # the place for each argument; empty: the entries as declared
    arguments: tuple[tuple[bytes, ...], ...]  # values of the tokens, an argument each
    incarnation: int


class Return(Request, frozen=True, gc=False, kw_only=True):
    """A child has ended, or could not begin: `instance` is its parent."""

    transition: int
    number: int
    attempt: int
    child: str
    inputs: bytes  # a digest of the call, as `Spawn` has it
    exits: tuple[tuple[str, tuple[bytes, ...]], ...] = ()  # (place, values) of all its exits, as declared
    failure: Failure | None = None  # it did not complete


class Trouble(Request, frozen=True, gc=False, kw_only=True):
    """A child has come to need a person, or needs nobody any more: `instance` is its parent."""

    transition: int
    number: int
    attempt: int
    child: str
    condition: Condition


class Undelivered(Request, frozen=True, gc=False, kw_only=True):
    """A message that `instance` sent to another one has had no effect."""

    target: str
    kind: str
    reason: str


class Watch(Request, frozen=True, gc=False, kw_only=True):
    """Put a `Terminated` into a place of `watcher` when this instance has ended, or at once where it has."""

    watcher: str
    place: str


class CallAgain(Request, frozen=True, gc=False, kw_only=True):
    """Say those calls again whose children live in `shards`, or all: shards were brought back from a backup, and calls
    or their answers may be gone with what happened after it was made.
    """

    shards: tuple[int, ...] = ()  # empty: all


class Schedule(Request, frozen=True, gc=False, kw_only=True):
    """Put a token into a place that is fed from outside, later; of one name there is one, the latest."""

    place: str
    value: bytes  # at most `MOST_SCHEDULED_BYTES`
    after_s: float
    timer: str  # its name
    by: str


class Unschedule(Request, frozen=True, gc=False, kw_only=True):
    """Put no token for the timer of that name."""

    timer: str


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
MOST_MESSAGE_BYTES = MAX_VALUE_BYTES - (1 << 20)  # of what one instance sends to another: its envelope needs some room
MOST_SCHEDULED_BYTES = 65_536
MOST_PROGRESS_BYTES = 16_384  # it is written with each change of its firing


class Intervention(Request, frozen=True, gc=False, kw_only=True):
    """Base of what a person sends into a running instance: recorded with `by` and `why`."""

    by: str
    why: str = ""
    request_id: str = ""  # the same id again gets the recorded answer


class Pause(Intervention, frozen=True, gc=False, kw_only=True):
    """Choose nothing new in the instance; results of what is in flight are counted.

    `target` narrows it to a place, a transition, a composite, or `#tag`: every node with that tag.
    """

    target: str = ""


class Resume(Intervention, frozen=True, gc=False, kw_only=True):
    """Undo a pause of the same target."""

    target: str = ""


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


class Put(Intervention, frozen=True, gc=False, kw_only=True):
    """Put a token into a place that is fed from outside; programs need not say who and why."""

    by: str = ""
    place: str
    value: bytes


class Inject(Intervention, frozen=True, gc=False, kw_only=True):
    """Put a token into any place."""

    place: str
    value: bytes


class PlaceTokens(msgspec.Struct, array_like=True, frozen=True, gc=False, kw_only=True):
    """Tokens for one place."""

    place: str
    values: tuple[bytes, ...]  # oldest first
    frozen: tuple[int, ...] = ()  # positions in `values` of those that nothing may take until they are thawed


class ImportTokens(Intervention, frozen=True, gc=False, kw_only=True):
    """Put the tokens of an exported place, or of all places of a composite, into those of these paths: all or none."""

    places: tuple[PlaceTokens, ...]
    origin: str  # id of the instance they were exported from


class TokenIntervention(Intervention, frozen=True, gc=False, kw_only=True):
    """Base of what is done to one free token; one that was taken meanwhile is left alone, with the reason."""

    token: int


class EditToken(TokenIntervention, frozen=True, gc=False, kw_only=True):
    """Give a token another value; it keeps its age."""

    value: bytes


class MoveToken(TokenIntervention, frozen=True, gc=False, kw_only=True):
    """Put a token into another place; it keeps its age."""

    place: str


class DropToken(TokenIntervention, frozen=True, gc=False, kw_only=True):
    """Remove a token for good."""


class FreezeToken(TokenIntervention, frozen=True, gc=False, kw_only=True):
    """Let nothing take a token until it is thawed."""


class ThawToken(TokenIntervention, frozen=True, gc=False, kw_only=True):
    """Let a frozen token be taken again."""


class TaskIntervention(Intervention, frozen=True, gc=False, kw_only=True):
    """Base of what people do with a task; `roles` are those of the person."""

    task: int
    roles: tuple[str, ...] = ()


class Decide(TaskIntervention, frozen=True, gc=False, kw_only=True):
    """Complete a task: its token is taken and the transition fires, in one.

    `output` is the place a choice gives to, "" where there is none to make; `outputs` holds (place, value), and without
    it every output gets the token's own value.
    """

    output: str = ""
    outputs: tuple[tuple[str, bytes], ...] = ()


class Claim(TaskIntervention, frozen=True, gc=False, kw_only=True):
    """Keep a task for oneself: nobody else may decide it."""


class Unclaim(TaskIntervention, frozen=True, gc=False, kw_only=True):
    """Give a claimed task back to everybody; anyone may do so."""


class Sent(Message, frozen=True, gc=False, kw_only=True):
    """A message of one instance to another, on disk from the result that sent it until it has had its effect."""

    instance: str  # its target
    entry: int  # its number in the outbox
    sender: str  # id of the instance that sent it
    message: bytes  # a `Delivery`


ChannelKey: TypeAlias = tuple[int, int]  # (shard of the sender, shard of the target)


class Parcel(Message, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A message from a shard of one engine to a shard of another; the numbers of a channel have no gaps.

    Those of its ends that were ever restored from a backup have an era each: what is of an earlier one is for nobody.
    """

    channel: ChannelKey
    number: int
    instance: str  # its target
    sender: str
    message: bytes  # a `Delivery`
    sender_era: int = 0
    target_era: int = 0  # as its sender knows
    oldest: int = 0  # number of the first that nobody has acknowledged; only of use where there is an era


class Acknowledged(Message, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The engine of the channel's target has all parcels up to `number` of these eras on disk."""

    channel: ChannelKey
    number: int
    sender_era: int = 0
    target_era: int = 0


ExecutorMessage: TypeAlias = Done | Failed | Withdrawn | Lost
InternalMessage: TypeAlias = Due | Grant | Recover | RunAlone | CalledAgain | Park
ActorMessage: TypeAlias = Inspect | Restart | Sleep | Trim
IncidentMessage: TypeAlias = RetryIncident | SkipIncident | FailIncident
TokenMessage: TypeAlias = Inject | EditToken | MoveToken | DropToken | FreezeToken | ThawToken
TaskMessage: TypeAlias = Decide | Claim | Unclaim
PlainMessage: TypeAlias = Pause | Resume | Cancel | IncidentMessage | MoveToken | DropToken | FreezeToken | ThawToken
InterventionMessage: TypeAlias = (
    Put | ImportTokens | Pause | Resume | Cancel | IncidentMessage | TokenMessage | TaskMessage
)
FirstMessage: TypeAlias = Spawn | Import  # what an instance begins with: there is none yet to receive it
ClientMessage: TypeAlias = FirstMessage | ActorMessage | InterventionMessage
PostedMessage: TypeAlias = (  # between instances alone
    Return | Trouble | Undelivered | Watch | Schedule | Unschedule | CallAgain
)
KernelMessage: TypeAlias = ExecutorMessage | Beat | InternalMessage | ClientMessage | PostedMessage | Sent

encode_message = msgspec.msgpack.Encoder().encode
decode_message = msgspec.msgpack.Decoder(KernelMessage).decode
decode_parcel = msgspec.msgpack.Decoder(Parcel).decode

Delivery: TypeAlias = SpawnNamed | Call | PostedMessage | InterventionMessage
decode_delivery = msgspec.msgpack.Decoder(Delivery).decode
