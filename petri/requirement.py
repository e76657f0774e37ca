"""Where a handler may run: what its host must have, and whether any host that has it will do."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Capability: TypeAlias = float | str
ANYWHERE: Final = "anywhere"


@dataclass(frozen=True, slots=True, init=False)
class Requires:
    """What a host must have to run a handler: `Requires(gpu=1, region="eu")`.

    A number is met by as much or more, a text by the same text. It is a condition and nothing is used up by it: how
    many handlers run at once is for their executor to bound. Raises `ValueError` for anything but texts and finite
    numbers.
    """

    wanted: tuple[tuple[str, Capability], ...]  # in the order of their names

    def __init__(self, /, **wanted: Capability) -> None:
        object.__setattr__(self, "wanted", tuple(sorted(checked_capabilities(wanted).items())))

    def is_met_by(self, capabilities: Mapping[str, Capability]) -> bool:
        """Return whether a host with these capabilities will do."""
        return all(_is_met(value, capabilities.get(name)) for name, value in self.wanted)

    def __bool__(self) -> bool:
        return bool(self.wanted)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value if isinstance(value, str) else f'{value:g}'}" for name, value in self.wanted)

    def __repr__(self) -> str:
        return f"Requires({', '.join(f'{name}={value!r}' for name, value in self.wanted)})"


@dataclass(frozen=True, slots=True)
class Remote:
    """Given as `run`: any host of the cluster may run the handler, as soon as there is room; this one included.

    `run` is the executor there, such as "thread" or "process"; without it that of `run` left out.
    """

    run: str | None = None


def checked_capabilities(capabilities: Mapping[Any, object]) -> dict[str, Capability]:
    """Return capabilities as they are compared. Raises `ValueError` for anything but texts and finite numbers."""
    found: dict[str, Capability] = {}  # of a user, who may have given anything: hence `Any` above
    for name, value in capabilities.items():
        if not isinstance(name, str) or not name:
            raise ValueError(f"{name!r} is no name of a capability: it is a text")
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"the capability {name}={value!r} is neither a number nor a text")
        if not isinstance(value, str) and not math.isfinite(value):
            raise ValueError(f"the capability {name}={value!r} is no finite number")
        found[name] = value if isinstance(value, str) else float(value)
    return found


def _is_met(wanted: Capability, there: Capability | None) -> bool:
    if isinstance(wanted, str) or isinstance(there, str) or there is None:
        return wanted == there
    return there >= wanted
