"""What comes of one seed."""

from dataclasses import dataclass, field
from hashlib import blake2b

from placet.testing.coverage import Coverage
from placet.testing.errors import Violation

DIGEST_BYTES = 16


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

    def digest(self) -> bytes:
        """Return what stands for the trace: the same seed gives the same trace, byte for byte."""
        return blake2b("\n".join(self.trace).encode(), digest_size=DIGEST_BYTES).digest()
