"""User code that kills its process: it is found out, set aside for a person, and nobody else is blamed."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.processes import finished

DEADLY_HANDLER = """
import json
import os
import signal

from placet import NotCompleted, Runtime, Workflow

deadly = Workflow("deadly")
start, middle, done = deadly.places("start middle done")


@deadly.transition(start >> middle)
def work(value):
    if value == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return value


deadly.transition(middle >> done, "end", handler=lambda value: value)

if __name__ == "__main__":
    ids = ["deadly"] + [f"neighbour-{number}" for number in range(6)]
    states = {}
    with Runtime("state", [deadly], threads=4) as runtime:
        spawned = [runtime.spawn_later(deadly, {start: [id.partition("-")[0]]}, id=id) for id in ids]
        instances = [future.result() for future in spawned]
        for instance in instances:
            try:
                instance.result(timeout_s=30)
            except NotCompleted as error:
                pass
            history = [record.kind for _, record in instance.history()]
            failures = [failure.type for incident in instance.view().incidents for failure in incident.failures]
            states[instance.id] = (instance.state.value, history.count("fired"), history.count("lost"), failures)
    print(json.dumps(states))
"""


def runs(program: str, folder: Path) -> tuple[list[int], Any]:  # `Any`: what the program writes
    """Run a program until it ends by itself; return the signals that ended it before, and what it wrote."""
    file = folder / "program.py"
    file.write_text(program, encoding="utf-8")
    codes: list[int] = []
    for _ in range(10):
        code, out, err = finished([file.name], cwd=folder)
        if code >= 0:
            assert code == 0, err
            return codes, json.loads(out)
        codes.append(code)
    raise AssertionError(f"a crash loop: {codes}")


def test_a_handler_that_kills_its_process_is_an_incident_and_its_neighbours_complete(tmp_path: Path) -> None:
    codes, states = runs(DEADLY_HANDLER, tmp_path)
    assert codes == [-signal.SIGKILL] * 6, "three times beside others, three times alone"
    assert states.pop("deadly") == ["incident", 0, 6, ["Lost"] * 6]
    assert len(states) == 6
    for state, fired, lost, failures in states.values():
        assert (state, fired, failures) == ("completed", 2, [])
        assert lost <= 3, "a neighbour is lost with it only while it is not alone"


IN_KERNEL = """
import json
import os
import signal

from placet import InstanceState, Runtime, Workflow


def kill(value):
    if value == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return value


deadly = Workflow("deadly")
start, done = deadly.places("start done")
deadly.transition(start >> done, "{name}", handler={handler}, guard={guard}, run="inline")

if __name__ == "__main__":
    with Runtime("state", [deadly]) as runtime:
        neighbours = [runtime.spawn(deadly, {{start: ["harmless"]}}, id=f"before-{{n}}") for n in range(3)]
        instance = runtime.spawn(deadly, {{start: ["deadly"]}}, id="deadly")
        instance.wait_until([InstanceState.INCIDENT], timeout_s=30)
        neighbours += [runtime.spawn(deadly, {{start: ["harmless"]}}, id=f"after-{{n}}") for n in range(3)]
        for neighbour in neighbours:
            neighbour.result(timeout_s=30)
        (incident,) = instance.view().incidents
        print(json.dumps([incident.kind, incident.transition, incident.failures[-1].type]))
"""


INNOCENT = """
import json
import os
import signal
import threading

from placet import NotCompleted, Runtime, Workflow

inside = threading.Event()


def slow(value):
    inside.set()
    threading.Event().wait(0.3)
    return True


innocent = Workflow("innocent")
start, done = innocent.places("start done")
innocent.transition(start >> done, "move", handler={handler}, guard={guard}, run="inline")

killer = Workflow("killer")
begin, end = killer.places("begin end")


@killer.transition(begin >> end)
def kill(value):
    inside.wait(1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    with Runtime("state", [innocent, killer]) as runtime:
        guilty = runtime.spawn(killer, {{begin: [0]}}, id="guilty")
        result = runtime.spawn(innocent, {{start: [1, 2, 3]}}, id="innocent").result(timeout_s=30)
        try:
            guilty.result(timeout_s=30)
        except NotCompleted:
            print(json.dumps([result, guilty.state.value]))
"""


@pytest.mark.parametrize(("handler", "guard"), [("slow", "None"), ("None", "slow")], ids=["inline", "guard"])
def test_user_code_that_was_in_the_kernel_when_a_handler_killed_the_process_is_not_blamed(
    tmp_path: Path, handler: str, guard: str
) -> None:
    codes, (result, state) = runs(INNOCENT.format(handler=handler, guard=guard), tmp_path)
    assert len(codes) <= 6
    assert (len(result["done"]), state) == (3, "incident")


@pytest.mark.parametrize("name", ["move", "ö" * 3_000], ids=["short", "longer than the mark"])
def test_an_inline_handler_that_kills_its_process_is_not_run_a_third_time(tmp_path: Path, name: str) -> None:
    codes, found = runs(IN_KERNEL.format(name=name, handler="kill", guard="None"), tmp_path)
    assert codes == [-signal.SIGKILL] * 2
    assert found == ["firing", name, "CrashSuspect"]


def test_a_guard_that_kills_its_process_is_not_run_a_third_time(tmp_path: Path) -> None:
    codes, found = runs(IN_KERNEL.format(name="move", handler="None", guard="kill"), tmp_path)
    assert codes == [-signal.SIGKILL] * 2
    assert found == ["guard", "move", "CrashSuspect"]
