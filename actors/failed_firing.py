"""What an error arc carries: the value of a token that stands for a firing that failed for good."""

from dataclasses import dataclass, field

from placet.persistence.values import decode


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedFiring:
    """A firing that failed for good, as the handlers behind its error arc get it."""

    transition: str  # its path, such as `fulfil/pack`
    type: str  # qualified class name of the last exception, or `TimedOut`
    message: str
    attempts: int
    encoded: tuple[bytes, ...] = field(repr=False)  # the values it had taken, in the order of its inputs

    @property
    def values(self) -> tuple[object, ...]:
        """The values it had taken, in the order of its inputs; raises whatever loading one of them raises."""
        return tuple(decode(value) for value in self.encoded)
