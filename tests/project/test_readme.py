"""What the README says is true: its program runs, its commands exist, its links lead somewhere."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.sources import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)[^)]*\)")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def run(program: Path) -> str:
    answer = subprocess.run(
        [sys.executable, "-W", "error", program.name],
        cwd=program.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_program_runs_and_a_second_run_finds_the_same_instance(tmp_path: Path) -> None:
    (text,) = blocks("python")
    program = tmp_path / "orders.py"
    program.write_text(text, encoding="utf-8")
    first = run(program)
    (order,) = ast.literal_eval(first)
    assert order["total"] == 1800
    assert "order-17" in order["parcel"]
    assert run(program) == first


def test_exactly_two_commands_stand_near_the_top_and_the_makefile_has_them() -> None:
    (commands,) = blocks("sh")
    assert README.index(commands) < README.index("```python")
    assert [line.split("#")[0].strip() for line in commands.splitlines()] == ["make demo", "make test"]
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert {"demo", "test"} <= targets


@pytest.mark.parametrize(
    "page",
    [path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *sorted(ROOT.glob("docs/**/*.md")))],
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    path = ROOT / page
    missing = [link for link in LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / link).exists()]
    assert not missing
