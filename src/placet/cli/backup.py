"""`placet backup` and `restore`: the whole state as a file, and a state out of one."""

import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from placet.actors.copies.backup import backup as back_up
from placet.cli.errors import COMPLETED
from placet.cli.opened import opened
from placet.cli.output import is_terminal, say, say_json
from placet.cli.text import size
from placet.persistence.restore import restore as restore_state


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


def restore(file: Path, state: Path, *, replace: bool, is_json: bool) -> int:
    """Put a backup in place of a state, once it is found intact."""
    aside = restore_state(file, state, replace=replace)
    go_on = shlex.join(["placet", "serve", "--state", str(state)])
    if is_json:
        say_json({"path": str(state), "backup": str(file), "aside": str(aside) if aside else None, "next": [go_on]})
        return COMPLETED
    say(f"{state} is as {file} has it")
    if aside is not None:
        say(f"what was there before is in {aside}")
    say(f"what happened after the backup will happen again; to go on: {go_on}")
    return COMPLETED
