"""The state of an instance: named values that handlers read and change, each change in the commit of its result."""

import hashlib
from collections.abc import Sequence

from placet.actors.messages import StatePut
from placet.actors.records import decode_state, encode
from placet.actors.turn import Turn
from placet.persistence.keys import STATE, entry_key


class State:
    """Named, encoded values.

    Durable entries: `STATE` | digest of the name -> (name, value).
    """

    __slots__ = ("_root", "values")

    def __init__(self, root: bytes) -> None:
        self._root = root
        self.values: dict[str, bytes] = {}

    def load(self, entry: bytes) -> None:
        """Hold an entry that is in the store."""
        name, value = decode_state(entry)
        self.values[name] = value

    def conflict(self, puts: Sequence[StatePut]) -> str:
        """Return the name of a value that is not what a handler expects it to be, or ""."""
        for put in puts:
            if put.compares and self.values.get(put.name) != put.expected:
                return put.name
        return ""

    def change(self, turn: Turn, puts: Sequence[StatePut]) -> None:
        """Carry out what a result that counts says."""
        for put in puts:
            key = entry_key(self._root, 0, STATE, _number(put.name))
            if put.value is not None:
                self.values[put.name] = put.value
                turn.put(key, encode((put.name, put.value)))
            elif self.values.pop(put.name, None) is not None:
                turn.delete(key)


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
