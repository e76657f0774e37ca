"""What instances have yet to handle: a queue for each, and whose turn it is, round and round."""

from collections import deque
from collections.abc import Iterator

from placet.actors.messages import KernelMessage, RootMessage


class Mailboxes:
    """Messages by root, or by id where the root is not known."""

    __slots__ = ("_held", "ready", "waiting")

    def __init__(self) -> None:
        # Most mailboxes hold one message: it stands for itself.
        self._held: dict[bytes | str, KernelMessage | deque[KernelMessage]] = {}
        self.ready: deque[bytes | str] = deque()  # addresses with mail, the next one first
        self.waiting = 0  # messages not handled yet

    def put(self, message: KernelMessage) -> None:
        """Queue a message behind those for the same address."""
        address = message.root if isinstance(message, RootMessage) else message.instance
        if address not in self._held:
            self._held[address] = message
            self.ready.append(address)
        else:
            self._queue(address).append(message)
        self.waiting += 1

    def put_first(self, address: bytes | str, message: KernelMessage) -> None:
        """Queue a message before those for the same address: it is to be handled again."""
        if address not in self._held:
            self._held[address] = message
            self.ready.append(address)
        else:
            self._queue(address).appendleft(message)
        self.waiting += 1

    def close(self, address: bytes | str) -> None:
        """Let no message for an address be taken until it is opened again; there must be one."""
        self.ready.remove(address)

    def open(self, address: bytes | str, *, first: bool = False) -> None:
        """Let messages for an address that was closed be taken again; `first`: before all others."""
        if first:
            self.ready.appendleft(address)
        else:
            self.ready.append(address)

    def addresses(self) -> list[bytes | str]:
        """Return all addresses with mail, those that are closed too."""
        return list(self._held)

    def empty(self, address: bytes | str) -> list[KernelMessage]:
        """Remove and return all mail for an address, which must be open and have some."""
        self.ready.remove(address)
        held = self._held.pop(address)
        found = list(held) if isinstance(held, deque) else [held]
        self.waiting -= len(found)
        return found

    def take(self) -> KernelMessage:
        """Remove and return the next message; there must be one."""
        address = self.ready.popleft()
        self.waiting -= 1
        held = self._held.pop(address)
        if not isinstance(held, deque):
            return held
        message = held.popleft()
        if held:
            self._held[address] = held
            self.ready.append(address)
        return message

    def _queue(self, address: bytes | str) -> deque[KernelMessage]:
        held = self._held[address]
        if isinstance(held, deque):
            return held
        queue = self._held[address] = deque((held,))
        return queue

    def __iter__(self) -> Iterator[KernelMessage]:
        for held in self._held.values():
            if isinstance(held, deque):
                yield from held
            else:
                yield held
