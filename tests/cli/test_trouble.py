"""Trouble while it runs: a full disk, a handler that hangs, an engine that ends by an error."""

import resource
import sys
import threading
from pathlib import Path

import pytest

from placet.persistence.directory import DATA
from tests.cli.commands import attempts, ended, placet, running, until

HANGING = """
from pathlib import Path

from placet import Workflow

here = Path(__file__).parent
hanging = Workflow("hanging")
start, done = hanging.places("start done")


def endless(value):
    (here / "attempts").touch()
    while (here / "hold").exists():
        pass
    return True


hanging.transition(start >> done, "pass_on", guard=endless)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process can be set on Linux only")
def test_a_full_disk_is_waited_out(slow: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (tmp_path / "hold").touch()
    with running("run", slow, "--state", state, "--id", "one", "--input", f'"{"x" * 100_000}"') as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        until((state / "control.sock").exists, "the engine can be reached")
        stderr: list[str] = []
        reading = threading.Thread(target=lambda: stderr.extend(process.stderr or ()), daemon=True)
        reading.start()
        size = (state / DATA).stat().st_size
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        (tmp_path / "hold").unlink()
        until(lambda: stderr, "it says that there is no room")
        status = placet("status", "--state", state, "--json").face
        assert status["health"] == "full"
        assert "full" in str(status["problem"])
        assert process.poll() is None
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert process.wait(30) == 0
        reading.join(30)
    assert len(stderr) == 2
    assert stderr[0].endswith("waiting for room, nothing is lost\n")
    assert stderr[1] == "placet: there is room again; going on\n"
    fired = [face for face in placet("history", "one", "--state", state, "--json").faces if face["kind"] == "fired"]
    assert [face["transition"] for face in fired] == ["hold", "finish"]


def test_status_names_user_code_that_hangs_in_the_kernel(tmp_path: Path) -> None:
    file = tmp_path / "hanging_guard.py"
    file.write_text(HANGING)
    state = tmp_path / "state"
    (tmp_path / "hold").touch()
    with running("run", file, "--state", state, "--id", "one", "--input", "1") as process:
        until((tmp_path / "attempts").exists, "the guard begins")
        until((state / "control.sock").exists, "the engine can be reached")
        status = placet("status", "--state", state, "--json").face
        assert status["in_kernel"] == {"id": "one", "transition": "pass_on"}
        assert "user code that holds the kernel: one pass_on" in placet("status", "--state", state).out.splitlines()
        (tmp_path / "hold").unlink()
        assert ended(process).code == 0
    assert placet("status", "--state", state, "--json").face["in_kernel"] is None


def test_an_engine_that_ends_by_an_error_says_so_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "breaking.py"
    file.write_text(
        "from placet import Workflow\n"
        "from placet.actors.kernel import Kernel\n"
        'w = Workflow("w")\nstart, done = w.places("start done")\nw.transition(start >> done, "move")\n'
        "def broken(self, *arguments, **options):\n    raise RuntimeError('planted')\n"
        "Kernel.run = broken\n"
    )
    answer = placet("run", file, "--state", tmp_path / "state", "--id", "one", "--input", "1", "--json")
    assert answer.code == 1
    (line,) = answer.err.splitlines()
    assert "planted" in line
    assert answer.error["code"] == "engine_stopped"
