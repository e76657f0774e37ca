"""`placet run … --connect`: the same file, the same last line and exit codes as with a state on this host."""

import shlex
import signal
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from placet.net.client import Client, connect
from placet.net.keyring import KeyKind
from tests.cli.commands import Answer, attempts, ended, until
from tests.cli.commands import running as command_running
from tests.cli.conftest import Call
from tests.endtoend.processes import PATIENCE_S
from tests.net.nodes import RunningNode, running

Run = Callable[..., Answer]

BROKEN = """
from placet import Retry, Workflow

broken = Workflow("broken-remote")
start, done = broken.places("start done")


@broken.transition(start >> done, retry=Retry(attempts=1))
def breaks(value):
    raise ValueError("no way")
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningNode]:
    with running(tmp_path_factory.mktemp("node")) as started:
        yield started


@pytest.fixture(scope="module")
def client(node: RunningNode) -> Generator[Client]:
    with connect(node.address, key_file=node.key_of(KeyKind.DEPLOY), timeout_s=PATIENCE_S) as connected:
        yield connected


def there(node: RunningNode, kind: KeyKind = KeyKind.DEPLOY) -> list[str]:
    return ["--connect", node.address, "--key-file", str(node.key_of(kind))]


def test_a_file_runs_here_and_there_with_the_same_last_line(
    call: Call, node: RunningNode, quick: Path, tmp_path: Path
) -> None:
    words = ["run", str(quick), "--id", "q-1", "--input", "20", "--json"]
    here = call(*words, "--state", tmp_path / "state")
    remote = call(*words, *there(node))
    assert (remote.code, remote.err) == (0, "")
    assert {**remote.face, "elapsed_s": 0} == {**here.face, "elapsed_s": 0}
    assert remote.face["result"] == {"done": [41]}
    again = call("run", str(quick), "--id", "q-1", "--json", *there(node))
    assert {**again.face, "elapsed_s": 0} == {**here.face, "elapsed_s": 0}
    other = call("run", str(quick), "--id", "q-1", "--input", "21", "--json", *there(node))
    assert (other.code, other.error["code"]) == (2, "conflict")


def test_people_read_what_came_of_it(call: Call, node: RunningNode, quick: Path) -> None:
    answer = call("run", quick, "--id", "q-2", "--input", "20", *there(node))
    assert answer.code == 0
    assert answer.out.splitlines()[0].startswith("q-2 completed: 2 firings")
    assert "  done: 41" in answer.out.splitlines()


def test_an_incident_ends_it_and_says_what_to_do(call: Call, node: RunningNode, tmp_path: Path) -> None:
    file = tmp_path / "broken_remote.py"
    file.write_text(BROKEN, encoding="utf-8")
    answer = call("run", file, "--id", "b-1", "--input", "1", "--json", *there(node))
    assert (answer.code, answer.face["state"], answer.face["incidents"]) == (1, "incident", 1)
    assert answer.error["code"] == "not_completed"
    assert "no way" in answer.err
    assert "placet retry, skip or fail it" in answer.err


def test_ctrl_c_leaves_it_running_and_the_same_command_goes_on(node: RunningNode, slow: Path, client: Client) -> None:
    hold = slow.parent / "hold"
    hold.touch()
    words = ["run", str(slow), "--id", "s-1", "--input", "7", "--json", *there(node)]
    with command_running(*words) as process:
        until(lambda: attempts(slow.parent), "it holds")
        process.send_signal(signal.SIGINT)
        stopped = ended(process)
    assert stopped.code == 130
    assert stopped.err.startswith(f"placet: stopped by SIGINT; s-1 goes on at {node.address}; to go on: placet run ")
    assert len(stopped.err.splitlines()) == 1
    assert (stopped.face["state"], stopped.face["id"]) == ("running", "s-1")
    assert shlex.split(stopped.face["resume"])[1:] == words
    assert client.instance("s-1").state == "running"
    hold.unlink()
    with command_running(*words) as process:
        done = ended(process)
    assert (done.code, done.err, done.face["result"]) == (0, "", {"done": [7]})
    assert len(attempts(slow.parent)) == 1, "it went on meanwhile, and was not begun again"


def test_its_time_ends_the_watch_alone(call: Call, node: RunningNode, slow: Path, client: Client) -> None:
    (slow.parent / "hold").touch()
    words = ["run", slow, "--id", "s-2", "--input", "7", "--json", "--timeout", "0.5", *there(node)]
    stopped = call(*words)
    assert (stopped.code, stopped.error["code"]) == (124, "timeout")
    assert "; s-2 goes on at " in stopped.err
    (slow.parent / "hold").unlink()
    assert client.instance("s-2").result(PATIENCE_S) == {"done": [7]}


def test_a_client_key_is_told_that_it_sends_no_code(call: Call, node: RunningNode, tmp_path: Path) -> None:
    file = tmp_path / "unheard_of.py"
    file.write_text(BROKEN.replace("broken-remote", "unheard-of"), encoding="utf-8")
    answer = call("run", file, "--id", "n-1", "--input", "1", "--json", *there(node, KeyKind.CLIENT))
    assert (answer.code, answer.error["code"]) == (2, "not_allowed")
    assert len(answer.err.splitlines()) == 1
    assert "a client key sends no code; connect with a deploy key" in answer.err


def test_what_waits_for_people_says_so_and_goes_on(node: RunningNode, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "asks.py"
    file.write_text(
        'from placet import Workflow\n\nasks = Workflow("asks")\nstart, done = asks.places("start done")\n'
        'asks.task(start >> done, "decide")\n',
        encoding="utf-8",
    )
    with command_running("run", file, "--id", "p-1", "--input", "1", "--json", *there(node)) as process:
        assert process.stderr is not None
        assert "a person is to decide on p-1/decide." in process.stderr.readline()
        instance = client.instance("p-1")
        instance.complete(instance.wait_task("decide", PATIENCE_S).id, by="eva")
        done = ended(process)
    assert (done.code, done.face["result"]) == (0, {"done": [1]})
