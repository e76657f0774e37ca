"""What a task of a trace does when it fires: it takes its time, and can leave a line in a file of its own."""

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from placet.actors.context import Context

LOG_VARIABLE = "PLACET_TRACE_LOG"  # names the file that every attempt appends a line to; unset: none


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHandler:
    """Stands in for the program of one task: waits as long as it took, times the scale, and returns its id."""

    task: str
    sleep_s: float
    log: Path | None = None  # None: the file named by `PLACET_TRACE_LOG`, if any

    def __call__(self, *_values: object, context: Context) -> str:
        """Run one attempt: log that it begins, wait, return the task's id."""
        log = self.log or os.environ.get(LOG_VARIABLE)
        if log:
            append_line(log, {"task": self.task, "firing": context.firing_id, "attempt": context.attempt})
        if self.sleep_s > 0:  # nobody sets the event: it is a wait and nothing else
            threading.Event().wait(min(self.sleep_s, threading.TIMEOUT_MAX))
        return self.task


def append_line(file: Path | str, record: dict[str, object]) -> None:
    """Append one JSON line in one write, so that lines of many threads and processes never mix."""
    line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
