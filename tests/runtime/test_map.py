"""Maps on a real engine: every executor, and processes that end in the middle."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from placet import Context, Runtime, Workflow
from placet.actors.catalog import is_same
from placet.petri.behaviour import Handler
from tests.cli.commands import placet

ITEMS, THREADS = 120, 4

DYING = f"""
import os
from pathlib import Path

from placet import Workflow

log = Path(__file__).with_name("log")
dying = Workflow("dying")
lists, done = dying.places("lists done")


def note(item):
    file = os.open(log, os.O_CREAT | os.O_APPEND | os.O_RDWR)
    os.write(file, f"{{item}}\\n".encode())
    lines = os.pread(file, 1_000_000, 0).count(b"\\n")
    os.close(file)
    if lines >= {ITEMS // 3}:  # a line may have come in between
        os._exit(9)
    return -item


dying.map("note", lists >> done, note)
"""


def test_every_item_counts_once_however_often_the_process_is_killed(tmp_path: Path) -> None:
    file = tmp_path / f"dying_{tmp_path.name}.py"
    file.write_text(DYING, encoding="utf-8")
    given = json.dumps({"lists": [list(range(ITEMS)), []]})
    command = ("run", file, "--state", tmp_path / "state", "--id", "one", "--input", given, "--json")
    deaths, done = 0, set[int]()
    while (answer := placet(*command, "--threads", THREADS)).code == 9:
        assert done.isdisjoint(begun := begun_items(tmp_path / "log")), "an item that was done was done again"
        assert begun, deaths
        (tmp_path / "log").rename(tmp_path / f"log-{deaths}")
        deaths += 1
        marking = placet("show", "one", "--state", tmp_path / "state", "--json").face["marking"]
        done = {piece["item"] * -1 for piece in marking.get("note_results", ())}
    assert done.isdisjoint(begun_items(tmp_path / "log"))
    assert (answer.code, deaths >= 2) == (0, True)
    assert sorted(answer.face["result"]["done"], key=len) == [[], [-item for item in range(ITEMS)]]


def begun_items(log: Path) -> set[int]:
    return {int(line) for line in log.read_text("utf-8").split()} if log.exists() else set()


def double(value: int, context: Context) -> tuple[int, bool]:
    return 2 * value, "#" in context.firing_id


async def double_later(value: int) -> tuple[int, bool]:
    return 2 * value, True


def double_quickly(value: int) -> tuple[int, bool]:
    return 2 * value, True


@pytest.mark.parametrize(
    ("each", "run"),
    [(double, None), (double_later, None), (double, "process"), (double_quickly, "inline"), (double, "hybrid")],
)
def test_items_run_on_any_executor(each: Handler, run: str | None, tmp_path: Path) -> None:
    workflow = Workflow("doubling")
    lists, done = workflow.places("lists done")
    workflow.map("double", lists >> done, each, run=run)
    with Runtime(tmp_path, workflows=[workflow]) as runtime:
        instance = runtime.spawn(workflow, {lists: [[3, 1, 2]]}, id="one")
        assert instance.result(timeout_s=60) == {"done": [[(6, True), (2, True), (4, True)]]}


def varied(*, plain: bool) -> Workflow:
    each: Callable[[int], int]
    if plain:
        each = lambda value: value  # noqa: E731  two functions of one name
    else:
        each = lambda value: value * 2  # noqa: E731  likewise
    return mapped(each)


def mapped(each: Handler) -> Workflow:
    workflow = Workflow("mapped")
    lists, done = workflow.places("lists done")
    workflow.map("each", lists >> done, each)
    return workflow


def test_maps_are_of_the_same_code_where_their_functions_are() -> None:
    assert varied(plain=True).definition().version == varied(plain=False).definition().version
    assert is_same(varied(plain=True).definition(), varied(plain=True).definition())
    assert not is_same(varied(plain=True).definition(), varied(plain=False).definition())
