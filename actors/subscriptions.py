"""Who is told of what: listeners by instance, safe to change from any thread while events are told."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Event = TypeVar("Event")


class Subscriptions(Generic[Event]):
    """Listeners of one kind of event. A listener runs on the thread that tells: it must be quick and must not raise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, tuple[Callable[[Event], None], ...]] = {}

    def add(self, instance: str, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Tell `listener` of events of one instance, or of all if `instance` is ""; return how to undo this."""
        with self._lock:
            self._listeners[instance] = (*self._listeners.get(instance, ()), listener)
        return lambda: self._remove(instance, listener)

    def _remove(self, instance: str, listener: Callable[[Event], None]) -> None:
        with self._lock:
            left = tuple(other for other in self._listeners.get(instance, ()) if other is not listener)
            if left:
                self._listeners[instance] = left
            else:
                self._listeners.pop(instance, None)

    def has(self, instance: str) -> bool:
        """Return whether somebody listens to this very instance."""
        return instance in self._listeners

    def tell(self, instance: str, event: Event) -> None:
        """Call the listeners of an instance, and those of all."""
        if self._listeners:
            for listener in (*self._listeners.get(instance, ()), *self._listeners.get("", ())):
                listener(event)
