"""Who is told of what: listeners by instance, safe to change from any thread while events are told."""

import logging
import threading
from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

Event = TypeVar("Event")


class Subscriptions(Generic[Event]):
    """Listeners of one kind of event. A listener runs on the thread that tells: it must be quick.

    One that raises is logged (logger `placet`) and told nothing more: the engine does not go down with it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count()
        self._listeners: dict[str, dict[int, Callable[[Event], None]]] = {}

    def add(self, instance: str, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Tell `listener` of events of one instance, or of all if `instance` is ""; return how to undo this."""
        number = next(self._numbers)
        with self._lock:
            self._listeners.setdefault(instance, {})[number] = listener
        return lambda: self._remove(instance, number)

    def _remove(self, instance: str, number: int) -> None:
        with self._lock:
            listeners = self._listeners.get(instance, {})
            listeners.pop(number, None)
            if not listeners:
                self._listeners.pop(instance, None)

    def has(self, instance: str) -> bool:
        """Return whether somebody listens to this very instance."""
        return instance in self._listeners

    def tell(self, instance: str, event: Event) -> None:
        """Call the listeners of an instance, and those of all."""
        if not self._listeners:
            return
        for key in (instance, ""):
            with self._lock:
                listeners = list(self._listeners.get(key, {}).items())
            for number, listener in listeners:
                try:
                    listener(event)
                except BaseException:  # a client's own code: what it raises must not stop the engine, `sys.exit()` too
                    logging.getLogger("placet").exception("a listener to %s raised; it is told nothing more", instance)
                    self._remove(key, number)
