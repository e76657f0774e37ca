"""On a terminal: a live bar, colours unless `NO_COLOR` is set, and nothing of it left behind."""

import os
import pty
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.commands import DEADLINE_S, attempts, command, until

COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|38;[0-9;]+)m")
CURSOR = re.compile(r"\x1b\[[0-9;]*[A-HJK]")


def on_a_terminal(*arguments: object, env: Mapping[str, str], meanwhile: Path, folder: Path) -> tuple[int, str]:
    """Run a command on a terminal of its own until the bar names a transition; return its code and what it wrote."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "160", **env}
    process = subprocess.Popen(command(*arguments), stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    try:
        until(lambda: attempts(folder), "the handler begins")
        seen = b""
        while b"hold" not in seen:
            seen += os.read(master, 65536)
        meanwhile.unlink()
        while chunk := _read(master):
            seen += chunk
        return process.wait(DEADLINE_S), seen.decode()
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # the other side is closed
        return b""


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_live_bar_shows_up(slow: Path, tmp_path: Path, env: Mapping[str, str], coloured: bool) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    code, seen = on_a_terminal(
        "run",
        slow,
        "--state",
        tmp_path / "state",
        "--id",
        "one",
        "--input",
        "5",
        env=env,
        meanwhile=hold,
        folder=tmp_path,
    )
    assert code == 0
    assert "0 firings" in seen
    assert re.search(r"running, now hold \([0-9.]+ s\)", seen)
    assert CURSOR.search(seen)
    assert bool(COLOUR.search(seen)) is coloured
    assert "one completed: 2 firings" in seen.splitlines()[-2]


def test_json_on_a_terminal_is_plain(slow: Path, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command("run", slow, "--state", tmp_path / "state", "--id", "one", "--input", "5", "--json"),
        stdout=slave,
        stderr=slave,
        stdin=slave,
    )
    os.close(slave)
    seen = b""
    while chunk := _read(master):
        seen += chunk
    os.close(master)
    assert process.wait(DEADLINE_S) == 0
    assert not hold.exists()
    assert b"\x1b" not in seen
    assert seen.startswith(b"{")
