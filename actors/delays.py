"""Tokens that must wait in their place before some transition may take them: when they came, and timers for it."""

from placet.actors.records import Delay, encode
from placet.actors.timers import OF_A_TOKEN
from placet.actors.turn import Turn
from placet.persistence.keys import DELAY, kind_prefix, pack_id


class Delays:
    """The arrival of each token of an instance that lies in, or was taken from, a place with delays.

    Durable entries: `DELAY` | token id -> `records.Delay`. A token has one timer at most, for the gate that opens
    next. The entry of a token outlives its being taken, so that one put back need not wait anew.
    """

    __slots__ = ("_prefix", "held")

    def __init__(self, root: bytes) -> None:
        self._prefix = kind_prefix(root, 0, DELAY)
        self.held: dict[int, Delay] = {}  # by token

    def arrive(self, turn: Turn, place: int, token: int) -> None:
        """Note that a token has just come."""
        self.held[token] = Delay(place, turn.now)
        turn.create(self._prefix + pack_id(token), encode(self.held[token]))

    def due(self, token: int, delay_s: float) -> float:
        """Return when a gate with this delay opens for a token it keeps waiting."""
        return self.held[token].arrived + delay_s

    def is_open(self, token: int, delay_s: float, now: float) -> bool:
        """Return whether a gate with this delay lets a token through.

        While the token's timer is set, it decides and not the clock: an instance read back sees what it saw before.
        """
        delay = self.held.get(token)
        if delay is None:
            return True  # it was there before the delay was
        opens = delay.arrived + delay_s
        return opens < delay.due if delay.due else opens <= now

    def expire(self, turn: Turn, token: int) -> None:
        """Let the clock decide again if the timer of a token has come."""
        delay = self.held.get(token)
        if delay is not None and 0.0 < delay.due <= turn.now:
            delay.due = 0.0
            turn.put(self._prefix + pack_id(token), encode(delay))

    def wait(self, turn: Turn, token: int, due: float) -> None:
        """Set the one timer of a token to `due`; 0.0 clears it."""
        delay = self.held[token]
        if delay.due != due:
            turn.timers.append((token, delay.due, due, OF_A_TOKEN))
            delay.due = due
            turn.put(self._prefix + pack_id(token), encode(delay))

    def forget(self, turn: Turn, token: int) -> None:
        """A token is gone for good."""
        delay = self.held.pop(token, None)
        if delay is not None:
            if delay.due:
                turn.timers.append((token, delay.due, 0.0, OF_A_TOKEN))
            turn.delete(self._prefix + pack_id(token))
