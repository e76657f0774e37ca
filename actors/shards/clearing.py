"""Removing what is left of a shard in a store that is not its owner's any more, or has only some of it: in portions.

A portion is found anew from what is there, so a crash between two of them is nothing special. Of an instance its
history goes first, oldest record first, and its header last, from which all the rest is found.
"""

from collections.abc import Iterator
from itertools import islice

from placet.actors.records import decode_header
from placet.actors.shards.content import BESIDE, ROOT_BYTES, last_record, shard_of_post
from placet.persistence.history import trim
from placet.persistence.keys import HEADER, OUTBOX, address_key, entry_key, shard_prefix
from placet.persistence.store import View

PORTION = 2_000  # entries a batch


class Clearing:
    """What goes next of one shard."""

    def __init__(self, view: View, shard: int) -> None:
        self._view = view
        self._shard = shard
        self._history: list[bytes] = []  # keys of the instance at hand, the next one last

    def portion(self, most: int = PORTION) -> list[bytes]:
        """Return the keys to be deleted next; none: nothing is left. Those returned before must be gone."""
        return list(islice(self._next(), most))

    def _next(self) -> Iterator[bytes]:
        """Yield keys in the order in which they may go."""
        prefix = shard_prefix(self._shard)
        start: bytes | None = None
        while (first := next(iter(self._view.scan(prefix, start)), None)) is not None:
            root = first[0][:ROOT_BYTES]
            yield from self._instance(root, first[1])
            start = root[:-8] + (int.from_bytes(root[-8:], "big") + 1).to_bytes(8, "big")
        for beside in BESIDE:
            for key, _ in self._view.scan(beside + bytes((self._shard,))):
                yield key
        for key, value in self._view.scan(OUTBOX):
            if shard_of_post(value) == self._shard:
                yield key

    def _instance(self, root: bytes, first: bytes) -> Iterator[bytes]:
        header = decode_header(first)
        if not self._history:
            self._history = trim(self._view, last_record(self._view, root), 0)
        while self._history:
            yield self._history.pop()
        header_key = entry_key(root, 0, HEADER, 0)
        for key, _ in self._view.scan(root):
            if key != header_key:
                yield key
        address = address_key(header.instance)
        if self._view.get(address) is not None:
            yield address
        yield header_key
