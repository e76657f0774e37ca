"""User code that was found running in the kernel when its process had died: twice, and it waits for a person.

A handler that ran beside it may as well have been the one: then the mark counts for nothing, but the code is on trial.
The next start lets it run before any handler, so that it either comes back, and is innocent, or is found alone.
"""

import hashlib

import msgspec

from placet.actors.marker import marked_path
from placet.persistence.keys import ENGINE
from placet.persistence.store import View

_PREFIX = ENGINE + b"suspect/"
GUILTY_AT = 2


class _Suspect(msgspec.Struct, array_like=True):
    instance: str
    path: str
    found: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Suspect).decode


class Suspects:
    """How often the mark of a crash named each (instance, transition); durable with the next batch.

    Paths are known as the mark has them: see `marked_path`.
    """

    def __init__(self, view: View) -> None:
        self.known: dict[tuple[str, str], _Suspect] = {}
        for _, data in view.scan(_PREFIX):
            suspect = _decode(data)
            self.known[suspect.instance, suspect.path] = suspect
        self._unsaved: set[tuple[str, str]] = set()

    def add(self, instance: str, path: str, *, accompanied: bool = False) -> int:
        """Count one more crash with this mark, unless it was accompanied; return how many have counted."""
        suspect = self.known.setdefault((instance, path), _Suspect(instance, path, 0))
        suspect.found += not accompanied
        self._unsaved.add((instance, path))
        return suspect.found

    @property
    def on_trial(self) -> bool:
        """True while some user code is suspected that has not been found guilty."""
        return any(suspect.found < GUILTY_AT for suspect in self.known.values())

    def instances(self) -> set[str]:
        """Return the ids of the instances whose user code is suspected."""
        return {instance for instance, _ in self.known}

    def is_guilty(self, instance: str, path: str) -> bool:
        """True when it was found running in a dead process twice: it is an incident, not run, until `clear`."""
        suspect = self.known.get((instance, marked_path(instance, path)))
        return suspect is not None and suspect.found >= GUILTY_AT

    def clear(self, instance: str, path: str) -> None:
        """Forget: a person wants it tried again, or it has run to its end and the process has outlived it."""
        key = (instance, marked_path(instance, path))
        if self.known.pop(key, None) is not None:
            self._unsaved.add(key)

    def write(self, writes: dict[bytes, bytes | None]) -> None:
        """Add what changed to a batch."""
        for key in self._unsaved:
            name = _PREFIX + hashlib.blake2b("\0".join(key).encode(), digest_size=16).digest()
            suspect = self.known.get(key)
            writes[name] = _encode(suspect) if suspect else None
        self._unsaved.clear()
