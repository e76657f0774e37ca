"""`placet draw`: which picture is written where, and what goes on in an instance."""

import errno
import json
import os
import pty
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.commands import DEADLINE_S, ESCAPE, attempts, command, ended, running, until
from tests.cli.conftest import Call

DOCS = Path(__file__).resolve().parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> set[str]:
    """Return what stands written in a picture."""
    return {element.text or "" for element in ElementTree.fromstring(picture).iter(f"{SVG}text")}


def ran(call: Call, file: Path, state: Path) -> None:
    assert call("run", file, "--state", state, "--id", "one", "--input", "20").code == 0


def broken(call: Call, slow: Path, tmp_path: Path) -> Path:
    """Return a state with an instance in an incident."""
    (tmp_path / "break").touch()
    assert call("run", slow, "--state", tmp_path / "state", "--id", "one", "--input", "5").code == 1
    return tmp_path / "state"


def test_a_file_as_svg_on_standard_output(call: Call, quick: Path) -> None:
    answer = call("draw", quick, "--svg", "-")
    assert (answer.code, answer.err) == (0, "")
    assert {"start", "double", "doubled", "increment", "done"} <= texts(answer.out)


def test_the_picture_in_the_docs_is_that_of_the_tutorial(call: Call, tmp_path: Path) -> None:
    match = re.search(r"^```python orders.py\n(.*?)^```$", (DOCS / "tutorial.md").read_text("utf-8"), re.M | re.S)
    assert match
    file = tmp_path / "orders_of_the_tutorial.py"
    file.write_text(match[1], encoding="utf-8")
    kept = (DOCS / "images" / "orders.svg").read_text(encoding="utf-8")
    drawn = call("draw", file, "--svg", "-").out
    assert words(drawn) == words(kept)  # not the bytes: another Graphviz may put things elsewhere


def words(picture: str) -> list[str]:
    """Return all that a picture says, tooltips too."""
    return [re.sub(r"runs \w+:", "runs :", element.text or "") for element in ElementTree.fromstring(picture).iter()]


def test_an_instance_as_svg_in_a_file(call: Call, slow: Path, tmp_path: Path) -> None:
    state, file = broken(call, slow, tmp_path), tmp_path / "one.svg"
    answer = call("draw", "one", "--state", state, "--svg", file)
    assert (answer.code, answer.out) == (0, f"{file} written\n")
    picture = file.read_text(encoding="utf-8")
    assert {"slow · one · incident", "finish", "incident"} <= texts(picture)
    assert "ValueError: cannot finish 5" in picture


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_picture_that_finds_no_room_leaves_the_one_that_is_there(
    call: Call, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "one.svg"
    file.write_text("the old one", encoding="utf-8")
    link = tmp_path / "link.svg"
    link.symlink_to(file)
    before = set(tmp_path.glob("*.svg*"))
    write = Path.write_text

    def full(path: Path, text: str, *, encoding: str) -> int:
        write(path, text[:10], encoding=encoding)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        answer = call("draw", quick, "--svg", link)
    assert (answer.code, file.read_text(encoding="utf-8")) == (2, "the old one")
    assert set(tmp_path.glob("*.svg*")) == before
    assert call("draw", quick, "--svg", link).code == 0
    assert link.is_symlink()
    assert file.read_text(encoding="utf-8").startswith("<svg")
    assert "No space left" in call("draw", quick, "--svg", "/dev/full").err


def test_svg_for_programs(call: Call, quick: Path, tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "one.svg"
    ran(call, quick, state)
    face = call("draw", "one", "--state", state, "--svg", file, "--json").face
    assert face == {"format": "svg", "file": str(file), "bytes": file.stat().st_size, "tokens": {"done": 1}}
    face = call("draw", "one", "--state", state, "--svg", "-", "--json").face
    assert face == {"format": "svg", "picture": file.read_text(encoding="utf-8"), "tokens": {"done": 1}}


def test_a_file_that_cannot_be_written_is_named(call: Call, quick: Path, tmp_path: Path) -> None:
    answer = call("draw", quick, "--svg", tmp_path / "nowhere" / "x.svg")
    assert answer.code == 2
    assert f"{tmp_path / 'nowhere' / 'x.svg'}: it cannot be written" in answer.err


@pytest.mark.parametrize(
    "options", [("--svg", "-", "--terminal"), ("--svg", "-", "--format", "dot"), ("--terminal", "--format", "text")]
)
def test_one_picture_at_a_time(call: Call, quick: Path, options: tuple[str, ...]) -> None:
    answer = call("draw", quick, *options)
    assert (answer.code, answer.out) == (2, "")
    assert "exclude each other" in answer.err


def test_a_format_there_is_not(call: Call, quick: Path) -> None:
    answer = call("draw", quick, "--format", "png")
    assert answer.code == 2
    assert "mermaid, dot, text" in answer.err


def test_formats_of_text_show_the_tokens(call: Call, quick: Path, tmp_path: Path) -> None:
    ran(call, quick, tmp_path / "state")
    for notation, part in (("text", "done (1)"), ("mermaid", "done #40;1#41;"), ("dot", 'label="done (1)"')):
        answer = call("draw", "one", "--state", tmp_path / "state", "--format", notation)
        assert answer.code == 0
        assert part in answer.out
    assert "done (1)" in call("draw", "one", "--state", tmp_path / "state").out


def test_the_drawing_for_terminals_is_plain_in_a_pipe(call: Call, slow: Path, tmp_path: Path) -> None:
    answer = call("draw", "one", "--state", broken(call, slow, tmp_path), "--terminal")
    lines = answer.out.splitlines()
    assert ESCAPE not in answer.out
    assert lines[0] == "slow  one  incident"
    assert [line.split()[1] for line in lines[1:]] == ["start", "hold", "held", "finish", "done"]
    assert "incident (number" in lines[4]
    assert lines[4].endswith("held → done")


def test_the_drawing_for_terminals_for_programs(call: Call, quick: Path, tmp_path: Path) -> None:
    ran(call, quick, tmp_path / "state")
    face = call("draw", "one", "--state", tmp_path / "state", "--terminal", "--json").face
    assert face["format"] == "terminal"
    assert face["picture"].splitlines()[-1].split() == ["●", "done", "•"]


def test_what_runs_and_what_is_held_back(call: Call, slow: Path, tmp_path: Path) -> None:
    hold, state = tmp_path / "hold", tmp_path / "state"
    hold.touch()
    with running("run", slow, "--state", state, "--id", "one", "--input", "5") as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        assert "running (attempt 1, for" in call("draw", "one", "--state", state, "--terminal").out
        assert call("pause", "one", "--state", state, "--by", "eva").code == 0
        hold.unlink()
        until(lambda: "held (1)" in call("show", "one", "--state", state).out, "its result is counted")
        assert {"slow · one · paused", "paused"} <= texts(call("draw", "one", "--state", state, "--svg", "-").out)
        assert call("resume", "one", "--state", state, "--by", "eva").code == 0
        assert ended(process).code == 0


def test_what_a_stuck_instance_lacks(call: Call, tmp_path: Path) -> None:
    file = tmp_path / f"stuck_{tmp_path.name}.py"
    file.write_text(
        "from placet import Workflow\n"
        'stuck = Workflow("stuck")\na, b, c = stuck.places("a b c")\n'
        'stuck.transition((a & b) >> c, "join")\n'
    )
    assert call("run", file, "--state", tmp_path / "state", "--id", "one", "--input", '{"a": [1]}').code == 1
    drawn = call("draw", "one", "--state", tmp_path / "state", "--svg", "-").out
    assert {"stuck · one · stuck", "stuck"} <= texts(drawn)
    assert "transition join; moves values through; stuck: " in drawn


@pytest.mark.parametrize("target", ["one", "file"])
def test_on_a_terminal_an_instance_is_drawn_line_by_line(call: Call, quick: Path, tmp_path: Path, target: str) -> None:
    ran(call, quick, tmp_path / "state")
    arguments = ("draw", quick if target == "file" else "one", "--state", tmp_path / "state")
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    process = subprocess.Popen(command(*arguments), stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    seen = b""
    while chunk := _read(master):
        seen += chunk
    os.close(master)
    assert process.wait(DEADLINE_S) == 0
    assert (ESCAPE.encode() in seen) == (target == "one")
    assert ("──double──▶" in seen.decode()) == (target == "file")


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # the other side is closed
        return b""


def test_without_the_library_the_error_names_the_extra(quick: Path, tmp_path: Path) -> None:
    (tmp_path / "pygraphviz.py").write_text('raise ImportError("no such library here")\n')
    without = {**os.environ, "PYTHONPATH": str(tmp_path)}
    answer = subprocess.run(
        command("draw", quick, "--svg", "-", "--json"),
        env=without,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 2
    assert answer.stderr == (
        "placet: drawing needs pygraphviz, which cannot be loaded (no such library here); pip install 'placet[draw]'\n"
    )
    assert json.loads(answer.stdout)["error"]["code"] == "layout_missing"
