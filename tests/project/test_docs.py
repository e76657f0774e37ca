"""What the pages in docs/ say is true: their tests exist, their programs run, their tables are those of the code."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from benchmarks.catalogue import NAMES
from placet.actors.lifecycle import MOVES, InstanceState
from placet.cli.commands import app
from placet.persistence import keys
from placet.persistence.history import RecordKind
from tests.project.sources import FACADE, PARTS, ROOT, sources

DOCS = ROOT / "docs"
NAMED_TEST = re.compile(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)")
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


# -- semantics --------------------------------------------------------------------------------------------------


def sentences() -> list[str]:
    """Return the bullets of the page, each a promise or a non-promise."""
    return [line for line in page("semantics.md").splitlines() if line.startswith("- ")]


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_sentence_names_a_test_or_says_why_there_is_none() -> None:
    silent = [line for line in sentences() if not NAMED_TEST.search(line) and "*shown by reading*" not in line]
    assert not silent
    assert sum("*shown by reading*" in line for line in sentences()) * 8 <= len(sentences()), "too much is only read"


def test_every_test_that_is_named_exists() -> None:
    named = [match for line in sentences() for match in NAMED_TEST.findall(line)]
    assert named
    missing = [f"{path}::{name}" for name, path in named if not (ROOT / path).is_file() or name not in names_in(path)]
    assert not missing


def test_no_link_names_a_test_in_another_form() -> None:
    text = page("semantics.md")
    assert len(re.findall(r"\]\(\.\./tests/", text)) == len(NAMED_TEST.findall(text))


# -- architecture -----------------------------------------------------------------------------------------------


def states_table() -> str:
    """Return the moves between states as the page has them."""
    lines = ["| from | to |", "|---|---|"]
    for state in InstanceState:
        following = ", ".join(one.value for one in InstanceState if one in MOVES[state])
        lines.append(f"| {state.value} | {following or 'nothing: it has ended'} |")
    return "\n".join(lines)


def test_the_table_of_states_is_that_of_the_code() -> None:
    match = re.search(r"<!-- states -->\n(.*?)\n<!-- /states -->", page("architecture.md"), flags=re.DOTALL)
    assert match
    assert match[1] == states_table()


def test_every_prefix_of_a_key_has_a_row() -> None:
    laid_out = re.findall(r'^[\w ]+: +b"(\w|\\xff)"', keys.__doc__ or "", flags=re.MULTILINE)
    rows = re.findall(r"^\| `(\w|0xFF)\b", page("architecture.md"), flags=re.MULTILINE)
    assert laid_out
    assert sorted(rows) == sorted(prefix.replace(r"\xff", "0xFF") for prefix in laid_out)


def test_every_file_that_the_architecture_names_exists() -> None:
    named = set(re.findall(r"`((?:[\w/]+/)?\w+\.py)`", page("architecture.md")))
    folders = [ROOT, *(ROOT / part for part in PARTS), ROOT / FACADE]
    assert named
    assert not [name for name in sorted(named) if not any((folder / name).is_file() for folder in folders)]


def test_the_architecture_names_every_file_of_the_layers() -> None:
    text = page("architecture.md")
    files = [source.path for source in sources(*PARTS) if not source.path.endswith("__init__.py")]
    assert not [path for path in files if not re.search(rf"\b{re.escape(Path(path).name)}\b", text)]


# -- operations -------------------------------------------------------------------------------------------------


def rows(text: str, heading: str) -> list[str]:
    """Return the first cells of the table that begins with `heading`, without backquotes."""
    _, _, rest = text.partition(f"\n{heading}\n")
    table, _, _ = rest.partition("\n\n")
    return [line.split("|")[1].strip(" `") for line in table.splitlines()[1:]]


def test_the_table_of_history_has_every_kind_of_record() -> None:
    assert rows(page("operations.md"), "| kind | meaning |") == [kind.value for kind in RecordKind]


def commands(group: typer.Typer, before: str = "") -> Iterator[str]:
    """Yield what every command of a group is called by: `run`, `token list`."""
    for command in group.registered_commands:
        yield before + str(command.name or getattr(command.callback, "__name__", ""))
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, f"{before}{inner.name} " if isinstance(inner.name, str) else before)


def test_every_command_is_named() -> None:
    text = page("operations.md")
    names = sorted(commands(app))
    assert {"run", "unclaim", "token list", "trace generate"} <= set(names)
    assert not [name for name in names if not re.search(rf"\bplacet {name}\b|`{name.split()[-1]}`", text)]


# -- benchmarks -------------------------------------------------------------------------------------------------


def test_the_tables_of_figures_and_limits_have_all_that_is_measured() -> None:
    text = page("benchmarks.md")
    cells = rows(text, "| figure | what | held against |") + rows(text, "| figure | what |")
    assert sorted(name.strip("` ") for cell in cells for name in cell.split(",")) == sorted(NAMES)


# -- pages to follow step by step -------------------------------------------------------------------------------


def run(command: list[str] | str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with `python` and `placet` of this environment first on the path."""
    own = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": os.pathsep.join((own, os.environ.get("PATH", ""))), "USER": "eva"}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        shell=isinstance(command, str),
        executable="/bin/bash" if isinstance(command, str) else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def expectation(options: str) -> tuple[str, int]:
    """Return (file name, exit code) of what stands after a block's language: `orders.py`, `exit=1`."""
    words = options.split()
    file = next((word for word in words if "=" not in word), "")
    code = next((int(word.removeprefix("exit=")) for word in words if word.startswith("exit=")), 0)
    return file, code


def told_lines(text: str) -> list[str]:
    """Return the parts of expected output that must be found; `…` stands for anything."""
    return [part.strip() for line in text.splitlines() for part in line.split("…") if part.strip()]


@pytest.mark.skipif(sys.platform != "linux", reason="the commands are written for a Linux shell")
@pytest.mark.parametrize(
    "name",
    [
        "tutorial.md",
        "testing.md",
        "copies.md",
        "nets.md",
        "people.md",
        "handlers.md",
        "executors.md",
        "actors.md",
        "composites.md",
    ],
)
def test_every_step_of_the_page_works(name: str, tmp_path: Path) -> None:
    """Go through the page in order: files are written, programs and commands run, outputs compared."""
    output = ""
    steps = FENCE.findall(page(name))
    assert steps
    for language, options, text in steps:
        file, code = expectation(options)
        match language:
            case "python" | "json":
                (tmp_path / file).write_text(text, encoding="utf-8")
            case "sh":
                answer = run(text, tmp_path)
                output = answer.stdout + answer.stderr
                assert answer.returncode == code, f"{text}\n{output}"
            case "text":
                missing = [part for part in told_lines(text) if part not in output]
                assert not missing, f"{missing} not in\n{output}"
            case _:
                raise AssertionError(language)


# -- decisions --------------------------------------------------------------------------------------------------


def test_decisions_are_numbered_dated_and_short() -> None:
    records = sorted((DOCS / "decisions").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        lines = record.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith(f"# {record.name[:4]}: "), record.name
        assert re.fullmatch(r"\d{4}-\d\d-\d\d, (accepted|replaced by \[\d{4}\]\(.+\))\.", lines[2]), record.name
        assert len(lines) <= 60, record.name
        for part in ("**Context.**", "**Decision.**", "**Rejected.**"):
            assert any(line.startswith(part) for line in lines), f"{record.name}: {part}"
