"""The side of errands that has the firings: it picks a host for each, and sees to it that each ends once.

No socket and no clock in here: messages and the time come in, messages and answers go out. For one thread.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from placet.actors.effects import Expire, ExpireReason, Start
from placet.actors.executors.placed import Placed
from placet.actors.messages import Beat, ExecutorMessage, Lost, Withdrawn
from placet.net.errand_messages import (
    End,
    Ended,
    Report,
    Round,
    Run,
    Settled,
    Sign,
    Step,
    Taken,
    ToHost,
    ToSender,
    Work,
)
from placet.petri.requirement import Capability, Requires

LEASE_S: Final = 10.0  # a host that is silent for so long has lost what it was given
BEAT_S: Final = 1.0  # between two rounds
AGAIN_S: Final = 2.0  # an errand that no receipt has come for is sent again
PAUSED_S: Final = 3.0  # between two ticks: this process was stopped, and what came meanwhile is not read yet
WELCOME_S: Final = 3.0  # within which a new host is waited for, or the first of all, before one is said to be lacking


@dataclass(slots=True, kw_only=True)
class _Given:
    """An errand at a host."""

    start: Start
    placed: Placed
    host: str
    since_s: float
    sent_s: float  # last
    is_taken: bool = False
    signs: int = 0  # serial of the last sign of life


@dataclass(slots=True, kw_only=True)
class _Host:
    """An engine that may do errands, as far as it is known."""

    engine: str
    seen_s: float
    heard_s: float
    serial: int = 0
    capabilities: Mapping[str, Capability] = field(default_factory=dict[str, Capability])
    rooms: dict[str, int] = field(default_factory=dict[str, int])
    known: frozenset[tuple[str, str]] = frozenset()
    has_reported: bool = False
    open: set[int] = field(default_factory=set[int])
    unseen: dict[int, str] = field(default_factory=dict[int, str])  # those it has not counted in, and their executors
    late: set[int] = field(default_factory=set[int])  # those given up that may be answered all the same

    def suits(self, placed: Placed) -> bool:
        """Return whether it has what handlers need, and knows them."""
        return self.meets(placed) and (placed.workflow, placed.version) in self.known

    def meets(self, placed: Placed) -> bool:
        """Return whether it has what handlers need."""
        return self.has_reported and placed.requires.is_met_by(self.capabilities)

    def room(self, run: str) -> int:
        """Return how many errands more it takes."""
        return max(0, self.rooms.get(run, 0) - sum(other == run for other in self.unseen.values()))

    def forget(self) -> None:
        """Take nothing for granted until it reports again."""
        self.has_reported, self.rooms = False, {}


class ErrandSender:
    """What the engine `name`, an incarnation, has done by others.

    `send` takes messages for a host; `answer` gets, once for each start, what became of it, and signs of life.
    """

    def __init__(
        self,
        name: str,
        now_s: float,
        *,
        send: Callable[[str, ToHost], None],
        answer: Callable[[Placed, ExecutorMessage | Beat], None],
        lease_s: float = LEASE_S,
    ) -> None:
        self.name = name
        self._send = send
        self._answer = answer
        self._lease_s = lease_s
        self._next = 1
        self._begun_s = now_s
        self._ticked_s = now_s
        self._round_s = now_s
        self._placed: dict[str, Placed] = {}
        self._hosts: dict[str, _Host] = {}  # by incarnation
        self._given: dict[int, _Given] = {}
        self._open: Counter[str] = Counter()  # errands, by the name of their kind
        self._by_key: dict[tuple[bytes, int, int], int] = {}  # (root, firing, attempt) to the number of the errand
        self._queues: dict[str, deque[Start]] = {}  # of those that wait for room

    # -- what the executors ask ------------------------------------------------------------------------------------

    def join(self, placed: Placed) -> None:
        """There may be errands of this kind from now on."""
        self._placed[placed.name] = placed
        self._queues.setdefault(placed.name, deque())
        self._rounds()

    def submit(self, placed: Placed, starts: "list[Start]", now_s: float) -> None:
        """Have handlers run."""
        self._queues[placed.name].extend(starts)
        self._assign(now_s)

    def expire(self, expire: Expire) -> None:
        """Have an errand end, or take it back if it is not sent yet."""
        key = (expire.root, expire.number, expire.attempt)
        number = self._by_key.get(key)
        if number is not None:
            host = self._given[number].host
            self._send(host, End(sender=self.name, host=host, number=number, reason=expire.reason.name))
            return
        if expire.reason is ExpireReason.SILENCE:
            return  # who waits for room is not silent
        for name, queue in self._queues.items():
            for start in queue:
                if (start.root, start.number, start.attempt) == key:
                    queue.remove(start)
                    self._answer(self._placed[name], _withdrawn(start))
                    return

    def capacity(self, placed: Placed) -> int:
        """Return how many firings are taken at once: what is open, and what there is room for."""
        room = sum(host.room(placed.run) for host in self._hosts.values() if host.suits(placed))
        others = sum(len(queue) for name, queue in self._queues.items() if name != placed.name)
        return self.running(placed) + max(0, room - others)

    def running(self, placed: Placed) -> int:
        """Return how many errands of a kind are open."""
        return self._open[placed.name]

    def given(self, placed: Placed) -> list[tuple[Start, float]]:
        """Return what is open, and since when."""
        return [(one.start, one.since_s) for one in self._given.values() if one.placed.name == placed.name]

    def queued(self, placed: Placed) -> int:
        """Return how many wait for room."""
        return len(self._queues[placed.name])

    def lack(self, placed: Placed, now_s: float) -> str:
        """Return why no host will do, or "": one will, or is waited for."""
        hosts = self._hosts.values()
        if any(host.suits(placed) for host in hosts):
            return ""
        newest_s = max([self._begun_s, *(host.seen_s for host in hosts if not host.has_reported)])
        if now_s < newest_s + WELCOME_S:
            return ""
        wanted = f"no host has {placed.requires}" if placed.requires else "there is no other host"
        if not any(host.meets(placed) for host in hosts):
            return wanted
        has = f" that has {placed.requires}" if placed.requires else ""
        return f"no host{has} knows workflow {placed.workflow} as it is here, version {placed.version}"

    def forget_queued(self) -> None:
        """Give nothing more away: what has not been sent is forgotten."""
        for queue in self._queues.values():
            queue.clear()

    def leave(self) -> None:
        """Have all hosts drop what they were given: nobody waits for it any more."""
        self.forget_queued()
        self._given.clear()
        self._open.clear()
        self._by_key.clear()
        for name, host in self._hosts.items():
            host.open.clear()
            self._send_round(name, host)

    # -- what is known of hosts ------------------------------------------------------------------------------------

    def look(self, engines: Mapping[str, str], now_s: float) -> None:
        """Take note of the other engines there are, by name, and of their incarnations; one may be missing a while."""
        for name, host in list(self._hosts.items()):
            if engines.get(host.engine, name) != name:
                del self._hosts[name]
                self._lose(host, f"engine {host.engine} ended while this attempt ran there")
        for engine, name in engines.items():
            if name not in self._hosts:
                self._hosts[name] = _Host(engine=engine, seen_s=now_s, heard_s=now_s)
                self._send_round(name, self._hosts[name])

    def _lose(self, host: _Host, reason: str) -> None:
        for number in sorted(host.open):
            one = self._close(number)
            host.late.add(number)
            self._answer(one.placed, _lost(one.start, reason))
        host.forget()

    def _close(self, number: int) -> _Given:
        """Return an errand that is over from now on."""
        one = self._given.pop(number)
        self._open[one.placed.name] -= 1
        del self._by_key[one.start.root, one.start.number, one.start.attempt]
        host = self._hosts.get(one.host)
        if host is not None:
            host.open.discard(number)
            host.unseen.pop(number, None)
        return one

    # -- time ------------------------------------------------------------------------------------------------------

    def tick(self, now_s: float) -> None:
        """Do what is due; to be called about once a second."""
        paused_s = now_s - self._ticked_s
        self._ticked_s = now_s
        for host in self._hosts.values():
            if paused_s > PAUSED_S:
                host.heard_s += paused_s
            if now_s >= host.heard_s + self._lease_s and (host.open or host.has_reported):
                self._lose(host, f"engine {host.engine} has not been heard of for {self._lease_s:g} s")
        for number, one in self._given.items():
            if not one.is_taken and now_s >= one.sent_s + AGAIN_S:
                one.sent_s = now_s
                self._send_run(number, one)
        self._assign(now_s)
        if now_s >= self._round_s + BEAT_S:
            self._round_s = now_s
            self._rounds()

    def _rounds(self) -> None:
        for name, host in self._hosts.items():
            self._send_round(name, host)

    def _send_round(self, name: str, host: _Host) -> None:
        if not self._placed:
            return  # it has no need of others
        needs = {(one.workflow, one.version): None for one in self._placed.values()}
        self._send(
            name,
            Round(
                sender=self.name,
                host=name,
                floor=self._floor(host),
                next=self._next,
                wanted=tuple(sorted(host.open)),
                needs=tuple(needs),
            ),
        )

    def _floor(self, host: _Host) -> int:
        return min(host.open, default=self._next)

    # -- giving ----------------------------------------------------------------------------------------------------

    def _assign(self, now_s: float) -> None:
        """Give away what waits, as far as there is room; take it back where nobody will ever have some."""
        for name, queue in self._queues.items():
            placed = self._placed[name]
            while queue and (host := self._best(placed)):
                self._give(placed, queue.popleft(), host, now_s)
            if queue and self.lack(placed, now_s):
                waiting, self._queues[name] = queue, deque()
                for start in waiting:
                    self._answer(placed, _withdrawn(start))

    def _best(self, placed: Placed) -> str:
        """Return the suitable host with the most room, or ""."""
        rooms = {name: host.room(placed.run) for name, host in self._hosts.items() if host.suits(placed)}
        best = max(rooms, key=lambda name: rooms[name], default="")
        return best if best and rooms[best] else ""

    def _give(self, placed: Placed, start: Start, host: str, now_s: float) -> None:
        number, self._next = self._next, self._next + 1
        one = self._given[number] = _Given(start=start, placed=placed, host=host, since_s=now_s, sent_s=now_s)
        self._open[placed.name] += 1
        self._by_key[start.root, start.number, start.attempt] = number
        self._hosts[host].open.add(number)
        self._hosts[host].unseen[number] = placed.run
        self._send_run(number, one)

    def _send_run(self, number: int, one: _Given) -> None:
        floor = self._floor(self._hosts[one.host])
        work = work_of(one.placed, one.start)
        self._send(one.host, Run(sender=self.name, host=one.host, number=number, floor=floor, work=work))

    # -- messages --------------------------------------------------------------------------------------------------

    def receive(self, message: ToSender, now_s: float) -> None:
        """Take what a host says; what is for another process than this one is left alone."""
        host = self._hosts.get(message.host)
        if message.sender != self.name or host is None:
            return
        host.heard_s = max(host.heard_s, now_s)
        match message:
            case Report():
                self._reported(host, message, now_s)
            case Taken():
                self._taken(host, message.number)
            case Sign():
                self._sign(message)
            case Ended():
                self._ended(host, message, now_s)

    def _reported(self, host: _Host, report: Report, now_s: float) -> None:
        if report.serial <= host.serial:
            return
        host.serial = report.serial
        host.has_reported = True
        host.capabilities, host.rooms, host.known = report.capabilities, dict(report.rooms), frozenset(report.known)
        for number in host.open.intersection(report.held):
            self._given[number].is_taken = True
            host.unseen.pop(number, None)  # the host has counted it in
        for number in sorted(host.open.difference(report.held)):
            if number <= report.dropped:
                one = self._close(number)
                self._answer(one.placed, _lost(one.start, f"engine {host.engine} has given it up"))
        self._assign(now_s)

    def _taken(self, host: _Host, number: int) -> None:
        if number in host.open:
            self._given[number].is_taken = True
            if host.unseen.pop(number, None) is not None:
                run = self._given[number].placed.run
                host.rooms[run] = host.rooms.get(run, 0) - 1

    def _sign(self, message: Sign) -> None:
        one = self._given.get(message.number)
        if one is None or one.host != message.host or message.serial <= one.signs:
            return
        one.signs = message.serial
        start = one.start
        beat = Beat(
            root=start.root,
            transition=start.transition.index,
            number=start.number,
            attempt=start.attempt,
            progress=message.progress,
        )
        self._answer(one.placed, beat)

    def _ended(self, host: _Host, message: Ended, now_s: float) -> None:
        number = message.number
        self._send(message.host, Settled(sender=self.name, host=message.host, number=number))
        if number in host.open:
            run = self._given[number].placed.run
            self._taken(host, number)
            one = self._close(number)
            is_refused = isinstance(message.answer, Withdrawn)
            host.rooms[run] = 0 if is_refused else host.rooms.get(run, 0) + 1  # until it reports again
            self._answer(one.placed, message.answer)
            self._assign(now_s)
        elif number in host.late:  # it was given up: the kernel is told all the same, and drops it as stale
            host.late.discard(number)
            self._answer(_NOBODY, message.answer)


_NOBODY: Final = Placed(name="", workflow="", version="", run="", requires=Requires(), remote=False)


def work_of(placed: Placed, start: Start) -> Work:
    """Return what a host needs to know of a start."""
    transition = start.transition
    return Work(
        step=Step(
            workflow=placed.workflow,
            version=placed.version,
            path=transition.path,
            run=placed.run,
            arguments=tuple((arc.place, arc.weight) for arc in transition.arguments),
            outputs=transition.outputs,
            output_names=transition.output_names,
            choice=transition.choice,
            tags=transition.tags,
        ),
        root=start.root,
        transition=transition.index,
        instance=start.instance,
        incarnation=start.incarnation,
        number=start.number,
        attempt=start.attempt,
        tokens=start.tokens,
        state=start.state,
        progress=start.progress,
        full=start.full,
    )


def _withdrawn(start: Start) -> Withdrawn:
    return Withdrawn(root=start.root, transition=start.transition.index, number=start.number, attempt=start.attempt)


def _lost(start: Start, reason: str) -> Lost:
    index = start.transition.index
    return Lost(root=start.root, transition=index, number=start.number, attempt=start.attempt, reason=reason)
