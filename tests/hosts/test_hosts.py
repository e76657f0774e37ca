"""Hosts: what runs on them, what is seen of them, and that nothing is left of them."""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

import tests.hosts.fixture
from tests.endtoend.processes import PATIENCE_S, Process, started, until
from tests.hosts.fixture import need_hosts
from tests.hosts.hosts import NETWORK, Hosts
from tests.hosts.listeners import Listener, unpacked
from tests.hosts.namespaces import FOLDER, Namespace, own_prefix, sweep
from tests.hosts.sockets import PORT, datagrams, has_arrived

pytestmark = pytest.mark.hosts

# A program with a child that has made itself independent of it, as daemons do. Both wait for ever.
FAMILY = """
import os, signal
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    print(os.getpid(), flush=True)
signal.pause()
"""

# A test run that is killed in the middle, with a program on a host.
KILLED = """
import sys
from tests.hosts.hosts import Hosts
with Hosts(2) as hosts:
    process = hosts["a"].popen([sys.executable, "-c", "import signal; print(1, flush=True); signal.pause()"])
    process.stdout.readline()
    print(process.pid, hosts["a"].namespace.name, flush=True)
    process.wait()
"""


def own_namespaces() -> list[str]:
    return [path.name for path in FOLDER.glob(f"{own_prefix()}-*")] if FOLDER.is_dir() else []


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def first_line(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# -- programs on hosts ------------------------------------------------------------------------------------------


def test_a_program_runs_on_its_host(hosts: Hosts) -> None:
    shown = hosts["b"].run(["ip", "-brief", "address"])
    assert shown.returncode == 0
    assert f"{NETWORK}.2/24" in shown.stdout
    assert hosts["b"].run(["sh", "-c", "echo $WORD >&2; exit 3"], env={"WORD": "x"}).stderr == "x\n"
    at_home = subprocess.run(["ip", "-brief", "address"], capture_output=True, text=True, check=True).stdout
    assert f"{NETWORK}." not in at_home  # this process stays where it was


def test_the_environment_and_folder_of_python_programs(hosts: Hosts, tmp_path: Path) -> None:
    text = "import os, tests; print(os.getcwd(), os.environ['WORD'])"
    assert first_line(hosts["a"].start(["-c", text], cwd=tmp_path, env={"WORD": "x"})) == f"{tmp_path} x"


def test_kill_all_kills_daemons_too_and_only_those_of_its_host(hosts: Hosts) -> None:
    a, b = hosts
    family, other = a.popen([sys.executable, "-c", FAMILY]), b.popen([sys.executable, "-c", FAMILY])
    daemon, other_daemon = int(first_line(family)), int(first_line(other))
    assert set(a.pids()) == {family.pid, daemon}
    assert a.kill_all() == 2
    assert a.pids() == []
    assert family.wait(PATIENCE_S) == -signal.SIGKILL
    assert set(b.pids()) == {other.pid, other_daemon}
    assert other.poll() is None


def test_a_paused_host_stands_still_until_it_is_resumed(hosts: Hosts) -> None:
    a, b = hosts
    program = f"""
import socket
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.bind(("{a.address}", {PORT}))
print("ready", flush=True)
while True:
    data, sender = made.recvfrom(10)
    made.sendto(data, sender)
"""
    echo = a.popen([sys.executable, "-c", program])
    assert first_line(echo) == "ready"
    with datagrams(b) as here:
        here.sendto(b"one", (a.address, PORT))
        assert here.recv(10) == b"one"
        a.pause()
        assert psutil.Process(echo.pid).status() == psutil.STATUS_STOPPED
        here.sendto(b"two", (a.address, PORT))
        until(lambda: hosts.counts(b, a).carried == 2, "it has arrived")
        assert not has_arrived(here)
        a.resume()
        assert here.recv(10) == b"two"
    a.pause()
    assert a.kill_all() == 1  # stopped or not


def test_a_program_that_takes_too_long_is_killed(hosts: Hosts) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        hosts["a"].run([sys.executable, "-c", "import signal; signal.pause()"], timeout_s=0.2)
    until(lambda: not hosts["a"].pids(), "it has ended")


# -- listeners --------------------------------------------------------------------------------------------------


def test_every_listening_socket_is_seen_with_its_process(hosts: Hosts) -> None:
    a, b = hosts
    program = f"""
import os, signal, socket
kept = [socket.create_server(("{a.address}", 1)), socket.create_server(("127.0.0.1", 2))]
kept.append(socket.create_server(("::", 3), family=socket.AF_INET6))
kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
kept[-1].bind(("0.0.0.0", 4))
if os.fork():
    print("ready", flush=True)
signal.pause()
"""
    process = a.popen([sys.executable, "-c", program])
    assert first_line(process) == "ready"
    found = a.listeners()
    seen = {(one.protocol, one.address, one.port) for one in found}
    assert seen == {("tcp", a.address, 1), ("tcp", "127.0.0.1", 2), ("tcp6", "::", 3), ("udp", "0.0.0.0", 4)}
    assert {one.pid for one in found} <= set(a.pids())
    assert all(one.process.startswith("python") for one in found)
    assert b.listeners() == []


def test_a_connection_is_no_listener_and_a_socket_of_the_test_is_one(hosts: Hosts) -> None:
    a, b = hosts
    with a.entered():
        listening = socket.create_server((a.address, PORT))
    with listening:
        with b.entered():
            connected = socket.create_connection((a.address, PORT), PATIENCE_S)
        with connected:
            assert a.listeners() == [Listener("tcp", a.address, PORT, 0, "")]
            assert b.listeners() == []


def test_addresses_are_read_as_the_kernel_writes_them() -> None:
    assert unpacked("0100007F") == "127.0.0.1"
    assert unpacked("00000000000000000000000001000000") == "::1"


# -- a network of its own ---------------------------------------------------------------------------------------


def test_a_host_has_no_way_to_the_real_network_and_its_address_is_not_the_machines(hosts: Hosts) -> None:
    a = hosts["a"]
    with socket.create_server(("127.0.0.1", 0)) as outside, a.entered():
        with pytest.raises(ConnectionRefusedError):  # the host has a loopback of its own
            socket.create_connection(outside.getsockname(), PATIENCE_S)
        with pytest.raises(OSError, match="unreachable"):
            socket.create_connection(("192.0.2.1", 80), PATIENCE_S)
    with pytest.raises(OSError, match="assign"):
        socket.create_server((a.address, PORT))


def test_hosts_of_the_same_addresses_do_not_meet(hosts: Hosts) -> None:
    with Hosts() as others, ExitStack() as stack:
        here, there = (stack.enter_context(datagrams(host)) for host in hosts)
        other_here, other_there = (stack.enter_context(datagrams(host)) for host in others)
        here.sendto(b"one", (hosts["b"].address, PORT))
        other_here.sendto(b"two", (others["b"].address, PORT))
        assert (there.recv(3), other_there.recv(3)) == (b"one", b"two")
        assert not any(map(has_arrived, (there, other_there)))


def test_other_threads_are_not_moved_to_a_host(hosts: Hosts) -> None:
    def network() -> int:
        return os.stat("/proc/thread-self/ns/net").st_ino

    at_home, seen = network(), list[int]()
    begin, end = threading.Event(), threading.Event()

    def look() -> None:
        assert begin.wait(PATIENCE_S)
        seen.append(network())
        end.set()

    thread = threading.Thread(target=look)
    thread.start()
    with hosts["a"].entered():
        begin.set()
        assert end.wait(PATIENCE_S)
        assert network() == hosts["a"].namespace.path.stat().st_ino
    thread.join()
    assert seen == [at_home]
    assert network() == at_home


# -- nothing is left --------------------------------------------------------------------------------------------


def test_nothing_is_left_of_hosts_in_whose_block_something_was_raised() -> None:
    need_hosts()
    before = own_namespaces()
    started_there: list[int] = []

    def be_interrupted() -> None:
        with Hosts() as hosts:
            assert len(own_namespaces()) == len(before) + 2
            family = hosts["a"].popen([sys.executable, "-c", FAMILY])
            started_there.extend((family.pid, int(first_line(family)), hosts.switch.pid))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()
    assert own_namespaces() == before
    assert len(started_there) == 3
    assert all(map(gone, started_there))


def test_nothing_is_left_of_hosts_that_could_not_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    need_hosts()
    before = own_namespaces()
    make = Namespace.make

    def fail_for_b(name: str) -> Namespace:
        if name.endswith("-b"):
            raise OSError("no more")
        return make(name)

    monkeypatch.setattr(Namespace, "make", fail_for_b)
    with pytest.raises(OSError, match="no more"), Hosts():
        pass
    assert own_namespaces() == before


def test_what_a_killed_run_has_left_is_swept_and_what_lives_is_not(hosts: Hosts, tmp_path: Path) -> None:
    with started(["-c", KILLED], cwd=tmp_path) as run:
        pid, name = first_line(run).split()
        assert name not in sweep()
        run.kill()
        run.wait(PATIENCE_S)
        assert not gone(int(pid))
        sweep()  # or another run that has just begun
        until(lambda: not (FOLDER / name).exists(), "it is swept")
        until(lambda: gone(int(pid)), "it is killed")
    assert hosts["a"].namespace.path.exists()


# -- the fixture ------------------------------------------------------------------------------------------------


def test_without_what_it_needs_a_test_is_skipped_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tests.hosts.fixture, "lacking", lambda: "no ip")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no ip"):
        need_hosts()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no ip"):
        need_hosts()


def test_what_is_lacking_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tests.hosts.fixture.lacking.__wrapped__
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert asked() == "only root can make network namespaces"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "")
    assert "apt install iproute2" in asked()


@pytest.mark.hosts(3)
def test_a_marker_says_how_many_hosts_there_are(hosts: Hosts) -> None:
    assert [host.name for host in hosts] == ["a", "b", "c"]
    assert hosts["c"].address == f"{NETWORK}.3"
