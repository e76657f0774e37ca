"""What came of a run: for people on a few lines, for programs on the last line of standard output."""

from dataclasses import dataclass
from pathlib import Path

from placet.actors.clock import monotonic_s
from placet.actors.errors import NotCompleted, WaitTimeout
from placet.actors.lifecycle import InstanceState
from placet.actors.reader import InstanceView, StateReader
from placet.cli.errors import COMPLETED, ENDED, SIGNALLED, TIMED_OUT, error_face
from placet.cli.output import note, say, say_json, shown
from placet.cli.signals import Interrupted
from placet.persistence.errors import StateMissing
from placet.persistence.lmdb_store import LmdbReader
from placet.persistence.preview import to_json

SHOWN_PLACES = 10
SHOWN_VALUES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An instance to which nothing more will happen by itself."""

    view: InstanceView
    reason: str  # one line, for one that has not completed
    elapsed_s: float  # of this command


def run_face(view: InstanceView, elapsed_s: float) -> dict[str, object]:
    """Return what the last line of `placet run --json` begins with."""
    header = view.header
    return {
        "id": header.instance,
        "workflow": header.workflow,
        "version": header.version,
        "state": header.state.value,
        "firings": view.fired,
        "elapsed_s": round(elapsed_s, 3),
        "incidents": len(view.incidents),
    }


def report(ended: Ended, command: str, *, is_json: bool) -> int:
    """Write what came of a run and return the exit code."""
    view = ended.view
    face = run_face(view, ended.elapsed_s)
    if view.header.state is InstanceState.COMPLETED:
        results = {place: [to_json(value) for value in values] for place, values in sorted(view.marking.items())}
        if is_json:
            say_json({**face, "result": results})
        else:
            _say_completed(view, results, ended.elapsed_s)
        return COMPLETED
    error = NotCompleted(view.header.instance, _advised(ended, command), view.header.state.value)
    note(str(error))
    if is_json:
        say_json({**face, "error": error_face(error)})
    return ENDED


def _say_completed(view: InstanceView, results: dict[str, list[object]], elapsed_s: float) -> None:
    say(f"{view.header.instance} completed: {view.fired} firings, {elapsed_s:.1f} s")
    for place in list(results)[:SHOWN_PLACES]:
        values = results[place]
        more = f" and {len(values) - SHOWN_VALUES} more" if len(values) > SHOWN_VALUES else ""
        say(f"  {place}: {', '.join(shown(value) for value in values[:SHOWN_VALUES])}{more}")
    if len(results) > SHOWN_PLACES:
        say(f"  and {len(results) - SHOWN_PLACES} more places; placet show lists them")


def _advised(ended: Ended, command: str) -> str:
    """Return why it has not completed, and what to do."""
    if ended.view.incidents:
        return f"{ended.reason}; placet retry, skip or fail it, then go on with: {command}"
    if ended.view.header.state is InstanceState.INCIDENT:
        return f"{ended.reason}, then go on with: {command}"
    return f"{ended.reason}; placet show has the details"


def report_stopped(
    view: InstanceView | None,
    id: str,
    stop: Interrupted | WaitTimeout,
    command: str,
    begin_s: float,
    *,
    is_json: bool,
    goes_on: str = "",
) -> int:
    """Say that a run was stopped before its end, and how to go on; return the exit code.

    `goes_on` says what happens to the instance meanwhile.
    """
    reason = f"stopped by {stop.name}" if isinstance(stop, Interrupted) else stop.reason
    note(f"{reason}{goes_on}; to go on: {command}")
    if is_json:
        face = run_face(view, monotonic_s() - begin_s) if view else {"id": id, "state": "", "firings": 0}
        say_json({**face, "error": {**error_face(stop), "message": reason}, "resume": command})
    return SIGNALLED + stop.number if isinstance(stop, Interrupted) else TIMED_OUT


def stored_view(state: Path, id: str) -> InstanceView | None:
    """Return an instance of a state; None: there is none."""
    try:
        store = LmdbReader.open(state)
    except StateMissing:
        return None
    try:
        return StateReader(store).instance(id)
    finally:
        store.close()
