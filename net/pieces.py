"""Cutting what is too large for one frame, and putting it together again; pure."""

from collections.abc import Iterator
from typing import Final

from placet.net.messages import Piece

PIECE_BYTES: Final = 8 << 20
MOST_BYTES: Final = 2 << 30  # of what is put together again


def cut(data: bytes, thing: int) -> Iterator[Piece]:
    """Yield the pieces of `data`, in order; mostly it is one. `thing` numbers what is sent to one peer."""
    if len(data) <= PIECE_BYTES:
        yield Piece(thing=thing, index=0, is_last=True, data=data)
        return
    whole = memoryview(data)
    last = (len(data) - 1) // PIECE_BYTES
    for index in range(last + 1):
        part = bytes(whole[index * PIECE_BYTES : (index + 1) * PIECE_BYTES])
        yield Piece(thing=thing, index=index, is_last=index == last, data=part)


class Joiner:
    """Puts together the pieces that one peer sends, one thing after the other.

    What is not whole because pieces were lost is dropped: who sent it sends it again, from the beginning.
    """

    def __init__(self) -> None:
        self._thing = 0  # what the parts are of
        self._parts: list[bytes] = []
        self._size_bytes = 0

    def add(self, piece: Piece) -> bytes | None:
        """Take a piece; return what is whole with it."""
        if piece.index != len(self._parts) or piece.thing != self._thing:
            self._parts.clear()
            self._size_bytes = 0
            self._thing = piece.thing
            if piece.index:
                return None
        if piece.is_last and not self._parts:
            return piece.data
        self._parts.append(piece.data)
        self._size_bytes += len(piece.data)
        whole = b"".join(self._parts) if piece.is_last else None
        if whole is not None or self._size_bytes > MOST_BYTES:
            self._parts.clear()
            self._size_bytes = 0
        return whole
