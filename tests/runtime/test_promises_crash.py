"""Promises about user code inside the kernel that ends its process."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os

from placet import NotCompleted, Runtime, Workflow

deadly = Workflow("deadly")
a, b, c = deadly.places("a b c")
deadly.transition(a >> b, "prepare", handler=lambda value: value)


@deadly.transition(b >> c, run="inline")
def die(value):
    os._exit(9)


with Runtime("state", [deadly]) as runtime:
    try:
        runtime.spawn(deadly, {a: [1]}, id="i", timeout_s=20).result(timeout_s=20)
    except NotCompleted as error:
        print(error.state)
"""


def test_an_inline_handler_that_kills_its_process_twice_is_an_incident(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    ends = [
        subprocess.run(
            [sys.executable, program.name], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        for _ in range(3)
    ]
    assert [end.returncode for end in ends] == [9, 9, 0], ends[-1].stderr
    assert ends[-1].stdout.strip() == "incident"
