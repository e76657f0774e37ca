"""The errands of an engine's process: those it sends to other engines, and those it does for them.

What the engine's thread and handlers hand over is taken up by the one thread that sends.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

from placet.actors.clock import monotonic_s
from placet.actors.effects import Expire, Start
from placet.actors.executors.base import Load, Post
from placet.actors.executors.placed import Placed
from placet.actors.executors.roster import Bounds
from placet.actors.messages import Beat, ExecutorMessage
from placet.net.errand_host import ErrandHost, ErrandKey
from placet.net.errand_messages import Said, ToHost, decode_said, encode_said
from placet.net.errand_sender import LEASE_S, ErrandSender
from placet.net.freight import Freight
from placet.net.messages import Errands, Peer, Whereabouts
from placet.net.outbox import Done
from placet.net.remote_executor import ErrandExecutor
from placet.net.workshop import Handlers
from placet.petri.behaviour import Definition
from placet.petri.requirement import Capability

MOST_WAITING_BYTES: Final = 32 << 20  # for one engine; what is beyond is left out, and said again
MOST_SHOWN_AT_ONCE: Final = 100  # running handlers; of more, a list is made once a second
Send: TypeAlias = Callable[[Peer, object, Done], None]
Job: TypeAlias = Callable[[float], None]  # is given the time


class ErrandOffice:
    """All errands of the engine `name`; but for `executor`, for the one thread of its process that sends."""

    def __init__(
        self,
        name: str,
        send: Send,
        rouse: Callable[[], None],
        *,
        capabilities: Mapping[str, Capability],
        threads: int,
        lease_s: float = LEASE_S,
    ) -> None:
        """`rouse` has `woken` called soon, on the thread that sends."""
        self._name = name
        self._rouse = rouse
        self._capabilities = capabilities
        self._lease_s = lease_s
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._freight = Freight(lambda peer, pieces, done: send(peer, Errands(pieces=pieces), done))
        self._peers: dict[str, Peer] = {}  # of engines, by incarnation
        self._waiting: dict[str, list[Said]] = {}  # to be sent, by incarnation
        self._executors: list[ErrandExecutor] = []
        self._sender: ErrandSender | None = None  # there is none until this process knows its incarnation
        self._host: ErrandHost | None = None
        self._handlers = Handlers(Bounds(threads=threads), lambda: self.definitions, self._handler_answered)
        self.definitions: Mapping[str, Definition] = {}  # of this process: what it can run for others
        self.look_again: Callable[[], None] | None = None  # has the engine look at its executors

    # -- from other threads ----------------------------------------------------------------------------------------

    def executor(self, placed: Placed, post: Post) -> ErrandExecutor:
        """Return what has handlers run on other hosts."""
        made = ErrandExecutor(placed, post, self._submit, self._expire, self._drain)
        self._put(partial(self._join, made))
        return made

    def _put(self, job: Job) -> None:
        self._jobs.put(job)
        self._rouse()

    def _submit(self, executor: ErrandExecutor, starts: Sequence[Start]) -> None:
        self._put(partial(self._given, executor, list(starts)))

    def _expire(self, expire: Expire) -> None:
        self._put(lambda _now_s: self._sender.expire(expire) if self._sender is not None else None)

    def _drain(self) -> None:
        self._put(lambda _now_s: self._sender.forget_queued() if self._sender is not None else None)

    def _handler_answered(self, key: ErrandKey, message: ExecutorMessage | Beat) -> None:
        self._put(partial(self._came_of, key, message))

    # -- jobs ------------------------------------------------------------------------------------------------------

    def _join(self, executor: ErrandExecutor, _now_s: float) -> None:
        self._executors.append(executor)
        if self._sender is not None:
            self._sender.join(executor.placed)

    def _given(self, executor: ErrandExecutor, starts: list[Start], now_s: float) -> None:
        assert self._sender is not None, "before there is one nothing has room"
        self._sender.submit(executor.placed, starts, now_s)

    def _came_of(self, key: ErrandKey, message: ExecutorMessage | Beat, now_s: float) -> None:
        assert self._host is not None, key
        if isinstance(message, Beat):
            self._host.sign(key, message.progress)
        else:
            self._host.answered(key, message, now_s)

    def woken(self) -> None:
        """Do what was handed over since."""
        now_s = monotonic_s()
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            job(now_s)
        self._settle(now_s)

    # -- others ----------------------------------------------------------------------------------------------------

    def look(self, where: Whereabouts) -> None:
        """Take note of where the engines are."""
        now_s = monotonic_s()
        own = where.engines.get(self._name)
        if self._sender is None and own is not None:
            self._begin(own.incarnation, now_s)
        others = {name: at.incarnation for name, at in where.engines.items() if name != self._name}
        known = {**self._peers, **{at.incarnation: at.peer for at in where.engines.values()}}
        self._peers = {name: peer for name, peer in known.items() if others.get(_engine_of(name), name) == name}
        self._freight.forget_others(self._peers.values())
        if self._sender is not None and self._host is not None:
            self._sender.look(others, now_s)
            for sender in self._host.senders():
                if others.get(_engine_of(sender), sender) != sender:
                    self._host.gone(sender)
        self._settle(now_s)

    def _begin(self, incarnation: str, now_s: float) -> None:
        self._sender = ErrandSender(incarnation, now_s, send=self._say, answer=self._answered, lease_s=self._lease_s)
        self._host = ErrandHost(
            incarnation,
            now_s,
            send=self._say,
            workshop=self._handlers,
            capabilities=self._capabilities,
            lease_s=self._lease_s,
        )
        for executor in self._executors:
            self._sender.join(executor.placed)

    def _answered(self, placed: Placed, message: ExecutorMessage | Beat) -> None:
        """Give the engine what became of an errand; all executors post to the same one."""
        executor = next((one for one in self._executors if one.name == placed.name), self._executors[0])
        executor.post(message)

    def receive(self, sender: Peer, message: Errands) -> None:
        """Take what another engine says."""
        now_s = monotonic_s()
        for whole in self._freight.whole(sender, message.pieces):
            for said in decode_said(whole):
                self._heard(sender, said, now_s)
        self._settle(now_s)

    def _heard(self, sender: Peer, said: Said, now_s: float) -> None:
        if self._sender is None or self._host is None:
            return  # it is said again
        if isinstance(said, ToHost):
            self._peers[said.sender] = sender
            self._host.receive(said, now_s)
        else:
            self._sender.receive(said, now_s)

    def tick(self) -> None:
        """Do what is due; to be called about once a second."""
        now_s = monotonic_s()
        if self._sender is not None and self._host is not None:
            self._sender.tick(now_s)
            self._host.tick(now_s)
            for executor in self._executors:
                executor.note_given(self._sender.given(executor.placed))
        self._settle(now_s)

    def close(self) -> None:
        """Tell the others that this process stops."""
        if self._sender is not None and self._host is not None:
            self._host.close()
            self._sender.leave()
        self._flush()
        self._handlers.close()

    # -- out -------------------------------------------------------------------------------------------------------

    def _say(self, to: str, said: Said) -> None:
        self._waiting.setdefault(to, []).append(said)

    def _settle(self, now_s: float) -> None:
        """Send what there is to say, and let the engine know how much room there is."""
        self._flush()
        if self._sender is None:
            return
        is_news = False
        for executor in self._executors:
            placed = executor.placed
            capacity = self._sender.capacity(placed)
            load = Load(
                at_once=capacity,
                capacity=capacity,
                running=self._sender.running(placed),
                queued=self._sender.queued(placed),
                abandoned=0,
            )
            is_news |= executor.note(load, self._sender.lack(placed, now_s))
            if load.running <= MOST_SHOWN_AT_ONCE:
                executor.note_given(self._sender.given(placed))
        if is_news and self.look_again is not None:
            self.look_again()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for to, said in waiting.items():
            peer = self._peers.get(to)
            if peer is not None and self._freight.waiting_bytes(peer) < MOST_WAITING_BYTES:
                self._freight.put(peer, encode_said(said))


def _engine_of(incarnation: str) -> str:
    """Return the engine of an incarnation, such as `a/0` of `a/0.3.1`."""
    node, _, rest = incarnation.rpartition("/")
    return f"{node}/{rest.partition('.')[0]}"
