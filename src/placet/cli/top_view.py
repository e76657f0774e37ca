"""What `placet top` shows: two glances at an engine made into one object, and that into sections of rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from placet.cli.faces import Face
from placet.cli.progress import per_second
from placet.cli.text import columns, duration

SHOWN_RUNNING = 12
SHOWN_SLOWEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """An engine at one moment."""

    at_s: float  # monotonic
    state: str  # the directory
    told: Mapping[str, object]  # what the engine says of itself
    instances: Mapping[str, int]  # by state


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A titled part of the view: rows below a header."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def face_of(before: Glance | None, after: Glance) -> Face:
    """Return the view for programs; without an earlier glance there are no rates."""
    told = after.told
    return {
        "path": after.state,
        "pid": told["pid"],
        "health": told["health"],
        "problem": told["problem"],
        "measured_over_s": round(after.at_s - before.at_s, 3) if before else None,
        "firings_per_s": _rate("firings", before, after),
        "commits_per_s": _rate("commits", before, after),
        "firings": told["firings"],
        "commits": told["commits"],
        "queued": told["queued"],
        "waiting_for_slots": told["waiting_for_slots"],
        "executors": told["executors"],
        "running": told["running"],
        "slowest": told["slowest"],
        "instances": dict(after.instances),
        "waiting_people": told.get("tasks_offered", 0),  # an engine that says nothing of tasks offers none
    }


def _rate(name: str, before: Glance | None, after: Glance) -> float | None:
    """Return how much a counter rose in a second; None where nobody knows, as after a restart of the engine."""
    if before is None or before.told["pid"] != after.told["pid"]:
        return None
    passed_s = after.at_s - before.at_s
    risen = cast("int", after.told[name]) - cast("int", before.told[name])
    return round(max(0, risen) / passed_s, 1) if passed_s > 0 else None


def lines_of(face: Face) -> Iterator[str]:
    """Yield the view as plain lines."""
    yield from summary_of(face)
    for section in sections_of(face):
        yield section.title
        yield from (f"  {line}" for line in columns([section.header, *section.rows]))


def summary_of(face: Face) -> Iterator[str]:
    """Yield the first lines: the engine, its rates, its queues, its instances."""
    problem = f": {face['problem']}" if face["problem"] else ""
    yield f"{_engines(face['pid'])} {face['path']}, {face['health']}{problem}"
    yield (
        f"{_per_second(face['firings_per_s'])} firings, {_per_second(face['commits_per_s'])} commits; "
        f"{face['firings']} firings and {face['commits']} commits since its start"
    )
    executors = cast("dict[str, dict[str, int]]", face["executors"])
    queues = [f"{face['queued']} messages", f"{face['waiting_for_slots']} instances for a slot"]
    queues += [f"{load['queued']} firings for {name}" for name, load in executors.items()]
    yield f"queued: {', '.join(queues)}"
    instances = cast("dict[str, int]", face["instances"])
    counts = ", ".join(f"{count} {state}" for state, count in instances.items()) or "none"
    yield f"instances: {counts}; waiting for a person: {face['waiting_people']}"


def _engines(pid: object) -> str:
    """Return the engine by its process, or how many there are of a cluster."""
    if not isinstance(pid, list):
        return f"engine {pid} over"
    count = len(cast("list[object]", pid))
    return f"{count} engine{'s' if count != 1 else ''} of the cluster at"


def _per_second(rate: object) -> str:
    return per_second(rate) if isinstance(rate, float) else "-/s"


def sections_of(face: Face) -> Iterator[Section]:
    """Yield what runs, longest first, and what is slow; only what there is."""
    executors = cast("dict[str, dict[str, int]]", face["executors"])
    loads = [(name, *(str(load[key]) for key in _LOAD)) for name, load in executors.items()]
    yield Section(title="executors", header=("NAME", *(key.upper().replace("_", " ") for key in _LOAD)), rows=loads)
    running = cast("list[Face]", face["running"])
    if running:
        yield Section(
            title=f"running: {len(running)}{_shown(running, SHOWN_RUNNING)}",
            header=("FOR", "TRANSITION", "INSTANCE", "ATTEMPT"),
            rows=[_running_row(handler) for handler in running[:SHOWN_RUNNING]],
        )
    slowest = cast("list[Face]", face["slowest"])
    if slowest:
        yield Section(
            title="slowest transitions since the start of the engine",
            header=("MEAN", "WORST", "TIMES", "TRANSITION"),
            rows=[_slow_row(one) for one in slowest[:SHOWN_SLOWEST]],
        )


_LOAD = ("running", "at_once", "queued", "abandoned")  # its capacity counts what may be queued ahead as well


def _shown(rows: Sequence[Face], most: int) -> str:
    return f", the longest {most} of them" if len(rows) > most else ""


def _running_row(handler: Face) -> tuple[str, str, str, str]:
    for_s = duration(cast("float", handler["since_s"]))
    return for_s, str(handler["transition"]), str(handler["id"]), str(handler["attempt"])


def _slow_row(one: Face) -> tuple[str, str, str, str]:
    mean, worst = _brief(cast("float", one["mean_s"])), _brief(cast("float", one["worst_s"]))
    return mean, worst, str(one["count"]), str(one["transition"])


def _brief(seconds: float) -> str:
    """Return a time that may be short: below a second in milliseconds."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else duration(seconds)
