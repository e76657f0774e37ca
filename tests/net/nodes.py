"""Nodes in processes of their own, on loopback, and what runs in them."""

import json
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from placet.net.client import Client, connect
from placet.net.keyring import KeyKind, key_file_beside
from tests.endtoend.processes import PATIENCE_S, Process, start, until

FLOWS = '''
"""Workflows for tests of nodes."""
import os
import threading
from pathlib import Path

from placet import Retry, Workflow

echo = Workflow("echo")
given, got = echo.places("given got")

@echo.transition(given >> got)
def answer(value):
    return {"got": value}

gated = Workflow("gated")
first, second, third = gated.places("first second third")

@gated.transition(first >> second)
def begin(value):
    with open("begun", "a") as log:
        log.write(f"{value}\\n")
    return value

@gated.transition(second >> third)
def wait(value):
    while not Path("open").exists():
        threading.Event().wait(0.01)
    return value

broken = Workflow("broken")
whole, mended = broken.places("whole mended")

@broken.transition(whole >> mended, retry=Retry(attempts=1))
def breaks(value):
    raise ValueError("no way")

odd = Workflow("odd")
plain, strange = odd.places("plain strange")

@odd.transition(plain >> strange)
def turn(value):
    return {("a", "tuple"): {1, 2}, "bytes": b"x"}

large = Workflow("large")
size, grown = large.places("size grown")

@large.transition(size >> grown)
def grow(value):
    return "x" * value

asking = Workflow("asking")
asked = asking.place("asked", type=int, entry=True)
door = asking.place("door", type=int, external=True)
granted = asking.place("granted", type=int)
denied, kept, done = asking.places("denied kept done")
asking.approval("boss", asked, approve=granted, reject=denied, roles=["boss"])
asking.transition(door >> asked, "enter", category="urgent")
asking.task(granted >> (kept & done), "file")
filed = asking.place("filed")
asking.transition((kept & done) >> filed, "close", handler=lambda kept, done: [kept, done], run="inline")

joining = Workflow("joining")
left, right, joined = joining.place("left"), joining.place("right", entry=True), joining.place("joined")
joining.transition((left & right) >> joined, "join")

inner = Workflow("inner")
packed = inner.place("packed", entry=True)
checked, sealed, late = inner.places("checked sealed late")
inner.task(packed >> checked, "check")
inner.transition(checked >> sealed, "seal", handler=lambda value: value + 1)
more = inner.place("more", type=int, external=True)
inner.transition(more >> late, "add")
outer = Workflow("outer")
ordered, shipped = outer.places("ordered shipped")
outer.composite("fulfil", inner, {packed: ordered, sealed: shipped})

calling = Workflow("calling")
wanted, answered = calling.places("wanted answered")
calling.call(wanted >> answered, "ask", asking, entries=["asked"], exits=["denied"])
'''
WORKFLOWS = ("echo", "gated", "broken", "odd", "large", "asking", "joining", "calling", "outer")


@dataclass(slots=True, kw_only=True)
class RunningNode:
    """A node that has said that it listens."""

    process: Process
    folder: Path
    address: str
    lines: list[str] = field(default_factory=list[str])  # of its standard error, so far
    _reader: threading.Thread | None = None

    @property
    def key_file(self) -> Path:
        """A client's: it needs no other for anything it does."""
        return self.key_of(KeyKind.CLIENT)

    def key_of(self, kind: KeyKind) -> Path:
        """Return the key file of a kind."""
        return key_file_beside(self.folder / "key", kind)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def connect(self) -> Client:
        return connect(self.address, key_file=self.key_file, timeout_s=PATIENCE_S)

    def engine(self) -> psutil.Process:
        """Return the process of the engine: the one that has the state."""
        pid = until(lambda: owner_of(self.folder / "state" / "engine-0"), "there is an engine")
        return psutil.Process(pid)

    def next_engine(self, last: psutil.Process) -> psutil.Process:
        """Return the engine that came after `last`."""

        def look() -> psutil.Process | None:
            pid = owner_of(self.folder / "state" / "engine-0")
            return psutil.Process(pid) if pid and pid != last.pid else None

        return until(look, "there is another engine", self.process)

    def said(self, part: str) -> str:
        """Return the line of its standard error with `part` in it, once it is there."""
        return until(lambda: next((line for line in list(self.lines) if part in line), None), f"it says {part!r}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


def owner_of(state: Path) -> int:
    """Return the pid in the lock of a state, if that process lives."""
    try:
        text = (state / "lock").read_text(encoding="ascii").strip()
        return int(text) if text and psutil.pid_exists(int(text)) else 0
    except FileNotFoundError:
        return 0


def prepare(folder: Path) -> None:
    """Write the workflows that nodes of a folder run."""
    (folder / "flows.py").write_text(FLOWS, encoding="utf-8")


def node_command(folder: Path, *more: str, listen: str = "127.0.0.1:0") -> list[str]:
    """Return the command of a node called `a` over `folder/state`, with one engine unless `more` says otherwise."""
    files = [f"{folder / 'flows.py'}:{name}" for name in WORKFLOWS]
    where = ["--state", str(folder / "state"), "--key-file", str(folder / "key"), "--listen", listen]
    return ["-m", "placet", "node", *files, *where, "--name", "a", "--engines", "1", "--json", *more]


def begin(folder: Path, *more: str, listen: str = "127.0.0.1:0") -> RunningNode:
    """Start a node and wait until it says that its engine runs."""
    prepare(folder)
    process = start(node_command(folder, *more, listen=listen), cwd=folder)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(process.communicate(timeout=PATIENCE_S)[1])
    node = RunningNode(process=process, folder=folder, address=json.loads(line)["listens_at"])
    node._reader = threading.Thread(target=_read, args=(node,), daemon=True)  # pyright: ignore[reportPrivateUsage] - of this module
    node._reader.start()  # pyright: ignore[reportPrivateUsage] - of this module
    return node


def _read(node: RunningNode) -> None:
    assert node.process.stderr is not None
    for line in node.process.stderr:
        node.lines.append(line.rstrip())


@contextmanager
def running(folder: Path, *more: str, listen: str = "127.0.0.1:0") -> Generator[RunningNode]:
    """Yield a node; whatever is left of it is killed in the end."""
    node = begin(folder, *more, listen=listen)
    try:
        yield node
    finally:
        finish(node)


def finish(node: RunningNode) -> None:
    """Kill what is left of a node, and wait until its threads of this process have ended."""
    if node.process.poll() is None:
        os.killpg(node.process.pid, signal.SIGKILL)
    node.process.wait(PATIENCE_S)
    if node._reader is not None:  # pyright: ignore[reportPrivateUsage] - of this module
        node._reader.join(PATIENCE_S)  # pyright: ignore[reportPrivateUsage] - of this module
    for stream in (node.process.stdout, node.process.stderr):
        if stream is not None:
            stream.close()


def listeners(pid: int) -> set[tuple[str, int]]:
    """Return (host, port) of every listening socket of a process and all its descendants."""
    top = psutil.Process(pid)
    found: set[tuple[str, int]] = set()
    for process in (top, *top.children(recursive=True)):
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN or connection.type.name == "SOCK_DGRAM":
                found.add((connection.laddr.ip, connection.laddr.port))
    return found


def in_threads(count: int, act: Callable[[int], None]) -> None:
    """Call `act(0)`, `act(1)`, … at once, each in a thread of its own; raise what the first to fail raised."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            barrier.wait(PATIENCE_S)
            act(number)
        except BaseException as error:  # it is raised where the test sees it
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def script(*arguments: str) -> list[str]:
    """Return the command of a client in a process of its own."""
    return [str(Path(__file__).with_name("a_client.py")), *arguments]
