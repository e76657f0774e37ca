"""The state of an instance: named values that handlers read and change, each change in the commit of its result."""

import hashlib
from collections.abc import Sequence
from typing import Final

from placet.actors.messages import StatePut
from placet.actors.records import decode_state, encode
from placet.actors.turn import Turn
from placet.persistence.keys import STATE, entry_key

HIDDEN: Final = "\0"  # first of the names that Placet itself uses, and people are not shown
ANSWER: Final = HIDDEN + "answer "  # and a request: what it was answered, for who asks again


class State:
    """Named, encoded values. Answers are on disk only: handlers are not given them, and there may be many.

    Durable entries: `STATE` | digest of the name -> (name, value).
    """

    __slots__ = ("_root", "values")

    def __init__(self, root: bytes) -> None:
        self._root = root
        self.values: dict[str, bytes] = {}

    def load(self, entry: bytes) -> None:
        """Hold an entry that is in the store."""
        name, value = decode_state(entry)
        if not name.startswith(ANSWER):
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
            key = state_key(self._root, put.name)
            if put.name.startswith(ANSWER):
                _keep(turn, key, put)
            elif put.value is not None:
                self.values[put.name] = put.value
                turn.put(key, encode((put.name, put.value)))
            elif self.values.pop(put.name, None) is not None:
                turn.delete(key)


def _keep(turn: Turn, key: bytes, put: StatePut) -> None:
    if put.value is None:
        turn.delete(key)
    else:
        turn.put(key, encode((put.name, put.value)))


def state_key(root: bytes, name: str) -> bytes:
    """Return the key of a named value of an instance."""
    return entry_key(root, 0, STATE, int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big"))
