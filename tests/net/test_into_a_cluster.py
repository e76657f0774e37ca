"""The instances of an embedded state, brought into a cluster by a command."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from placet.actors.reader import StateReader
from placet.net.keyring import KeyKind
from placet.persistence.errors import StoreError
from placet.persistence.lmdb_store import LmdbReader
from tests.endtoend.processes import PATIENCE_S, finished, started, until
from tests.net.nodes import prepare, running
from tests.net.test_cluster import ids_in

IDS = tuple(f"i-{number}" for number in range(4))


def placet(folder: Path, *words: str) -> tuple[int, str, str]:
    """Run a command in a folder, to its end."""
    return finished(["-m", "placet", *words], cwd=folder)


def firings(state: Path, id: str) -> int:
    """Return how many firings of an instance have counted, by the disk."""
    try:
        with closing(LmdbReader.open(state)) as reader:
            view = StateReader(reader).instance(id)
            return 0 if view is None else view.fired
    except StoreError:  # it is only being made
        return 0


def embedded(folder: Path) -> None:
    """Make a state with four instances, one of them completed, the others in the middle."""
    prepare(folder)
    words = ("--state", "old", "--id", IDS[-1], "--input", json.dumps({"given": [7]}))
    assert placet(folder, "run", "flows.py:echo", *words)[0] == 0
    for id in IDS[:-1]:
        words = ("--state", "old", "--id", id, "--input", json.dumps({"first": [id]}))
        with started(["-m", "placet", "run", "flows.py:gated", *words], cwd=folder) as process:
            until(lambda: firings(folder / "old", id) == 1, "the second handler is due", process)  # noqa: B023


@pytest.mark.slow
def test_an_embedded_state_goes_on_in_a_cluster(tmp_path: Path) -> None:
    embedded(tmp_path)
    with running(tmp_path, "--engines", "2") as node, node.connect() as client:
        there = ("--connect", f"127.0.0.1:{node.port}", "--key-file", str(node.key_of(KeyKind.DEPLOY)))
        words = ("import", "old", *there, "--by", "eva", "--why", "moved", "--resume", "--json")
        code, out, err = placet(tmp_path, *words)
        assert code == 0, err
        states = {face["id"]: face["state"] for face in map(json.loads, out.splitlines())}
        assert states == dict.fromkeys(IDS[:-1], "running") | {IDS[-1]: "completed"}
        code, out, err = placet(tmp_path, "import", "old", *there)
        assert (code, err) == (0, "")
        assert out == "0 of 4 instances imported from old; 4 were there already, and were left as they are\n"
        (tmp_path / "open").touch()
        assert [client.instance(id).result(PATIENCE_S) for id in IDS[:-1]] == [{"third": [id]} for id in IDS[:-1]]
        assert client.instance(IDS[-1]).result(PATIENCE_S) == {"got": [{"got": 7}]}
        one, two = ids_in(tmp_path, 0), ids_in(tmp_path, 1)
        assert one | two == set(IDS)
        assert one
        assert two
        begun = (tmp_path / "begun").read_text(encoding="utf-8").splitlines()
        assert sorted(begun) == sorted(IDS[:-1]), "what has counted is not done again"


def test_a_state_is_imported_with_its_ids_and_not_twice_at_once(tmp_path: Path) -> None:
    embedded(tmp_path)
    code, _, err = placet(tmp_path, "import", "old", "--state", "new", "--id", "x")
    assert (code, "a state is imported as it is" in err) == (2, True)
    code, _, err = placet(tmp_path, "import", "flows.py", "--state", "new", "--resume")
    assert (code, "--resume goes with a whole state" in err) == (2, True)
    code, _, err = placet(tmp_path, "import", ".", "--state", "new")
    assert (code, err.count("\n")) == (2, 1)
    code, out, err = placet(tmp_path, "import", "old", "--state", "new")
    assert (code, out.splitlines()[0]) == (0, "4 of 4 instances imported from old"), err
    listed = placet(tmp_path, "list", "--state", "new", "--json")[1].splitlines()
    states = {face["id"]: face["state"] for face in map(json.loads, listed)}
    assert states == dict.fromkeys(IDS[:-1], "paused") | {IDS[-1]: "completed"}
