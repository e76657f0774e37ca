"""What two engines say to each other about errands: handlers that one of them has run by the other.

`sender` and `host` are incarnations: what is meant for a process that is gone is for nobody. All may be lost, doubled
and late: `errand_sender.py` and `errand_host.py` are made for that.
"""

from typing import TypeAlias

import msgspec

from placet.actors.credit import NONE_FULL
from placet.actors.messages import ExecutorMessage
from placet.petri.requirement import Capability


class Step(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A transition, as far as its handler's values go; the handler itself is known to the host by workflow and path."""

    workflow: str
    version: str
    path: str
    run: str  # what it runs on, such as "thread"
    arguments: tuple[tuple[int, int], ...]  # (place, weight)
    outputs: tuple[tuple[int, int], ...]  # likewise
    output_names: tuple[str, ...]
    choice: bool
    tags: tuple[str, ...]


class Work(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """One attempt of a firing, in plain values."""

    step: Step
    root: bytes
    transition: int
    instance: str
    incarnation: int
    number: int
    attempt: int
    tokens: tuple[tuple[int, int, bytes], ...]
    state: tuple[tuple[str, bytes], ...]
    progress: bytes | None
    full: frozenset[int] = NONE_FULL


class Errand(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all that is said."""

    sender: str
    host: str


# -- to the host ---------------------------------------------------------------------------------------------------


class Round(Errand, frozen=True, kw_only=True):
    """The sender lives, and this is what it wants. Answered by `Report`."""

    floor: int  # every errand below is over for it
    next: int  # it has sent none from this one on
    wanted: tuple[int, ...]  # those at this host that it waits for
    needs: tuple[tuple[str, str], ...]  # (workflow, version) it may have errands of


class Run(Errand, frozen=True, kw_only=True):
    """Do an errand. Answered by `Taken` at once, and by `Ended` in the end."""

    number: int  # of the errand, rising with each of this sender
    floor: int
    work: Work


class End(Errand, frozen=True, kw_only=True):
    """An errand is to end: it has had its time, is silent, or is not wanted any more."""

    number: int
    reason: str  # name of an `ExpireReason`


class Settled(Errand, frozen=True, kw_only=True):
    """The answer has come, and need not be kept."""

    number: int


# -- to the sender -------------------------------------------------------------------------------------------------


class Report(Errand, frozen=True, kw_only=True):
    """What a host has, and what it can take on."""

    serial: int  # rises with each: one that comes late is known by it
    capabilities: dict[str, Capability]
    rooms: dict[str, int]  # how many errands more it takes from this sender, by what they run on
    known: tuple[tuple[str, str], ...]  # those of the sender's needs that it has handlers for
    held: tuple[int, ...]  # errands of this sender that it has
    dropped: int  # of those up to this one it has no others: it had not heard of the sender for too long


class Taken(Errand, frozen=True, kw_only=True):
    """The host has an errand."""

    number: int


class Sign(Errand, frozen=True, kw_only=True):
    """The handler of an errand has given a sign of life."""

    number: int
    serial: int
    progress: bytes | None


class Ended(Errand, frozen=True, kw_only=True):
    """What came of an errand; said again and again until it is `Settled`."""

    number: int
    answer: ExecutorMessage


ToHost: TypeAlias = Round | Run | End | Settled
ToSender: TypeAlias = Report | Taken | Sign | Ended
Said: TypeAlias = ToHost | ToSender

encode_said = msgspec.msgpack.Encoder().encode
decode_said = msgspec.msgpack.Decoder(list[Said]).decode
