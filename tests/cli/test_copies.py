"""`placet export`, `import`, `backup` and `restore`: beside a running engine and without one."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import attempts, ended, running, until
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


engines = pytest.mark.parametrize("with_engine", [True, False], ids=["engine", "alone"])


@engines
def test_an_instance_goes_out_and_comes_in(call: Call, quick: Path, tmp_path: Path, with_engine: bool) -> None:
    state, file = tmp_path / "state", tmp_path / "one.export"
    assert call("run", quick, "--state", state, "--id", "one", "--input", "1").code == 0
    with served(state, with_engine=with_engine):
        out = call("export", "one", file, "--state", state, "--json")
        assert (out.code, out.err) == (0, "")
        assert (out.face["instance"], out.face["entries"], out.face["records"]) == ("one", 2, 4)
        taken = call("import", file, "--state", state, "--json")
        assert (taken.code, taken.error["code"], taken.error["refusal"]) == (1, "refused", "conflict")
        assert taken.error["message"] == "an instance one exists already; give another one with --id"
        came = call("import", file, "--state", state, "--id", "two", "--by", "eva", "--why", "to try", "--json")
        assert (came.code, came.err) == (0, "")
        assert came.face["state"] == "completed"
        assert bool(came.face["engine"]) is with_engine
    shown = call("show", "two", "--state", state, "--json").face
    assert shown["marking"] == call("show", "one", "--state", state, "--json").face["marking"]
    record = call("history", "two", "--state", state, "--json").faces[-1]
    assert (record["kind"], record["by"], record["why"], record["origin"]) == ("imported", "eva", "to try", "one")


@engines
def test_a_copy_of_what_runs_is_paused_and_goes_on_when_told(
    call: Call, slow: Path, tmp_path: Path, with_engine: bool
) -> None:
    state, other, file = tmp_path / "state", tmp_path / "other", tmp_path / "one.export"
    hold = slow.parent / "hold"
    hold.touch()
    with running("run", slow, "--state", state, "--id", "one", "--input", '"v"') as process:
        until(lambda: attempts(slow.parent), "it holds")
        assert call("export", "one", file, "--state", state).code == 0
        hold.unlink()
        assert ended(process).code == 0
    call("run", slow, "--state", other, "--id", "zero", "--input", '"w"')
    with served(other, with_engine=with_engine):
        came = call("import", file, "--state", other, "--json")
        assert came.face["state"] == "paused"
        assert came.face["next"] == [f"placet resume one --state {other}"]
        told = call("import", file, "--state", other, "--id", "two").out
        assert told.splitlines()[1].endswith(f"to let it go on: placet resume two --state {other}")
        assert call("resume", "one", "--state", other, "--json").code == 0
    assert call("run", slow, "--state", other, "--id", "one").code == 0
    ids = [line.split()[0] for line in attempts(slow.parent)]
    assert len(ids) == len(set(ids)) == 3, "each lineage has firings of its own"


def test_a_place_alone_can_be_looked_at_but_not_imported(call: Call, quick: Path, tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "file"
    call("run", quick, "--state", state, "--id", "one", "--input", "1")
    out = call("export", "one", file, "--place", "done", "--no-history", "--state", state, "--json").face
    assert (out["path"], out["entries"], out["records"]) == ("done", 1, 0)
    assert call("import", file, "--state", state, "--id", "two", "--json").error["code"] == "bad_copy"
    wrong = call("export", "one", tmp_path / "other", "--place", "nowhere", "--state", state)
    assert wrong.err == "placet: one has no place or composite 'nowhere'; placet draw one shows what there is\n"
    nobody = call("export", "nobody", tmp_path / "other", "--state", state)
    assert (nobody.code, nobody.err) == (
        2,
        "placet: there is no instance nobody; placet list shows which there are\n",
    )


@engines
def test_a_place_is_imported_into_an_instance(call: Call, quick: Path, tmp_path: Path, with_engine: bool) -> None:
    flow = tmp_path / f"keeping_{tmp_path.name}.py"  # a name of its own: modules stay loaded
    flow.write_text(
        "from placet import Workflow\nkeeping = Workflow('keeping')\na, b = keeping.places('a b')\n"
        "keeping.task(a >> b, 'look')\n"
    )
    here, there = (["--state", tmp_path / name] for name in ("here", "there"))
    for state, values in ((here, "[1, 2]"), (there, "[3]")):
        assert call("run", flow, *state, "--id", "one", "--input", f'{{"a": {values}}}', "--timeout", "0.5").code
    file = tmp_path / "file"
    assert call("export", "one", file, "--place", "a", *here).code == 0
    with served(tmp_path / "there", with_engine=with_engine):
        words = ["--into", "one", "--by", "eva", "--why", "moved", "--request-id", "r", *there]
        done = call("import", file, *words, "--json").face
        assert (done["already"], done["state"], done["engine"] is not None) == (False, "waiting", with_engine)
        assert call("import", file, *words).out.startswith("one: it was so before; ")
        assert len(call("token", "list", "one", *there, "--json").faces) == 3
        told = [face for face in call("history", "one", *there, "--json").faces if face["kind"] == "imported_tokens"]
        assert [(one["by"], one["why"], one["origin"], one["count"]) for one in told] == [("eva", "moved", "one/a", 2)]
        assert call("import", file, "--into", "nobody", *there, "--json").error["code"] == "not_found"
        both = call("import", file, "--into", "one", "--id", "two", *there)
        assert (both.code, "with --into" in both.err) == (2, True)
        assert call("import", file, "--request-id", "r", *there).code == 2
        other = call("run", quick, *there, "--id", "two", "--input", "1") if not with_engine else None
    if other is not None:
        refused = call("import", file, "--into", "two", *there, "--json").error
        assert (refused["code"], "two has no place 'a'" in refused["message"]) == ("refused", True)


def test_an_import_makes_a_state_where_there_is_none(call: Call, quick: Path, tmp_path: Path) -> None:
    call("run", quick, "--state", tmp_path / "state", "--id", "one", "--input", "1")
    call("export", "one", tmp_path / "file", "--state", tmp_path / "state")
    assert call("import", tmp_path / "file", "--state", tmp_path / "new").code == 0
    assert [face["id"] for face in call("list", "--state", tmp_path / "new", "--json").faces] == ["one"]


@engines
def test_a_state_is_backed_up_and_restored(call: Call, quick: Path, tmp_path: Path, with_engine: bool) -> None:
    state, file = tmp_path / "state", tmp_path / "backup.mdb"
    call("run", quick, "--state", state, "--id", "one", "--input", "1")
    with served(state, with_engine=with_engine):
        done = call("backup", file, "--state", state, "--json")
        assert (done.code, done.err) == (0, "")
        assert done.face == {"file": str(file), "size_bytes": file.stat().st_size}
        again = call("backup", file, "--state", state)
        assert (again.code, again.err.count("\n")) == (2, 1)
        if with_engine:
            busy = call("restore", file, "--state", state, "--force-replace", "--json")
            assert busy.error["code"] == "store_in_use"
    call("run", quick, "--state", state, "--id", "two", "--input", "2")
    assert call("restore", file, "--state", state, "--json").error["code"] == "state_occupied"
    back = call("restore", file, "--state", state, "--force-replace", "--json").face
    assert back["next"] == [f"placet serve --state {state}"]
    assert Path(back["aside"]).is_file()
    assert [face["id"] for face in call("list", "--state", state, "--json").faces] == ["one"]
    call("restore", back["aside"], "--state", state, "--force-replace")
    assert len(call("list", "--state", state, "--json").faces) == 2


def test_what_there_is_no_backup_of_is_given_up(call: Call, quick: Path, tmp_path: Path) -> None:
    node, alone, file = tmp_path / "engine-0", tmp_path / "alone", tmp_path / "backup.mdb"
    assert call("restore", "--give-up", "--state", node, "--json").face["given_up"] == 256
    assert call("backup", file, "--state", node).code == 0
    again = call("restore", file, "--state", node, "--force-replace", "--give-up", "--json").face
    assert (again["given_up"], again["next"]) == (0, [])
    assert call("restore", "--state", node, "--json").error["code"] == "usage"
    call("run", quick, "--state", alone, "--id", "one", "--input", "1")
    refused = call("restore", "--give-up", "--state", alone)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "it is that of an engine alone, which lacks nothing" in refused.err


def test_what_cannot_be_used_is_one_line(call: Call, quick: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    call("run", quick, "--state", state, "--id", "one", "--input", "1")
    (tmp_path / "junk").write_bytes(b"junk" * 999)
    commands = [
        ("import", tmp_path / "junk", "--state", state),
        ("import", tmp_path / "none", "--state", state),
        ("restore", tmp_path / "junk", "--state", tmp_path / "other"),
        ("restore", tmp_path / "none", "--state", tmp_path / "other"),
        ("backup", tmp_path / "file", "--state", tmp_path / "nowhere"),
        ("export", "one", tmp_path / "file", "--state", tmp_path / "nowhere"),
    ]
    for command in commands:
        answer = call(*command)
        assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    failed = call("backup", tmp_path / "none" / "file", "--state", state)
    assert (failed.code, failed.err.count("\n")) == (1, 1)
