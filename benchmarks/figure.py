"""One measured figure, and what it is held against."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one measurement gave; `note` says what a reader of the number should know."""

    name: str
    value: float
    unit: str
    note: str = ""
    kernel: str = ""  # `compiled`, or `source`: which Placet was measured

    def to_json(self) -> str:
        """Return the figure as one line for programs."""
        fields: dict[str, object] = {"name": self.name, "value": self.value, "unit": self.unit}
        rest = {"note": self.note, "kernel": self.kernel}
        return json.dumps(fields | {name: text for name, text in rest.items() if text})


def from_json(line: str) -> Figure:
    """Return the figure that `to_json` wrote."""
    fields = json.loads(line)
    return Figure(
        name=str(fields["name"]),
        value=float(fields["value"]),
        unit=str(fields["unit"]),
        note=str(fields.get("note", "")),
        kernel=str(fields.get("kernel", "")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """The limit of the machine a figure is held against, and how."""

    limit: str
    ratio: Callable[[float, float], float]  # (figure, limit) -> ratio
    text: str  # what the ratio says


def _share(value: float, limit: float) -> float:
    return value / limit


AGAINST: Mapping[str, Against] = {
    **{
        name: Against(limit="limit.puts", ratio=_share, text="firings a put")
        for name in ("L1.thread", "L1.async", "L1.inline", "L1.thread_beside_cpu")
    },
    "spawn.rate": Against(limit="limit.puts", ratio=_share, text="instances a put"),
    "L2.thread": Against(limit="limit.puts", ratio=lambda value, limit: value * limit / 1000, text="times 1,000 puts"),
    **{
        name: Against(limit="limit.commit", ratio=lambda value, limit: value / (11 * limit), text="times 11 commits")
        for name in ("L3.p50", "L3.p99")
    },
    "limit.commit": Against(limit="limit.fdatasync", ratio=_share, text="times fdatasync"),
}
"""By the figure's name; what is missing here is held against nothing, or is a ratio itself."""
