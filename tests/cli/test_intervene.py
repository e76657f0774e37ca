"""A person steps in, beside a running engine and without one: the same answers, the same records."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.cli.commands import Answer, Face, attempts, ended, placet, running, until
from tests.cli.conftest import Call


@contextmanager
def served(state: Path, *, with_engine: bool) -> Generator[None]:
    """Keep an engine over the state, or none."""
    if not with_engine:
        yield
        return
    with running("serve", "--state", state, "--json") as process:
        until((state / "control.sock").exists, "the engine can be reached")
        yield
        process.send_signal(signal.SIGTERM)
        assert ended(process).code == 0


def incident_of(call: Call, state: Path) -> int:
    (incident,) = call("show", "one", "--state", state, "--json").face["incidents"]
    return int(incident["number"])


def break_down(call: Call, slow: Path, state: Path) -> int:
    """Bring an instance to an incident and return its number."""
    (slow.parent / "break").touch()
    assert call("run", slow, "--state", state, "--id", "one", "--input", '"v"').code == 1
    return incident_of(call, state)


def record_of(call: Call, state: Path, kind: str) -> Face:
    (record,) = [face for face in call("history", "one", "--state", state, "--json").faces if face["kind"] == kind]
    return record


def accepted(answer: Answer, *, with_engine: bool) -> Face:
    assert (answer.code, answer.err) == (0, ""), answer
    assert bool(answer.face["engine"]) is with_engine
    assert answer.face["id"] == "one"
    return answer.face


engines = pytest.mark.parametrize("with_engine", [True, False], ids=["engine", "alone"])


@engines
def test_skip_with_an_output(call: Call, slow: Path, tmp_path: Path, with_engine: bool) -> None:
    state = tmp_path / "state"
    number = break_down(call, slow, state)
    with served(state, with_engine=with_engine):
        wrong = call("skip", "one", number + 1, "--output", "1", "--state", state, "--json")
        assert (wrong.code, wrong.error["code"], wrong.error["refusal"]) == (1, "refused", "no_incident")
        arguments = ("skip", "one", number, "--output", '{"done": ["w"]}', "--state", state, "--json")
        answer = call(*arguments, "--by", "eva", "--why", "known", "--request-id", "r1")
        face = accepted(answer, with_engine=with_engine)
        assert (face["state"], face["already"], face["next"]) == ("completed", False, [])
        again = call(*arguments, "--by", "eva", "--request-id", "r1")
        assert accepted(again, with_engine=with_engine)["already"] is True
    assert call("show", "one", "--state", state, "--json").face["marking"] == {"done": ["w"]}
    record = record_of(call, state, "skipped")
    assert (record["by"], record["why"], record["incident"]) == ("eva", "known", number)


@engines
def test_wrong_outputs_are_refused(call: Call, tmp_path: Path, with_engine: bool) -> None:
    file = tmp_path / f"forking_{with_engine}.py"
    file.write_text(
        "from placet import Workflow\n"
        'fork = Workflow("fork")\nstart, left, right = fork.places("start left right")\n'
        "@fork.transition(start >> (left & right))\ndef split(value):\n    raise ValueError\n"
    )
    state = tmp_path / "state"
    call("run", file, "--state", state, "--id", "one", "--input", "1")
    number = incident_of(call, state)
    with served(state, with_engine=with_engine):
        for output in ("1", '{"up": [1]}', '{"left": 1, "right": 2}'):
            answer = call("skip", "one", number, "--output", output, "--state", state, "--json")
            assert (answer.code, answer.error["code"]) == (2, "wrong_tokens"), answer
            assert len(answer.err.splitlines()) == 1
        lacking = call("skip", "one", number, "--output", '{"left": [1]}', "--state", state, "--json")
        assert (lacking.code, lacking.error["refusal"]) == (1, "wrong_output")
        both = call("skip", "one", number, "--output", '{"left": [1], "right": [2]}', "--state", state, "--json")
        assert accepted(both, with_engine=with_engine)["state"] == "completed"
    assert call("show", "one", "--state", state, "--json").face["marking"] == {"left": [1], "right": [2]}


@engines
def test_fail_ends_the_instance(call: Call, slow: Path, tmp_path: Path, with_engine: bool) -> None:
    state = tmp_path / "state"
    number = break_down(call, slow, state)
    with served(state, with_engine=with_engine):
        answer = call("fail", "one", number, "--state", state, "--json", "--by", "eva")
        assert accepted(answer, with_engine=with_engine)["state"] == "failed"
    assert record_of(call, state, "fail_requested")["by"] == "eva"
    assert call("run", slow, "--state", state, "--id", "one", "--json").code == 1


def test_retry_beside_an_engine_goes_on_at_once(call: Call, slow: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    number = break_down(call, slow, state)
    with served(state, with_engine=True):
        (tmp_path / "break").unlink()
        accepted(call("retry", "one", number, "--state", state, "--json"), with_engine=True)
        until(lambda: call("list", "--state", state, "--json").face["state"] == "completed", "it completes")


def test_retry_without_an_engine_waits_for_the_next_run_and_says_which(call: Call, slow: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    number = break_down(call, slow, state)
    (tmp_path / "break").unlink()
    face = accepted(call("retry", "one", number, "--state", state, "--json"), with_engine=False)
    assert face["next"] == [f"placet run {slow}:slow --state {state} --id one"]
    assert face["state"] == "running"
    assert len(attempts(tmp_path)) == 1, "no handler was started"
    assert call("run", slow, "--state", state, "--id", "one").code == 0
    kinds = [face["kind"] for face in call("history", "one", "--state", state, "--json").faces]
    assert "waiting" not in kinds, "a command that has no handlers does not say that they are missing"


def test_pause_and_resume_beside_a_run(slow: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (tmp_path / "hold").touch()
    with running("run", slow, "--state", state, "--id", "one", "--input", "5", "--json") as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        paused = accepted(placet("pause", "one", "--state", state, "--json", "--by", "eva"), with_engine=True)
        assert (paused["state"], paused["engine"]) == ("paused", process.pid)
        (tmp_path / "hold").unlink()
        until(lambda: placet("show", "one", "--state", state, "--json").face["firings"] == 1, "what ran is counted")
        again = accepted(placet("pause", "one", "--state", state, "--json"), with_engine=True)
        assert again["already"] is True
        assert process.poll() is None, "it waits"
        accepted(placet("resume", "one", "--state", state, "--json"), with_engine=True)
        answer = ended(process)
    assert answer.code == 0
    assert f"one is paused; placet resume one --state {state}" in answer.err


def test_pause_resume_and_cancel_without_an_engine(call: Call, slow: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (tmp_path / "hold").touch()
    with running("run", slow, "--state", state, "--id", "one", "--input", "5") as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        process.kill()
    for command, then in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelling")):
        assert accepted(call(command, "one", "--state", state, "--json"), with_engine=False)["state"] == then
    answer = call("run", slow, "--state", state, "--id", "one", "--json")
    assert (answer.code, answer.face["state"]) == (1, "cancelled")
    kinds = [face["kind"] for face in call("history", "one", "--state", state, "--json").faces]
    assert kinds.count("lost") == 1, "what a crash cost is counted, whoever opened the state meanwhile"


def test_a_clean_stop_costs_nothing_whoever_opens_the_state_meanwhile(call: Call, slow: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (tmp_path / "hold").touch()
    with running("run", slow, "--state", state, "--id", "one", "--input", "5") as process:
        until(lambda: attempts(tmp_path), "the handler begins")
        process.send_signal(signal.SIGINT)
        assert ended(process).code == 130  # the handler still runs when the grace is over
    for command in ("pause", "resume"):
        accepted(call(command, "one", "--state", state, "--json"), with_engine=False)
    (tmp_path / "hold").unlink()
    assert call("run", slow, "--state", state, "--id", "one").code == 0
    kinds = [face["kind"] for face in call("history", "one", "--state", state, "--json").faces]
    assert "lost" not in kinds


def is_listed(state: Path, id: str) -> bool:
    return f'"id": "{id}"' in placet("list", "--state", state, "--json").out


def test_serve_goes_on_with_every_instance_of_a_state(call: Call, slow: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    trace = tmp_path / "fork.json"
    call("trace", "generate", "forkjoin", "--tasks", 5, "--output", trace)
    (tmp_path / "hold").touch()
    for id, arguments in (("slow", (slow, "--input", "5")), ("trace", (trace, "--time-scale", 0.01))):
        with running("run", arguments[0], "--state", state, "--id", id, *arguments[1:]) as process:
            until(partial(is_listed, state, id), "it is spawned")
            process.kill()
    (tmp_path / "hold").unlink()
    with served(state, with_engine=True):
        until(
            lambda: placet("status", "--state", state, "--json").face["instances"] == {"completed": 2},
            "both complete",
        )
