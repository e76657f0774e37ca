"""Actors in a process that is killed again and again: each message, answer and timer counts once."""

import random
from functools import partial
from pathlib import Path

from tests.endtoend.processes import finished, kill, started, until

REQUESTS, KILLS = 100, 6

PROGRAM = """
import os
import sys

from placet import Actor, Runtime

REQUESTS = int(sys.argv[1])


class Counter(Actor[int]):
    def receive(self, count):
        self.state["total"] = self.state.get("total", 0) + count
        return self.state["total"]


class Mover(Actor[object]):
    def receive(self, message):
        if message == "tick":
            self.tell("ticks", 1)
            return None
        self.tell("from", -1)
        self.tell("to", 1)
        self.after(0.001 * (message % 5), "tick")
        self.state["moved"] = self.state.get("moved", 0) + 1
        return self.state["moved"]


with Runtime("state", [Mover, Counter]) as runtime:
    counters = {id: runtime.start(Counter, id=id) for id in ("from", "to", "ticks")}
    mover = runtime.start(Mover, id="mover")
    log = os.open("answers", os.O_RDWR | os.O_APPEND | os.O_CREAT)
    done = len(os.read(log, 1_000_000).splitlines())
    for number in range(max(0, done - 3), REQUESTS):  # the last ones are asked again
        answer = mover.ask(number, request_id=f"r{number}", timeout_s=30)
        assert answer == number + 1, (number, answer)
        if number >= done:
            os.write(log, f"{answer}\\n".encode())
    while counters["ticks"].ask(0, timeout_s=30) < REQUESTS:
        pass
    print({id: one.ask(0, timeout_s=30) for id, one in counters.items()}, mover.state_values())
"""


def test_messages_answers_and_timers_count_once_however_often_the_process_is_killed(tmp_path: Path) -> None:
    (tmp_path / "movers.py").write_text(PROGRAM, encoding="utf-8")
    command, log, luck = ["movers.py", str(REQUESTS)], tmp_path / "answers", random.Random(8)

    def answers() -> int:
        return log.read_text(encoding="utf-8").count("\n") if log.exists() else 0

    def reached(goal: int) -> bool:
        return answers() >= goal

    for _ in range(KILLS):
        goal = min(answers() + luck.randint(1, 15), REQUESTS)
        with started(command, cwd=tmp_path) as process:
            until(partial(reached, goal), f"{goal} answers", process)
            kill(process)
    code, out, error = finished(command, cwd=tmp_path)
    assert (code, error) == (0, "")
    counted = {"from": -REQUESTS, "to": REQUESTS, "ticks": REQUESTS}
    assert out == f"{counted} { ({'moved': REQUESTS}) }\n"
    code, out, error = finished(command, cwd=tmp_path)
    assert (code, error) == (0, "")
    assert out.startswith(str(counted))
