"""The side of errands that does them: each of them once, and its answer is said until the sender has it.

No socket, no clock and no handler in here: messages, answers and the time come in, messages and orders go out. For one
thread.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from placet.actors.effects import ExpireReason
from placet.actors.messages import ExecutorMessage, Lost, Withdrawn
from placet.net.errand_messages import End, Ended, Report, Round, Run, Settled, Sign, Taken, ToHost, ToSender, Work
from placet.net.errand_sender import AGAIN_S, LEASE_S, PAUSED_S
from placet.petri.requirement import Capability

MOST_GONE: Final = 10_000  # senders that are remembered


class ErrandKey(NamedTuple):
    """What names an errand at a host."""

    sender: str
    number: int


class Workshop(Protocol):
    """Runs handlers for the host; answers come back through `ErrandHost.answered`, once for each that began."""

    def knows(self, workflow: str, version: str) -> bool:
        """Return whether handlers of a workflow are here."""
        ...

    def rooms(self) -> Mapping[str, int]:
        """Return how many handlers run at once, by what they run on."""
        ...

    def begin(self, key: ErrandKey, work: Work) -> None:
        """Run a handler."""
        ...

    def end(self, key: ErrandKey, reason: ExpireReason) -> None:
        """Have a handler end, as `Executor.expire` does."""
        ...


@dataclass(slots=True, kw_only=True)
class _Held:
    """An errand of a sender; what it has settled is kept as long as it may come again."""

    work: Work | None  # None: it is settled
    answer: ExecutorMessage | None = None  # None: it runs
    said_s: float = 0.0  # when the answer was said last
    signs: int = 0
    is_unwanted: bool = False


@dataclass(slots=True, kw_only=True)
class _Guest:
    """A sender."""

    heard_s: float
    floor: int = 0  # errands below are over
    highest: int = 0
    dropped: int = 0  # up to this one all are: it had not been heard of for too long
    has_needs: bool = False
    held: dict[int, _Held] = field(default_factory=dict[int, _Held])


class ErrandHost:
    """What the engine `name`, an incarnation, does for others."""

    def __init__(
        self,
        name: str,
        now_s: float,
        *,
        send: Callable[[str, ToSender], None],
        workshop: Workshop,
        capabilities: Mapping[str, Capability],
        lease_s: float = LEASE_S,
    ) -> None:
        self.name = name
        self._send = send
        self._workshop = workshop
        self._capabilities = dict(capabilities)
        self._lease_s = lease_s
        self._ticked_s = now_s
        self._serial = 0
        self._guests: dict[str, _Guest] = {}
        self._gone: dict[str, None] = {}  # senders that have ended, the oldest first: what comes of them comes late
        self._running: Counter[str] = Counter()  # handlers, wanted or not, by what they run on
        self._begun: dict[ErrandKey, str] = {}  # and which they are
        self.is_closed = False  # it takes no more

    # -- messages --------------------------------------------------------------------------------------------------

    def receive(self, message: ToHost, now_s: float) -> None:
        """Take what a sender says; what is for another process than this one is left alone."""
        if message.host != self.name or message.sender in self._gone:
            return
        guest = self._guests.setdefault(message.sender, _Guest(heard_s=now_s))
        guest.heard_s = max(guest.heard_s, now_s)
        match message:
            case Round():
                self._look_round(guest, message)
            case Run():
                self._raise_floor(guest, message.floor)
                self._run(guest, message, now_s)
            case End():
                held = guest.held.get(message.number)
                if held is not None and held.answer is None and held.work is not None:
                    self._workshop.end(ErrandKey(message.sender, message.number), ExpireReason[message.reason])
            case Settled():
                self._settled(guest, message.number)

    def _look_round(self, guest: _Guest, message: Round) -> None:
        self._raise_floor(guest, message.floor)
        guest.has_needs = bool(message.needs)
        wanted = frozenset(message.wanted)
        for number, held in guest.held.items():
            if number < message.next and number not in wanted:
                self._end_unwanted(ErrandKey(message.sender, number), held)
        self._report(message.sender, guest, message.needs)

    def _report(self, sender: str, guest: _Guest, needs: tuple[tuple[str, str], ...]) -> None:
        """Tell a sender what is here; one that stops has nothing any more."""
        self._serial += 1
        report = Report(
            sender=sender,
            host=self.name,
            serial=self._serial,
            capabilities={} if self.is_closed else self._capabilities,
            rooms=self._rooms(),
            known=tuple(need for need in needs if not self.is_closed and self._workshop.knows(*need)),
            held=tuple(number for number, held in guest.held.items() if held.work is not None),
            dropped=guest.dropped,
        )
        self._send(sender, report)

    def _end_unwanted(self, key: ErrandKey, held: _Held) -> None:
        """Have a handler end that nobody waits for; it is told so once."""
        if held.work is not None and held.answer is None and not held.is_unwanted:
            held.is_unwanted = True
            self._workshop.end(key, ExpireReason.CANCELLED)

    def _rooms(self) -> dict[str, int]:
        """Return a sender's share of what is free: one place at least, where there is any."""
        if self.is_closed:
            return {}
        guests = max(1, sum(guest.has_needs for guest in self._guests.values()))
        free = {run: capacity - self._running[run] for run, capacity in self._workshop.rooms().items()}
        return {run: max(1, count // guests) for run, count in free.items() if count > 0}

    def _run(self, guest: _Guest, message: Run, now_s: float) -> None:
        key, held = ErrandKey(message.sender, message.number), guest.held.get(message.number)
        if held is not None:
            if held.answer is not None:
                self._say(key, held, now_s)
            elif held.work is not None:
                self._send(key.sender, Taken(sender=key.sender, host=self.name, number=key.number))
            return
        if message.number < guest.floor:
            return  # it came late, of an errand that is over
        held = guest.held[key.number] = _Held(work=message.work)
        guest.highest = max(guest.highest, key.number)
        if key.number <= guest.dropped:
            self._answer(key, held, self._dropped(message.work), now_s)
            return
        step = message.work.step
        has_room = self._workshop.rooms().get(step.run, 0) > self._running[step.run]
        if self.is_closed or not has_room or not self._workshop.knows(step.workflow, step.version):
            self._answer(key, held, _withdrawn(message.work), now_s)
            return
        self._running[step.run] += 1
        self._begun[key] = step.run
        self._send(key.sender, Taken(sender=key.sender, host=self.name, number=key.number))
        self._workshop.begin(key, message.work)

    def _settled(self, guest: _Guest, number: int) -> None:
        held = guest.held.get(number)
        if held is not None and held.answer is not None:
            held.work = held.answer = None
            if number < guest.floor:
                del guest.held[number]

    def _raise_floor(self, guest: _Guest, floor: int) -> None:
        if floor > guest.floor:
            guest.floor = floor
            for number in [one for one, held in guest.held.items() if one < floor and held.work is None]:
                del guest.held[number]

    # -- handlers --------------------------------------------------------------------------------------------------

    def answered(self, key: ErrandKey, answer: ExecutorMessage, now_s: float) -> None:
        """A handler has been answered for; `answer` is as its sender knows it."""
        run = self._begun.pop(key, None)
        if run is None:
            return
        self._running[run] -= 1
        guest = self._guests.get(key.sender)
        held = guest.held.get(key.number) if guest is not None else None
        if held is not None and held.answer is None and held.work is not None:
            self._answer(key, held, answer, now_s)

    def sign(self, key: ErrandKey, progress: bytes | None) -> None:
        """A handler has given a sign of life."""
        guest = self._guests.get(key.sender)
        held = guest.held.get(key.number) if guest is not None else None
        if held is not None:
            held.signs += 1
            self._send(
                key.sender,
                Sign(sender=key.sender, host=self.name, number=key.number, serial=held.signs, progress=progress),
            )

    def _answer(self, key: ErrandKey, held: _Held, answer: ExecutorMessage, now_s: float) -> None:
        held.answer = answer
        self._say(key, held, now_s)

    def _say(self, key: ErrandKey, held: _Held, now_s: float) -> None:
        assert held.answer is not None, key
        held.said_s = now_s
        self._send(key.sender, Ended(sender=key.sender, host=self.name, number=key.number, answer=held.answer))

    # -- senders that go -------------------------------------------------------------------------------------------

    def gone(self, sender: str) -> None:
        """A sender's process has ended, and its errands with it."""
        guest = self._guests.pop(sender, None)
        if guest is not None:
            self._drop(sender, guest)
        self._gone[sender] = None
        if len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]

    def senders(self) -> Iterable[str]:
        """Return the senders that are known."""
        return tuple(self._guests)

    def _drop(self, sender: str, guest: _Guest) -> None:
        for number, held in guest.held.items():
            self._end_unwanted(ErrandKey(sender, number), held)
        guest.held.clear()
        guest.dropped = guest.highest

    def tick(self, now_s: float) -> None:
        """Do what is due; to be called about once a second."""
        paused_s = now_s - self._ticked_s
        self._ticked_s = now_s
        for sender, guest in self._guests.items():
            if paused_s > PAUSED_S:
                guest.heard_s += paused_s
            if guest.held and now_s >= guest.heard_s + self._lease_s:
                self._drop(sender, guest)
                guest.has_needs = False
            for number, held in guest.held.items():
                if held.answer is not None and now_s >= held.said_s + AGAIN_S:
                    self._say(ErrandKey(sender, number), held, now_s)

    def close(self) -> None:
        """Take no more, and say of what runs that this process stops cleanly: that loss is not to count."""
        self.is_closed = True
        for sender, guest in self._guests.items():
            self._report(sender, guest, ())  # first, so that nothing more comes here
            for number, held in guest.held.items():
                if held.work is not None and held.answer is None:
                    reason = "the engine that ran it has stopped"
                    self._answer(ErrandKey(sender, number), held, _lost(held.work, reason, clean=True), 0.0)

    def _dropped(self, work: Work) -> Lost:
        return _lost(work, "the engine that ran it had not heard of its sender for too long")


def _withdrawn(work: Work) -> Withdrawn:
    return Withdrawn(root=work.root, transition=work.transition, number=work.number, attempt=work.attempt)


def _lost(work: Work, reason: str, *, clean: bool = False) -> Lost:
    return Lost(
        root=work.root,
        transition=work.transition,
        number=work.number,
        attempt=work.attempt,
        reason=reason,
        clean=clean,
    )
