"""What who watches an instance is told at its end."""

from dataclasses import dataclass
from typing import Final

NOT_FOUND: Final = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminated:
    """An instance or actor that was watched has ended, or there is none.

    `state` is `completed`, `failed` or `cancelled`, or `not_found` where there was none of that id.
    """

    id: str
    state: str
    reason: str = ""
