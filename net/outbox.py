"""What waits to be sent to each peer: batches, one under way a peer, so that a peer that is slow holds up itself only.

The transport queues nothing: while a batch is under way, what comes for the same peer is gathered into the next.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeAlias, TypeVar

from placet.net.messages import Peer

BATCH_BYTES: Final = 1 << 20  # a batch is closed once it has so many
BATCH_MESSAGES: Final = 1_000

T = TypeVar("T")
Done: TypeAlias = Callable[[bool], None]  # called once: whether a batch got through


class _Queue(Generic[T]):
    """What waits for one peer."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.waiting: deque[tuple[int, T]] = deque()  # (bytes, message)
        self.waiting_bytes = 0


class Outbox(Generic[T]):
    """Sends messages in order, to each peer on its own; for one thread.

    `transmit` sends one batch and calls what it is given when that is done; `lost` gets what did not get through, or
    may not have: the batch that failed and all that waited behind it.
    """

    def __init__(
        self,
        transmit: Callable[[Peer, tuple[T, ...], Done], None],
        lost: Callable[[tuple[T, ...]], None],
    ) -> None:
        self._transmit = transmit
        self._lost = lost
        self._queues: dict[str, _Queue[T]] = {}  # only of peers with a batch under way

    def put(self, peer: Peer, message: T, size_bytes: int) -> None:
        """Send a message, now or when what is under way has arrived."""
        queue = self._queues.get(str(peer))
        is_idle = queue is None
        if queue is None:
            queue = self._queues[str(peer)] = _Queue(peer)
        queue.waiting.append((size_bytes, message))
        queue.waiting_bytes += size_bytes
        if is_idle:
            self._send(queue)

    def waiting_bytes(self, peer: Peer) -> int:
        """Return how much waits for a peer, besides what is under way."""
        queue = self._queues.get(str(peer))
        return 0 if queue is None else queue.waiting_bytes

    def _send(self, queue: "_Queue[T]") -> None:
        batch: list[T] = []
        size_bytes = 0
        while queue.waiting and len(batch) < BATCH_MESSAGES and size_bytes < BATCH_BYTES:
            if batch and size_bytes + queue.waiting[0][0] > BATCH_BYTES:  # a large one goes alone
                break
            size, message = queue.waiting.popleft()
            size_bytes += size
            queue.waiting_bytes -= size
            batch.append(message)
        sent = tuple(batch)
        self._transmit(queue.peer, sent, lambda is_through: self._done(queue, sent, is_through))

    def _done(self, queue: "_Queue[T]", sent: tuple[T, ...], is_through: bool) -> None:
        if is_through and queue.waiting:
            self._send(queue)
            return
        del self._queues[str(queue.peer)]
        if not is_through:
            self._lost((*sent, *(message for _, message in queue.waiting)))
