"""When to give up restarting: a sliding window. Pure: no clock, no actor, no log in here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartBudget:
    """Allows `limit` restarts in any `window_s` seconds; the next one escalates."""

    limit: int = 3
    window_s: float = 5.0

    def spend(self, past_s: tuple[float, ...], now_s: float) -> tuple[float, ...] | None:
        """Return the restarts still inside the window with this one, or None: give up."""
        recent = (*(at for at in past_s if now_s - at <= self.window_s), now_s)
        return recent if len(recent) <= self.limit else None
