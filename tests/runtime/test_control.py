"""The control socket: who may use it, what it bears, and that it holds up nobody."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

from placet import Runtime
from placet.actors.control import server
from placet.actors.control.client import ask_engine
from placet.actors.control.line import MOST_BYTES
from placet.actors.control.request import (
    CancelRequest,
    InspectRequest,
    PauseRequest,
    RestartRequest,
    ResumeRequest,
    SleepRequest,
    StatusRequest,
)
from placet.actors.control.server import MOST_CONNECTIONS
from placet.actors.control.socket_path import short_path
from placet.actors.errors import NotFound, RequestRefused
from tests.runtime.workflows import WAIT_S, Gate, gated

Face = dict[str, object]


@pytest.fixture
def gate() -> Generator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def runtime(tmp_path: Path, gate: Gate) -> Generator[Runtime]:
    with Runtime(tmp_path / "state", [gated(gate)]) as runtime:
        runtime.spawn("gated", {"start": ["v"]}, id="one", timeout_s=WAIT_S)
        gate.wait_reached()
        yield runtime
        gate.open()


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        (b'{"do": "status", "do": "status"}', "bad_request", "the key 'do' twice"),
        (b'{"do": "skip", "by": "x", "incident": 1, "output": {"a": 1, "a": 2}}', "bad_request", "'a' twice"),
        (b"\xff\xfe", "bad_request", "not JSON"),
        (b'{"do": "import", "file": "/tmp/\\u0000", "by": "x"}', "bad_copy", "it is no path"),
    ],
)
def test_a_request_that_says_two_things_or_nothing_is_refused(
    runtime: Runtime, line: bytes, code: str, told: str
) -> None:
    with connected(runtime) as connection:
        connection.sendall(line + b"\n")
        error = json.loads(connection.recv(1 << 16))["error"]
    assert error["code"] == code
    assert told in error["message"]


def connected(runtime: Runtime) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(WAIT_S)
    connection.connect(str(runtime.path / "control.sock"))
    return connection


def asked(connection: socket.socket, line: bytes) -> Face:
    """Send a line on an open connection and return the answer."""
    connection.sendall(line + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        received = connection.recv(65536)
        assert received, "it hung up"
        answer += received
    return cast("Face", json.loads(answer))


STATUS = b'{"do": "status"}'


def test_only_the_user_may_open_it(runtime: Runtime) -> None:
    mode = (runtime.path / "control.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_another_user_is_refused_even_when_the_file_is_open_to_all(runtime: Runtime) -> None:
    code = (
        "import os, socket, sys\n"
        "connection = socket.socket(socket.AF_UNIX)\n"
        "os.chdir(sys.argv[1])\nos.setgid(65534)\nos.setuid(65534)\n"
        "connection.connect('control.sock')\n"
        "print(connection.recv(1000).decode())\n"
    )
    (runtime.path / "control.sock").chmod(0o666)
    runtime.path.chmod(0o777)
    words = [sys.executable, "-c", code, str(runtime.path)]
    answer = subprocess.run(words, capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert "unwelcome" in answer.stdout
    assert "commits" not in answer.stdout


def test_several_requests_on_one_connection(runtime: Runtime) -> None:
    with connected(runtime) as connection:
        assert asked(connection, STATUS)["pid"] == os.getpid()
        pause = b'{"do": "pause", "instance": "one", "by": "eva", "request_id": "r"}'
        assert asked(connection, pause)["state"] == "paused"
        assert asked(connection, pause)["already"] is True
        connection.sendall(STATUS + b"\n" + STATUS + b"\n")
        with connection.makefile() as lines:
            healths = [cast("Face", json.loads(lines.readline()))["health"] for _ in range(2)]
        assert healths == ["running", "running"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\x80\x04\x95garbage",
        b"[]",
        b"{}",
        b'{"do": "spawn"}',
        b'{"do": "pause"}',
        b'{"do": "pause", "instance": "one", "by": ""}',
        b'{"do": "pause", "instance": "one", "by": "eva", "more": 1}',
        b'{"do": "retry", "instance": "one", "by": "eva", "incident": "x"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_request_is_refused_and_the_next_is_served(runtime: Runtime, line: bytes) -> None:
    with connected(runtime) as connection:
        refused = cast("Face", asked(connection, line)["error"])
        assert refused["code"] == "bad_request"
        assert asked(connection, STATUS)["health"] == "running"


def pours(connection: socket.socket, chunk: bytes, times: int) -> None:
    """Send without ever reading, until the other side has had enough."""
    for _ in range(times):
        connection.sendall(chunk)


def test_a_line_without_end_is_cut_off(runtime: Runtime) -> None:
    with connected(runtime) as connection:
        with suppress(OSError):  # it hangs up at some point, perhaps in the midst of a write
            pours(connection, b"x" * 65536, 2 + MOST_BYTES // 65536)
        with suppress(ConnectionResetError):
            assert connection.recv(1000) == b""
    assert ask_engine(runtime.path, StatusRequest())["health"] == "running"


def test_a_silent_client_is_hung_up_on_and_meanwhile_holds_up_nobody(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LINE_S", 0.5)
    with connected(runtime) as silent, connected(runtime) as half:
        half.sendall(b'{"do": ')
        assert ask_engine(runtime.path, StatusRequest())["health"] == "running"
        assert silent.recv(1) == b""
        assert half.recv(1) == b""


def test_a_client_that_does_not_take_its_answers_is_hung_up_on(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LINE_S", 0.5)
    with connected(runtime) as deaf:
        with pytest.raises(OSError, match=r"pipe|reset"):
            pours(deaf, STATUS + b"\n", 1_000_000)
        assert ask_engine(runtime.path, StatusRequest())["health"] == "running"


def test_connections_are_bounded(runtime: Runtime) -> None:
    many = [connected(runtime) for _ in range(MOST_CONNECTIONS)]
    for connection in many:
        asked(connection, STATUS)
    with connected(runtime) as one_more:
        assert b"too many" in one_more.recv(1000)
    for connection in many:
        connection.close()


def test_actors_are_inspected_put_to_sleep_and_restarted(runtime: Runtime, gate: Gate) -> None:
    gate.open()
    runtime.instance("one").result(timeout_s=WAIT_S)
    runtime.spawn("gated", {"start": []}, id="two", timeout_s=WAIT_S)
    entries = ask_engine(runtime.path, InspectRequest(instance="one", path="done"))["entries"]
    (entry,) = cast("list[Face]", entries)
    assert entry["value"] == "v"
    for request in (SleepRequest(instance="one", path="done"), RestartRequest(instance="one", path="done")):
        assert ask_engine(runtime.path, request)["id"] == "one"
    assert runtime.instance("one").marking() == {"done": ["v"]}
    with pytest.raises(RequestRefused, match="no actor"):
        ask_engine(runtime.path, InspectRequest(instance="one", path="nowhere"))


def test_interventions_are_refused_as_the_engine_refuses_them(runtime: Runtime) -> None:
    with pytest.raises(NotFound):
        ask_engine(runtime.path, PauseRequest(instance="none", by="eva"))
    ask_engine(runtime.path, CancelRequest(instance="one", by="eva"))
    with pytest.raises(RequestRefused) as refused:
        ask_engine(runtime.path, ResumeRequest(instance="one", by="eva"))
    assert refused.value.refusal == "ending"


def test_the_socket_of_a_dead_engine_is_replaced_and_a_closed_one_removed(tmp_path: Path, gate: Gate) -> None:
    state = tmp_path / "state"
    Runtime(state, [gated(gate)]).close()
    assert not (state / "control.sock").exists()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(state / "control.sock"))
    with Runtime(state, [gated(gate)]):
        assert ask_engine(state, StatusRequest())["health"] in ("starting", "running")  # it answers from the start


def test_a_file_in_the_way_does_not_keep_the_engine_from_running(tmp_path: Path, gate: Gate) -> None:
    state = tmp_path / "state"
    Runtime(state, [gated(gate)]).close()
    (state / "control.sock").write_text("mine")
    with Runtime(state, [gated(gate)]) as runtime:
        assert "is no socket" in runtime.control_problem
        runtime.spawn("gated", {"start": []}, id="one", timeout_s=WAIT_S)
    assert (state / "control.sock").read_text() == "mine"


def test_without_control_there_is_no_socket(tmp_path: Path, gate: Gate) -> None:
    with Runtime(tmp_path / "state", [gated(gate)], control=False):
        assert not (tmp_path / "state" / "control.sock").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a long path has no socket")
def test_a_state_with_a_long_path_can_be_reached(tmp_path: Path, gate: Gate) -> None:
    deep = tmp_path / ("d" * 200) / ("e" * 200)
    deep.mkdir(parents=True)
    with Runtime(deep / "state", [gated(gate)]):
        assert ask_engine(deep / "state", StatusRequest())["health"] == "running"
        assert stat.S_IMODE((deep / "state" / "control.sock").stat().st_mode) == 0o600
    with short_path(deep) as path:
        assert len(path) < 100


def test_a_client_for_whom_no_thread_can_be_started_is_turned_away_and_the_next_is_served(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "placet-control-client":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(MOST_CONNECTIONS + 1):
            with connected(runtime) as connection:
                assert b"no thread can be started" in connection.recv(65536)
    with connected(runtime) as connection:
        assert asked(connection, STATUS)["health"] == "running"
