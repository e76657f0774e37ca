"""Virtual engine time: it moves only when told, and never back."""


class ManualClock:
    """An engine's clock for tests. `now()` has the shape of every clock here: no argument, seconds."""

    def __init__(self, start_s: float = 1_000.0) -> None:
        self.now_s = start_s

    def now(self) -> float:
        """Return engine time in seconds."""
        return self.now_s

    def advance(self, seconds: float) -> float:
        """Let time pass and return the new time. Raises `ValueError` for a step back."""
        if seconds < 0:
            raise ValueError(f"engine time never goes back, not even by {-seconds} s")
        self.now_s += seconds
        return self.now_s

    def advance_to(self, time_s: float) -> float:
        """Let time pass until `time_s` at least and return the new time; one that is over already changes nothing."""
        self.now_s = max(self.now_s, time_s)
        return self.now_s
