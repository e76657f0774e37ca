"""`placet serve`: an engine over a state with the workflows recorded there, until it is told to stop."""

import os
from collections.abc import Sequence
from pathlib import Path

from placet.actors.engine import Health
from placet.actors.errors import EngineStopped
from placet.actors.runtime import Runtime
from placet.cli.capability import capabilities_of
from placet.cli.errors import COMPLETED
from placet.cli.output import note, say, say_json
from placet.cli.signals import Interrupted, Signals
from placet.cli.source import know_files
from placet.persistence.directory import is_initialised
from placet.persistence.errors import StateMissing

LOOK_S = 1.0


def serve(state: Path, threads: int, capabilities: Sequence[str] | None, *, is_json: bool) -> int:
    """Run an engine until a signal comes; stopping it that way is a success."""
    if not is_initialised(state):
        raise StateMissing(str(state))
    given = capabilities_of(capabilities)
    know_files()
    with Signals() as signals:
        try:
            with signals.at_once():
                runtime = Runtime(state, threads=threads, capabilities=given)
            with runtime:
                _say_started(runtime, state, is_json=is_json)
                _watch(runtime, signals)
        except Interrupted as stop:
            note(f"stopped by {stop.name}; the state is as committed")
    return COMPLETED


def _say_started(runtime: Runtime, state: Path, *, is_json: bool) -> None:
    for name, reason in runtime.unknown.items():
        note(f"workflow {name} could not be loaded ({reason}); its instances wait")
    if is_json:
        say_json({"path": str(state), "pid": os.getpid(), "health": runtime.health.value})
    else:
        say(f"engine {os.getpid()} runs over {state}; Ctrl-C stops it")


def _watch(runtime: Runtime, signals: Signals) -> None:
    was = Health.RUNNING
    while True:
        signals.wait(LOOK_S)
        health = runtime.health
        if health is Health.FAILED:
            raise EngineStopped(runtime.problem)
        if health is not was and Health.FULL in (health, was):
            full = f"{runtime.problem}; waiting for room, nothing is lost"
            note(full if health is Health.FULL else "there is room again; going on")
        was = health
