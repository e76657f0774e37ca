"""What `make demo` shows: the net, a kill, a resumption, and that nothing was lost or doubled."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.project.sources import ROOT


def figure(text: str, label: str) -> int:
    found = re.search(rf"^{re.escape(label)}\s+(\d+)\s*$", text, flags=re.MULTILINE)
    assert found, f"no line {label!r} in\n{text}"
    return int(found[1])


def test_the_demo_kills_and_finishes_a_run(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / "demo.py")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONUTF8": "1", "TMPDIR": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=150,
    )
    said = answer.stdout
    assert answer.returncode == 0, said + answer.stderr
    assert "\x1b" not in said, "plain when piped"
    assert figure(said, "tasks") == 73
    assert figure(said, "counted before the kill") + figure(said, "counted after it") == 73
    assert figure(said, "counted before the kill") > 0
    assert figure(said, "attempts cut off by the kill, and made again") > 0
    assert figure(said, "tasks that counted twice") == 0
    assert "mDiffFit     21" in said
    assert "Every task counted once, and after its parents." in said
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"
