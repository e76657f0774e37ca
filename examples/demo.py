"""The demonstration behind `make demo`: a workflow runs, is killed without warning, and finishes all the same.

Everything happens in a temporary folder, through the command `placet` that anyone would use. It takes about
twenty seconds; the exit code is 0 only if every task counted once and after its parents.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from rich.console import Console
from rich.table import Table

from placet.traces.generator import generate_file
from placet.traces.reader import load_trace
from placet.traces.task import LOG_VARIABLE
from placet.traces.trace import Trace

TASKS = 73
BEGUN_AT_KILL = 51  # so that more than half have counted, and some run
COMMAND = ("run", "montage.json", "--state", "state", "--id", "sky", "--time-scale", "1")
HISTORY = ("history", "sky", "--state", "state", "--json")
PATIENCE_S = 60.0  # for either run; it takes about ten seconds

console = Console(highlight=False, soft_wrap=True)


class Begun(TypedDict):
    """A line that a task's handler wrote when it began: its own account, beside the history."""

    task: str
    attempt: int


class Record(TypedDict):
    """A line of `placet history`: here of a task whose result counted."""

    kind: str
    transition: str
    attempt: int


def say(text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]")


def draw(trace: Trace) -> None:
    """Draw the net with all tasks of one program in one line."""
    programs = {task.id: task.name for task in trace.tasks}
    children = trace.children()
    counts = Counter(programs.values())
    widest, most = max(map(len, counts)), max(counts.values())
    for program, count in counts.items():
        below = {programs[child]: None for task in children if programs[task] == program for child in children[task]}
        arrow = f"─▶ {', '.join(below)}" if below else ""
        console.print(f"  {program:{widest}} {count:3} {'●' * count:{most}} {arrow}".rstrip())


def placet(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("placet")), *arguments]


def start(folder: Path) -> "subprocess.Popen[bytes]":
    """Start the run as the leader of a process group of its own, so that it can be killed whole."""
    console.print(f"$ {shlex.join(('placet', *COMMAND))}", style="cyan")
    environment = os.environ | {LOG_VARIABLE: str(folder / "begun.jsonl")}
    return subprocess.Popen(placet(*COMMAND), cwd=folder, env=environment, start_new_session=True)


def kill(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    console.show_cursor(True)  # a progress bar that is killed leaves it hidden


def begun(folder: Path) -> list[Begun]:
    file = folder / "begun.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def counted(folder: Path) -> list[Record]:
    """Return the tasks whose results counted, oldest first."""
    answer = subprocess.run(placet(*HISTORY), cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    records: list[Record] = [json.loads(line) for line in answer.stdout.splitlines()]
    return [record for record in records if record["kind"] == "fired"]


def run_and_kill(folder: Path) -> bool:
    """Run until more than half of the tasks are through, then kill; False if the run ended before."""
    process = start(folder)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while len(begun(folder)) < BEGUN_AT_KILL and time.monotonic() < deadline:
            try:
                process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            return False
        return True
    finally:
        kill(process)


def run_to_the_end(folder: Path) -> bool:
    process = start(folder)
    try:
        return process.wait(timeout=PATIENCE_S) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        kill(process)


def report(trace: Trace, before: list[Record], after: list[Record], attempts: list[Begun]) -> bool:
    """Print what came out, and return whether every task counted once and after its parents."""
    names = [record["transition"] for record in after]
    position = {name: place for place, name in enumerate(names)}
    told = {(line["task"], line["attempt"]) for line in attempts}
    early = [
        task.id
        for task in trace.tasks
        if any(position.get(parent, TASKS) > position.get(task.id, -1) for parent in task.parents)
    ]
    wrong = {
        "tasks that never counted": len({task.id for task in trace.tasks} - set(names)),
        "tasks that counted twice": len(names) - len(set(names)),
        "tasks that counted before a parent": len(early),
        "tasks that counted without having run": sum((one["transition"], one["attempt"]) not in told for one in after),
    }
    figures = {
        "tasks": len(trace.tasks),
        "counted before the kill": len(before),
        "counted after it": len(after) - len(before),
        "attempts cut off by the kill, and made again": len(attempts) - len(after),
        **wrong,
    }
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    for label, figure in figures.items():
        table.add_row(label, str(figure), style="bold red" if figure and label in wrong else "")
    console.print(table)
    return not any(wrong.values())


def main(folder: Path) -> int:
    say("1. A workflow in the shape of Montage, which makes mosaics of the sky: tasks, and what waits for them")
    generate_file("montage", TASKS, folder / "montage.json", seed=7)
    trace = load_trace(folder / "montage.json")
    draw(trace)
    say("2. It runs; half way, the process group is killed with SIGKILL")
    if not run_and_kill(folder):
        say("The run ended before it could be killed.")
        return 1
    before = counted(folder)
    console.print(f"\nKilled: {len(before)} tasks had counted, {len(begun(folder)) - len(before)} were running.")
    say("3. The same command again: it goes on where it was")
    completed = run_to_the_end(folder)
    say("4. What `placet history` says, compared with what the tasks wrote down themselves")
    correct = report(trace, before, counted(folder), begun(folder)) and completed
    say("Every task counted once, and after its parents." if correct else "Something went wrong: please report it.")
    return 0 if correct else 1


if __name__ == "__main__":
    with TemporaryDirectory(prefix="placet-demo-") as temporary:
        try:
            sys.exit(main(Path(temporary)))
        except KeyboardInterrupt:
            sys.exit(130)
