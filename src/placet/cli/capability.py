"""What a host has, as it is said on the command line: `--capability gpu=1`."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from placet.cli.errors import WrongUsage

if TYPE_CHECKING:
    from placet.petri.requirement import Capability


def capabilities_of(texts: "Iterable[str] | None") -> "dict[str, Capability]":
    """Return what `NAME=VALUE` says, several times; what is a finite number is one. Raises `WrongUsage`."""
    return dict(_capability(text) for text in texts or ())


def _capability(text: str) -> "tuple[str, Capability]":
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise WrongUsage(f"{text!r} is no capability", "write one such as --capability gpu=1")
    try:
        number = float(value)
    except ValueError:
        return name, value
    return name, number if math.isfinite(number) else value
