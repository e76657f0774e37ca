"""Bytes of any size to and from peers: cut into pieces, a batch under way a peer, and put together again.

What does not get through is not told: whoever sends it says it again.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import TypeAlias

from placet.net.messages import Peer, Piece
from placet.net.outbox import Done, Outbox
from placet.net.pieces import Joiner, cut

Transmit: TypeAlias = Callable[[Peer, tuple[Piece, ...], Done], None]  # sends one batch, and tells how that went


class Freight:
    """What goes to peers and comes from them; for one thread."""

    def __init__(self, transmit: Transmit) -> None:
        self._outbox: Outbox[Piece] = Outbox(transmit, _forget)
        self._joiners: dict[str, Joiner] = {}  # by peer
        self._things = count(1)

    def put(self, peer: Peer, data: bytes) -> None:
        """Send bytes, now or when what is under way has arrived."""
        for piece in cut(data, next(self._things)):
            self._outbox.put(peer, piece, len(piece.data))

    def waiting_bytes(self, peer: Peer) -> int:
        """Return how much waits for a peer, besides what is under way."""
        return self._outbox.waiting_bytes(peer)

    def whole(self, sender: Peer, pieces: Iterable[Piece]) -> Iterator[bytes]:
        """Take pieces of a peer, and yield what is whole with them."""
        joiner = self._joiners.setdefault(str(sender), Joiner())
        return (whole for piece in pieces if (whole := joiner.add(piece)) is not None)

    def forget_others(self, known: Iterable[Peer]) -> None:
        """Keep nothing of peers that are not among those known."""
        names = {str(peer) for peer in known}
        self._joiners = {peer: joiner for peer, joiner in self._joiners.items() if peer in names}


def _forget(_pieces: tuple[Piece, ...]) -> None:
    """It is said again, or has become pointless."""
