"""What comes of one seed."""

from dataclasses import dataclass, field

from placet.testing.coverage import Coverage
from placet.testing.errors import Violation


@dataclass(slots=True)
class Outcome:
    """What came of one seed: its trace, what broke if anything did, and what the run has met."""

    seed: int
    trace: list[str] = field(default_factory=list[str])
    violation: Violation | None = None
    coverage: Coverage = field(default_factory=Coverage)
    crashes: int = 0
    commits: int = 0
    fired: int = 0
