"""Nodes as processes: many instances from another process, engines and nodes that are killed, and clean ends."""

import json
import os
import signal
import threading
from pathlib import Path

import psutil
import pytest

from placet import NotFound, WaitTimeout
from placet.net.client import connect
from placet.net.errors import KeyUnusable, NodeUnreachable
from placet.net.keyring import make_key_file, make_key_files
from tests.endtoend.processes import PATIENCE_S, finished, started, until
from tests.net.nodes import begin, finish, in_threads, listeners, node_command, prepare, running, script

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGCHLD") or not Path("/proc").exists(), reason="Linux only")


def gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_hundred_instances_from_a_client_in_another_process(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        command = script(node.address, str(node.key_file), "echo", "given", "100")
        code, out, err = finished(command, cwd=tmp_path)
        assert code == 0, err
        assert json.loads(out.splitlines()[-1]) == {f"echo-{n}": {"got": [{"got": n}]} for n in range(100)}
        assert node.stop() == 0


def test_an_engine_killed_in_the_middle_is_started_again_and_everything_completes(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        engine = node.engine()
        command = script(node.address, str(node.key_file), "gated", "first", "100")
        with started(command, cwd=tmp_path) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == "spawned\n"
            until((tmp_path / "begun").exists, "a handler has begun", node.process)
            engine.kill()
            node.said("engine a/0 was killed by SIGKILL; another is started")
            following = node.next_engine(engine)
            (tmp_path / "open").touch()
            out, err = client.communicate(timeout=PATIENCE_S)
            assert client.returncode == 0, err
        assert json.loads(out.splitlines()[-1]) == {f"gated-{n}": {"third": [n]} for n in range(100)}
        assert following.is_running()
        assert node.stop() == 0
        assert gone(following)


def test_what_is_spawned_while_an_engine_is_killed_again_and_again_is_there_once(tmp_path: Path) -> None:
    (tmp_path / "open").touch()
    with running(tmp_path) as node, node.connect() as client:
        engine = node.engine()
        ended = threading.Event()

        def kill_sometimes() -> None:
            nonlocal engine
            for _ in range(3):
                engine.kill()
                engine = node.next_engine(engine)
                ended.wait(0.3)

        killer = threading.Thread(target=kill_sometimes)
        killer.start()

        def spawn(number: int) -> None:
            for turn in range(20):
                id = f"k-{number}-{turn}"
                assert client.spawn("echo", {"given": [id]}, id=id, timeout_s=PATIENCE_S).id == id
                assert client.instance(id, timeout_s=PATIENCE_S).result(PATIENCE_S) == {"got": [{"got": id}]}

        in_threads(4, spawn)
        ended.set()
        killer.join()
        assert len(list(client.list("completed", timeout_s=PATIENCE_S))) == 80


def test_an_engine_that_is_killed_too_often_ends_the_node_with_the_reason(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        engine = node.engine()
        for _ in range(5):
            engine.kill()
            engine = node.next_engine(engine)
        engine.kill()
        assert node.process.wait(PATIENCE_S) == 1
        assert "its engine ended 6 times within a short time" in node.said("the node has stopped")


def test_a_node_killed_takes_its_engine_along_and_the_next_one_goes_on_at_the_same_port(tmp_path: Path) -> None:
    first = begin(tmp_path)
    try:
        engine = first.engine()
        with first.connect() as client:
            instance = client.spawn("gated", {"first": ["n-1"]}, id="n-1")
            first.process.kill()  # this process alone, not its group
            first.process.wait(PATIENCE_S)
            until(lambda: gone(engine), "the engine has ended with its node")
            (tmp_path / "open").touch()
            with running(tmp_path, listen=first.address) as second:
                assert second.address == first.address
                assert instance.result(PATIENCE_S) == {"third": ["n-1"]}  # the client needs not connect again
    finally:
        finish(first)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_a_node_cleanly_and_nothing_counts_as_lost(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, "--grace", "0") as node:
        engine = node.engine()
        with node.connect() as client:
            client.spawn("gated", {"first": ["s-1"]}, id="s-1")
            until((tmp_path / "begun").exists, "a handler has begun", node.process)
            os.killpg(node.process.pid, number)  # as a terminal does: the engine gets it too
            assert node.process.wait(PATIENCE_S) == 0
            assert f"stopped by {number.name}" in node.said("stopped by")
            assert gone(engine)
    (tmp_path / "open").touch()
    with running(tmp_path) as again, again.connect() as client:
        assert client.instance("s-1").result(PATIENCE_S) == {"third": ["s-1"]}
        assert all(firing.losses == 0 for firing in client.instance("s-1").view().firings)


def test_nothing_listens_but_the_node_and_its_engine_and_only_on_loopback(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        assert node.address.startswith("127.0.0.1:")
        with node.connect() as client:
            client.spawn("echo", {"given": [1]}, id="p-1").result(PATIENCE_S)
            found = listeners(node.process.pid)
            assert {host for host, _ in found} == {"127.0.0.1"}
            assert len(found) == 2
            assert ("127.0.0.1", node.port) in found
            assert {host for host, _ in listeners(os.getpid())} <= {"127.0.0.1"}  # a client's own end


def test_it_listens_on_the_one_address_that_was_named(tmp_path: Path) -> None:
    with running(tmp_path, listen="127.0.0.3:0") as node:
        assert {host for host, _ in listeners(node.process.pid)} == {"127.0.0.3"}
        with node.connect() as client:
            assert client.spawn("echo", {"given": [1]}).result(PATIENCE_S) == {"got": [{"got": 1}]}


def test_commands_on_the_same_host_work_beside_a_node(tmp_path: Path) -> None:
    with running(tmp_path) as node, node.connect() as client:
        instance = client.spawn("gated", {"first": ["h-1"]}, id="h-1")
        command = [
            "-m",
            "placet",
            "pause",
            "h-1",
            "--by",
            "eva",
            "--state",
            str(tmp_path / "state" / "engine-0"),
            "--json",
        ]
        code, out, err = finished(command, cwd=tmp_path)
        assert code == 0, err
        assert json.loads(out)["engine"] == node.engine().pid
        assert instance.pause(by="max").already


def test_a_client_that_is_stopped_holds_up_itself_only(tmp_path: Path) -> None:
    with running(tmp_path) as node, node.connect() as client:
        command = script(node.address, str(node.key_file), "gated", "first", "50")
        with started(command, cwd=tmp_path) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "spawned\n"
            other.send_signal(signal.SIGSTOP)
            (tmp_path / "open").touch()
            for n in range(50):  # answers to the other one are due by and by
                assert client.instance(f"gated-{n}").result(PATIENCE_S) == {"third": [n]}
            other.send_signal(signal.SIGCONT)
            out, err = other.communicate(timeout=PATIENCE_S)
            assert other.returncode == 0, err
        assert len(json.loads(out.splitlines()[-1])) == 50


# -- what a node refuses, each in one line --------------------------------------------------------------------------


def refusal(folder: Path, command: list[str]) -> str:
    """Return the line of a node that does not start."""
    prepare(folder)
    code, out, err = finished(command, cwd=folder)
    assert code == 2, err
    assert len(err.splitlines()) == 1, err
    assert "Traceback" not in err
    face = json.loads(out)
    assert str(face["error"]["message"]) in err
    return err


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with running(tmp_path / "one") as node:
        make_key_file(tmp_path / "two" / "key")
        line = refusal(tmp_path / "two", node_command(tmp_path / "two", listen=node.address))
        assert f"{node.address} is in use by another program; stop it, or use another --listen" in line
        assert not (tmp_path / "two" / "state").exists()


def test_a_state_that_another_has(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        pid = node.process.pid
        line = refusal(tmp_path, node_command(tmp_path))
        assert f"is in use by process {pid}; stop it, or use another --state" in line
        with node.connect() as client:
            assert client.spawn("echo", {"given": [1]}).result(PATIENCE_S) == {"got": [{"got": 1}]}


def test_a_node_of_a_cluster_that_is_not_told_whom_to_join(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(0o700)
    record = {"format": 1, "name": "a", "cluster": "c1", "starts": 1}
    (tmp_path / "state" / "node.json").write_text(json.dumps(record), encoding="utf-8")
    make_key_file(tmp_path / "key")
    assert "name a node of it with --join" in refusal(tmp_path, node_command(tmp_path))


def test_a_key_file_that_others_may_read(tmp_path: Path) -> None:
    make_key_file(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    assert "others may read or write it; chmod 600" in refusal(tmp_path, node_command(tmp_path))
    with pytest.raises(KeyUnusable):
        connect("127.0.0.1:1", key_file=tmp_path / "key")


def test_a_place_beyond_loopback_without_a_key(tmp_path: Path) -> None:
    command = ["-m", "placet", "node", "--state", str(tmp_path / "state"), "--listen", "192.0.2.1:1900", "--json"]
    assert "can be reached from other hosts; give --key-file" in refusal(tmp_path, command)


def test_an_address_of_another_host_and_every_address_at_once(tmp_path: Path) -> None:
    make_key_file(tmp_path / "key")
    assert "use an address of this host" in refusal(tmp_path, node_command(tmp_path, listen="192.0.2.1:1900"))
    assert "not on all" in refusal(tmp_path, node_command(tmp_path, listen="0.0.0.0:1900"))


def test_a_file_with_a_mistake(tmp_path: Path) -> None:
    make_key_files(tmp_path / "key")
    (tmp_path / "bad.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    command = node_command(tmp_path, str(tmp_path / "bad.py"))
    assert "bad.py:1: loading it raised ModuleNotFoundError" in refusal(tmp_path, command)


# -- clients without an engine --------------------------------------------------------------------------------------


def test_no_node_is_told_at_once(tmp_path: Path) -> None:
    make_key_file(tmp_path / "key")
    with pytest.raises(NodeUnreachable, match="Connection refused; nothing was asked of it"):
        connect("127.0.0.1:1", key_file=tmp_path / "key")


def test_a_time_out_says_whether_it_may_have_happened(tmp_path: Path) -> None:
    with running(tmp_path) as node, node.connect() as client:
        client.spawn("echo", {"given": [1]}, id="o-1").result(PATIENCE_S)
        engine = node.engine()
        engine.suspend()
        with pytest.raises(WaitTimeout, match="may have carried it out; spawn it again with id 'o-2' to find out"):
            client.spawn("echo", {"given": [2]}, id="o-2", timeout_s=0.5)
        engine.resume()
        assert client.spawn("echo", {"given": [2]}, id="o-2").result(PATIENCE_S) == {"got": [{"got": 2}]}
        node.process.send_signal(signal.SIGSTOP)  # nobody starts another engine
        engine.kill()
        until(lambda: gone(engine), "the engine has ended")

        def is_not_sent() -> bool:  # the first requests find the engine gone
            with pytest.raises(WaitTimeout) as late:
                client.spawn("echo", {"given": [3]}, id="o-3", timeout_s=0.5)
            return "it was not sent: nothing is done; try again" in str(late.value)

        until(is_not_sent, "the client knows that the engine is gone")
        node.process.send_signal(signal.SIGCONT)
        with pytest.raises(NotFound):
            client.find("o-3", timeout_s=PATIENCE_S)
