"""Instances spawned from many threads by a process that is killed: what was acknowledged is there, once."""

import random
from collections import Counter
from pathlib import Path

from placet.actors.reader import StateReader
from placet.persistence.lmdb_store import LmdbReader
from tests.endtoend.processes import finished, kill, started, until

PROGRAM = """
import os
import sys
import threading

from placet import InstanceState, Runtime, Workflow

THREADS, EACH, AT_ONCE = 8, {each}, 50

workflow = Workflow("many")
start, middle, done = workflow.places("start middle done")
workflow.transition(start >> middle, "first", handler=abs)
workflow.transition(middle >> done, "second", handler=abs, run="inline")


def spawn_all(runtime, thread):
    log = os.open("acknowledged", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for begin in range(0, EACH, AT_ONCE):
        numbers = [thread * EACH + begin + n for n in range(AT_ONCE)]
        futures = [runtime.spawn_later(workflow, {{start: [n]}}, id=f"i{{n}}") for n in numbers]
        ids = [future.result().id for future in futures]
        os.write(log, "".join(f"{{id}}\\n" for id in ids).encode())


with Runtime("state", [workflow]) as runtime:
    threads = [threading.Thread(target=spawn_all, args=(runtime, n)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(THREADS * EACH):
        runtime.instance(f"i{{number}}").wait_until([InstanceState.COMPLETED], timeout_s=60)
"""
EACH, WANTED = 1_250, 10_000


def headers(folder: Path) -> Counter[tuple[str, str]]:
    """Return how many instances there are, by (id, state), as the disk has it."""
    reader = LmdbReader.open(folder / "state")
    try:
        return Counter((header.instance, header.state.value) for header in StateReader(reader).headers())
    finally:
        reader.close()


def acknowledged(folder: Path) -> set[str]:
    log = folder / "acknowledged"
    return set(log.read_text().split("\n")[:-1]) if log.exists() else set()


def test_what_was_acknowledged_exists_once_after_a_kill(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM.format(each=EACH), encoding="utf-8")
    wanted = random.Random(5).randint(WANTED // 4, WANTED // 2)
    with started(["program.py"], cwd=tmp_path) as process:
        until(lambda: len(acknowledged(tmp_path)) > wanted, "half of them are spawned", process)
        kill(process)
    known, before = acknowledged(tmp_path), headers(tmp_path)
    assert wanted < len(known) < WANTED, "it was killed in the middle"
    assert known <= {id for id, _ in before}
    code, _, err = finished(["program.py"], cwd=tmp_path)
    assert code == 0, err
    assert headers(tmp_path) == Counter((f"i{n}", "completed") for n in range(WANTED))
