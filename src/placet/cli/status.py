"""`placet status`: the engine of a state, what it does, and how much room there is."""

import shutil
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from placet.actors.clock import wall_s
from placet.actors.control.client import ask_engine
from placet.actors.control.line import LineTooLong
from placet.actors.control.request import StatusRequest
from placet.actors.marker_file import marked
from placet.actors.reader import StateReader
from placet.actors.stamp import Stamp, decode_stamp
from placet.cli.errors import COMPLETED
from placet.cli.faces import Face
from placet.cli.opened import opened
from placet.cli.output import say, say_json
from placet.cli.text import duration, moment, size
from placet.persistence.directory import DATA, is_initialised
from placet.persistence.keys import STAMP
from placet.persistence.lock import owner
from placet.persistence.probe import probe
from placet.petri.errors import PlacetError

PATIENCE_S = 5.0  # within which an engine must say how it is, here and to `placet top`
LITTLE_BYTES = 1 << 20
HUNG_AFTER_S = 0.3  # user code in the kernel that is still there after so long is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class StateStatus:
    """What the disk says."""

    instances: dict[str, int]  # by state
    tasks_offered: int
    last_commit_at: float  # wall clock, seconds since 1970; 0.0: never
    used_bytes: int
    file_bytes: int
    free_bytes: int  # on the file system


def status(path: Path, *, is_json: bool, check: bool = False) -> int:
    """Write how a state and its engine are; with `check`, read all of it first. Raises `StoreDamaged`."""
    if check and is_initialised(path):
        probe(path, full=True)
    stored = _stored(path)
    engine = _engine(path, stored.free_bytes)
    face: Face = {
        "path": str(path),
        **engine,
        "instances": stored.instances,
        "tasks_offered": stored.tasks_offered,
        "last_commit_at": stored.last_commit_at or None,
        "used_bytes": stored.used_bytes,
        "file_bytes": stored.file_bytes,
        "free_bytes": stored.free_bytes,
        "in_kernel": _in_kernel(path),
        "checked": check,
    }
    if is_json:
        say_json(face)
    else:
        for line in _lines(path, face, stored):
            say(line)
    return COMPLETED


def _stored(path: Path) -> StateStatus:
    with opened(path) as store:
        reader = StateReader(store)
        counts = Counter(header.state.value for header in reader.headers())
        tasks_offered = reader.tasks_offered()
        data = store.get(STAMP)
        used_bytes = store.used_bytes()
    stamp = decode_stamp(data) if data else Stamp()
    return StateStatus(
        instances=dict(sorted(counts.items())),
        tasks_offered=tasks_offered,
        last_commit_at=stamp.wall_s,
        used_bytes=used_bytes,
        file_bytes=(path / DATA).stat().st_blocks * 512,  # what it takes on disk: the file may be sparse
        free_bytes=shutil.disk_usage(path).free,
    )


def _engine(path: Path, free_bytes: int) -> Face:
    """Return what the engine says of itself, or that there is none."""
    pid = owner(path)
    if pid is None:
        problem = "the disk is full; free some space before the next run" if free_bytes < LITTLE_BYTES else ""
        return {"pid": None, "health": "stopped", "problem": problem, "running": []}
    try:
        return ask_engine(path, StatusRequest(), PATIENCE_S)
    except (OSError, LineTooLong, PlacetError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer in time"
        return {"pid": pid, "health": "silent", "problem": f"it does not answer: {reason}", "running": []}


def _in_kernel(path: Path) -> Face | None:
    """Return the user code that holds the kernel, or held it when its process died; None: nothing does for long."""
    seen = marked(path)
    if seen is not None and owner(path) is not None:
        threading.Event().wait(HUNG_AFTER_S)
        seen = seen if marked(path) == seen else None
    return None if seen is None else {"id": seen.instance, "transition": seen.path}


def _lines(path: Path, face: Face, stored: StateStatus) -> list[str]:
    pid = face["pid"]
    lines = [
        f"state {path}",
        "engine: none" if pid is None else f"engine: process {pid or 'unknown'}, {face['health']}",
    ]
    if face["problem"]:
        lines.append(f"problem: {face['problem']}")
    counts = ", ".join(f"{count} {state}" for state, count in stored.instances.items())
    lines.append(f"instances: {sum(stored.instances.values())}{f' ({counts})' if counts else ''}")
    if stored.tasks_offered:
        lines.append(f"waiting for a person: {stored.tasks_offered} tasks; placet tasks lists them")
    ago = f", {duration(wall_s() - stored.last_commit_at)} ago" if stored.last_commit_at else ""
    lines.append(f"last commit: {moment(stored.last_commit_at)}{ago}")
    disk = f"{size(stored.used_bytes)} used, file {size(stored.file_bytes)}, {size(stored.free_bytes)} free"
    lines.append(f"disk: {disk}")
    if face["checked"]:
        lines.append("checked: every page and value is intact")
    with suppress(KeyError):
        lines.append(f"since its start: {face['firings']} firings, {face['commits']} commits, {face['queued']} queued")
    for handler in cast("list[Face]", face["running"]):
        took = duration(cast("float", handler["since_s"]))
        lines.append(f"runs: {handler['id']} {handler['transition']}, attempt {handler['attempt']}, for {took}")
    for name, reason in cast("dict[str, str]", face.get("not_loaded", {})).items():
        lines.append(f"not loaded: workflow {name} ({reason})")
    kernel = cast("Face | None", face["in_kernel"])
    if kernel is not None:
        verb = "holds" if pid is not None else "held, when its process died,"
        lines.append(f"user code that {verb} the kernel: {kernel['id']} {kernel['transition']}")
    return lines
