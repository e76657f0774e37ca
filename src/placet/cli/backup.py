"""`placet backup` and `restore`: the whole state as a file, and a state out of one."""

import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from placet.actors.copies.backup import backup as back_up
from placet.actors.copies.restore import give_up as give_up_lost
from placet.actors.copies.restore import is_of_a_cluster
from placet.actors.copies.restore import restore as restore_state
from placet.cli.errors import COMPLETED
from placet.cli.opened import opened
from placet.cli.output import is_terminal, say, say_json
from placet.cli.text import size


def backup(state: Path, file: Path, *, is_json: bool) -> int:
    """Copy a state to a file, beside a running engine or without one, and check the copy."""
    shows = is_terminal(sys.stderr) and not is_json
    with opened(state) as store:
        try:
            done = back_up(store, state, file, _show if shows else None)
        finally:
            if shows:
                sys.stderr.write("\r\x1b[K")
    if is_json:
        say_json(asdict(done))
    else:
        say(f"{done.file}: {size(done.size_bytes)}, checked")
    return COMPLETED


def _show(copied_bytes: int, all_bytes: int) -> None:
    sys.stderr.write(f"\r\x1b[Kplacet: copied {size(copied_bytes)} of about {size(all_bytes)}")
    sys.stderr.flush()


def restore(file: Path, state: Path, *, replace: bool, gives_up: bool, is_json: bool) -> int:
    """Put a backup in place of a state, once it is found intact; `gives_up`: and begin without what it lacks."""
    aside = restore_state(file, state, replace=replace)
    is_among_others = gives_up or is_of_a_cluster(state)
    given_up = give_up_lost(state) if gives_up else 0
    go_on = "" if is_among_others else shlex.join(["placet", "serve", "--state", str(state)])
    if is_json:
        face = {"path": str(state), "backup": str(file), "aside": str(aside) if aside else None}
        say_json({**face, "given_up": given_up, "next": [go_on] if go_on else []})
        return COMPLETED
    say(f"{state} is as {file} has it")
    if aside is not None:
        say(f"what was there before is in {aside}")
    if gives_up:
        _say_given_up(state, given_up)
    say(f"what happened after the backup will happen again; to go on: {go_on or 'start its node'}")
    return COMPLETED


def give_up(state: Path, *, is_json: bool) -> int:
    """Let an engine of a cluster begin without what it has lost: there is no backup."""
    given_up = give_up_lost(state)
    if is_json:
        say_json({"path": str(state), "backup": None, "aside": None, "given_up": given_up, "next": []})
    else:
        _say_given_up(state, given_up)
    return COMPLETED


def _say_given_up(state: Path, shards: int) -> None:
    if shards:
        say(f"{state} has nothing of {shards} shards: those that the cluster gives its engine begin empty")
    else:
        say(f"{state} has something of every shard; nothing is given up")
