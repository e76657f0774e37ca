"""`placet inspect`, `restart` and `sleep` beside an engine, and where there is none."""

from pathlib import Path

from placet import Runtime, Workflow
from tests.cli.commands import placet
from tests.cli.conftest import Call


def flow() -> Workflow:
    inner = Workflow("inner-of-actors")
    given, checked = inner.places("given checked")
    inner.task(given >> checked, "check")
    outer = Workflow("outer-of-actors")
    start, done = outer.places("start done")
    outer.composite("part", inner, {given: start, checked: done})
    return outer


def test_an_actor_is_looked_at_restarted_and_put_to_sleep(tmp_path: Path) -> None:
    state = tmp_path / "state"
    workflow = flow()
    with Runtime(state, [workflow]) as runtime:
        instance = runtime.spawn(workflow, {"start": [5]}, id="one")
        found = placet("inspect", "one/part/given", "--state", state, "--json").face
        assert (found["instance"], found["path"]) == ("one", "part/given")
        assert [entry["value"] for entry in found["entries"]] == [5]
        lines = placet("inspect", "one/start", "--state", state).out.splitlines()
        assert len(lines) == 1
        assert lines[0].endswith(": 5")
        for verb, said in (("restart", "restarted"), ("sleep", "asleep")):
            assert placet(verb, "one/part", "--state", state).out == f"one/part: {said}\n"
            assert placet(verb, "one/part", "--state", state, "--json").face["state"] == "waiting"
        assert instance.marking() == {"start": [5]}
        assert [record.kind for _, record in instance.history()].count("restarted") == 2
        missing = placet("inspect", "one/nowhere", "--state", state, "--json")
        assert missing.code != 0
        assert len(missing.err.splitlines()) == 1
        assert placet("inspect", "nobody", "--state", state, "--json").error["code"] == "not_found"


def test_without_an_engine_it_says_how_to_start_one(call: Call, tmp_path: Path) -> None:
    state = tmp_path / "state"
    workflow = flow()
    with Runtime(state, [workflow]) as runtime:
        runtime.spawn(workflow, {"start": [5]}, id="one")
    answer = call("restart", "one", "--state", state, "--json")
    assert (answer.code, answer.error["code"]) == (1, "engine_stopped")
    assert "placet serve --state" in answer.err
