"""The state of an actor while it handles a message: a mapping, written back where it has changed."""

from collections.abc import Iterator, MutableMapping
from typing import Any

from placet.actors.errors import BadRequest
from placet.actors.notes import Notes
from placet.actors.state import HIDDEN
from placet.persistence.values import decode, encode


class ActorState(MutableMapping[str, Any]):  # `Any`: users' data
    """Named values of an actor. Each is loaded when first asked for, and stored if it is another one in the end.

    So a list that is appended to is stored too. A value has up to 64 KiB when encoded.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._seen: dict[str, Any] = {}
        self._gone: set[str] = set()

    def __repr__(self) -> str:
        return f"ActorState({dict(self)!r})"

    def __getitem__(self, name: str) -> Any:
        if name not in self._seen:
            held = None if name in self._gone else self._notes.held(name)
            if held is None:
                raise KeyError(name)
            self._seen[name] = decode(held)
        return self._seen[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name.startswith(HIDDEN):
            raise BadRequest(f"{name!r} is no name of a value")
        self._seen[name] = value
        self._gone.discard(name)

    def __delitem__(self, name: str) -> None:
        self[name]
        del self._seen[name]
        self._gone.add(name)

    def __iter__(self) -> Iterator[str]:
        stored = [name for name in self._notes.names() if name not in self._gone and not name.startswith(HIDDEN)]
        return iter(dict.fromkeys([*stored, *self._seen]))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def settle(self) -> None:
        """Note what has changed. Raises `ValueTooLarge` and `ValueNotEncodable`."""
        for name, value in self._seen.items():
            data = encode(value)
            if data != self._notes.held(name):
                self._notes.change(name, data)
        for name in self._gone:
            self._notes.change(name, None)
