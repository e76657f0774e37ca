"""What nodes and the coordinator's desk send each other: frozen values, safe to repeat, to lose and to reorder.

`client` names one process that asks, for ever; `desk` is the opening of the coordinator that a request is meant for.
"""

from typing import TypeAlias

import msgspec

from placet.net.coordinator import Change, Changed, Condition, Outcome, Snapshot


class ToDesk(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of what a node sends. Answered by `Greeted`, and not looked at, where the desk is another one."""

    client: str
    desk: int  # 0: not known yet


class Numbered(ToDesk, frozen=True, kw_only=True):
    """Base of requests with one answer, which has their number."""

    number: int
    answered: int = 0  # the client wants no answer any more to requests below this one


class Transact(Numbered, frozen=True, kw_only=True):
    """See `Coordinator.transact`. Answered by `Transacted` or `LeaseLost`."""

    conditions: tuple[Condition, ...]
    changes: tuple[Change, ...]


class ReadKeys(Numbered, frozen=True, kw_only=True):
    """See `Coordinator.read`. Answered by `KeysRead`."""

    prefix: str


class GrantLease(Numbered, frozen=True, kw_only=True):
    """See `Coordinator.grant`. Answered by `Granted`."""

    ttl_s: float


class KeepAlive(Numbered, frozen=True, kw_only=True):
    """See `Coordinator.keep_alive`. Answered by `KeptAlive`."""

    lease: int


class RevokeLease(Numbered, frozen=True, kw_only=True):
    """See `Coordinator.revoke`. Answered by `Revoked`."""

    lease: int


class Follow(ToDesk, frozen=True, kw_only=True):
    """Tell what changes after a revision, for a while; to be repeated. Answered by `Followed`, often, or `TooOld`."""

    watch: int
    prefix: str
    after: int


class Unfollow(ToDesk, frozen=True, kw_only=True):
    """Tell no more. Not answered."""

    watch: int


Question: TypeAlias = Transact | ReadKeys | GrantLease | KeepAlive | RevokeLease
CoordinatorRequest: TypeAlias = Question | Follow | Unfollow


class FromDesk(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of what the desk sends."""

    client: str  # whom it is for: another process of its node may have the address by now
    desk: int


class Greeted(FromDesk, frozen=True, kw_only=True):
    """There is another desk than the one a request was meant for."""


class Answered(FromDesk, frozen=True, kw_only=True):
    """Base of answers to numbered requests."""

    number: int


class Transacted(Answered, frozen=True, kw_only=True):
    """What came of a transaction."""

    outcome: Outcome


class KeysRead(Answered, frozen=True, kw_only=True):
    """What was read."""

    snapshot: Snapshot


class Granted(Answered, frozen=True, kw_only=True):
    """The lease that began."""

    lease: int


class KeptAlive(Answered, frozen=True, kw_only=True):
    """Whether the lease is there."""

    is_there: bool


class Revoked(Answered, frozen=True, kw_only=True):
    """The lease is not there any more."""


class LeaseLost(Answered, frozen=True, kw_only=True):
    """Nothing was changed, since this lease is not there."""

    lease: int


class NotDone(Answered, frozen=True, kw_only=True):
    """Nothing was changed, for this reason."""

    reason: str


class Followed(FromDesk, frozen=True, kw_only=True):
    """All that a watch has to hear of the revisions above `after`, up to `revision`."""

    watch: int
    after: int
    revision: int
    changes: tuple[Changed, ...]


class TooOld(FromDesk, frozen=True, kw_only=True):
    """What came after the revision `after` is no longer known."""

    watch: int
    after: int
    revision: int


Answer: TypeAlias = Transacted | KeysRead | Granted | KeptAlive | Revoked | LeaseLost | NotDone
CoordinatorAnswer: TypeAlias = Greeted | Answer | Followed | TooOld

encode_coordination = msgspec.msgpack.Encoder().encode
"""Return a message of either union as bytes."""

decode_request = msgspec.msgpack.Decoder(CoordinatorRequest).decode
"""Return the request in bytes. Raises `msgspec.MsgspecError`."""

decode_answer = msgspec.msgpack.Decoder(CoordinatorAnswer).decode
"""Return the answer in bytes. Raises `msgspec.MsgspecError`."""
