"""Hosts for tests: a network namespace each, joined by a switch that can lose, delay and cut.

    with Hosts(3) as hosts:
        a, b, c = hosts
        node = a.start(["-m", "placet", "node", …, "--listen", f"{a.address}:1900"], cwd=folder)
        hosts.cut(a, b)
        hosts.heal()
        a.kill_all()

They share everything but the network: files, clocks, users. What ran in them is killed at the end of the block, and the
namespaces are removed; if the tests themselves are killed, the next `Hosts` sees to that.
"""

import os
import subprocess
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from enum import Enum
from itertools import count, permutations
from pathlib import Path
from string import ascii_lowercase
from threading import Event
from types import TracebackType
from typing import Self

import msgspec

from tests.endtoend.processes import PATIENCE_S, Process, start
from tests.hosts.link import NO_FAULTS, Faults
from tests.hosts.listeners import Listener, listeners
from tests.hosts.namespaces import Namespace, entered, ip, own_prefix, sweep
from tests.hosts.switch_control import Answer, AskCounts, Attach, Shape, Switch

NETWORK = "10.81.0"  # the same for all `Hosts` that name no other: each is a network of its own, with no way out
DEVICE = "eth0"
QUEUE = 5_000  # packets that a host keeps for the switch
_serials = count(1)


class Wiring(Enum):
    """What joins hosts."""

    SWITCH = "switch"  # in user space, with faults
    BRIDGE = "bridge"  # the kernel's, for benchmarks: no faults


class Host:
    """One host. Its name is `a`, `b`, …; `address` is all that others reach it by."""

    def __init__(self, name: str, address: str, namespace: Namespace) -> None:
        self.name = name
        self.address = address
        self.namespace = namespace
        self._processes: list[Process] = []

    def __repr__(self) -> str:
        return f"<host {self.name} {self.address}>"

    def entered(self) -> AbstractContextManager[None]:
        """Run a block with this thread on the host: sockets made and processes started there belong to the host.

        Sockets stay on the host after the block; use them from anywhere.
        """
        return entered(self.namespace.path)

    def start(self, arguments: list[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> Process:
        """Start a Python process on the host, as `tests.endtoend.processes.start` does."""
        with self.entered():
            return self._keep(start(arguments, cwd=cwd, env=env))

    def popen(
        self, command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start any program on the host, with pipes for its output."""
        with self.entered():
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            return self._keep(process)

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout_s: float = PATIENCE_S,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the host to its end. Raises `subprocess.TimeoutExpired`; then it is killed."""
        process = self.popen(command, cwd=cwd, env=env)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def _keep(self, process: Process) -> Process:
        self._processes.append(process)
        return process

    def kill_all(self) -> int:
        """Kill every process of the host with SIGKILL; return how many there were, once all are gone."""
        return self.namespace.kill()

    def pause(self) -> None:
        """Stop every process of the host with SIGSTOP; return once all stand still."""
        self.namespace.stop()

    def resume(self) -> None:
        """Let every process of the host go on."""
        self.namespace.go_on()

    def pids(self) -> list[int]:
        """Return the processes of the host."""
        return self.namespace.pids()

    def listeners(self) -> list[Listener]:
        """Return every socket on the host that takes connections or packets from anybody."""
        with self.entered():
            return listeners(self.pids())

    def close(self) -> None:
        """Kill all that runs on the host and remove it."""
        self.namespace.remove()
        for process in self._processes:
            process.wait(PATIENCE_S)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


class Hosts:
    """Makes hosts at the start of a `with` block and removes them at its end.

    Faults are between two hosts, or among all when none are named; each kind is set apart from the others, and the last
    call for a pair counts. `seed` decides which packets are lost.
    """

    def __init__(
        self,
        number: int = 2,
        *,
        wiring: Wiring = Wiring.SWITCH,
        seed: int = 1,
        packet_bytes: int = 1500,
        network: str = NETWORK,
    ) -> None:
        if not 1 <= number <= len(ascii_lowercase):
            raise ValueError(f"there can be 1 to {len(ascii_lowercase)} hosts, not {number}")
        self._number = number
        self._network = network
        self._wiring = wiring
        self._seed = seed
        self._packet_bytes = packet_bytes
        self._prefix = f"{own_prefix()}-{next(_serials)}"
        self._hosts: list[Host] = []
        self._faults: dict[tuple[str, str], Faults] = {}  # by addresses; what is not here is well
        self._switch: Switch | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        sweep()
        with ExitStack() as stack:  # closes what is there already when something fails, or is interrupted
            if self._wiring is Wiring.SWITCH:
                self._switch = Switch(self._seed)  # first: it takes its time to start
                stack.callback(self._switch.close)
            for name in ascii_lowercase[: self._number]:
                address = f"{self._network}.{len(self._hosts) + 1}"
                host = Host(name, address, Namespace.make(f"{self._prefix}-{name}"))
                stack.callback(host.close)
                self._hosts.append(host)
            if self._switch is not None:
                self._join_by_switch(self._switch)
            else:
                self._join_by_bridge(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _join_by_switch(self, switch: Switch) -> None:
        for host in self._hosts:
            switch.tell(Attach(namespace=str(host.namespace.path), device=DEVICE, address=host.address))
            self._configure(host)

    def _join_by_bridge(self, stack: ExitStack) -> None:
        middle = Namespace.make(f"{self._prefix}-bridge")
        stack.callback(middle.remove)
        ports = [f"port-{host.name}" for host in self._hosts]
        pairs = [
            f"link add {port} type veth peer name {DEVICE} netns {host.namespace.name}"
            for port, host in zip(ports, self._hosts, strict=True)
        ]
        ups = [f"link set {port} mtu {self._packet_bytes} master bridge up" for port in ports]
        bridge = ["link add bridge type bridge", f"link set bridge mtu {self._packet_bytes} up"]
        ip("-n", middle.name, lines=[*bridge, *pairs, *ups])
        for host in self._hosts:
            self._configure(host)

    def _configure(self, host: Host) -> None:
        device = f"link set {DEVICE} mtu {self._packet_bytes} txqueuelen {QUEUE} up"
        ip("-n", host.namespace.name, lines=["link set lo up", device, f"addr add {host.address}/24 dev {DEVICE}"])

    # -- hosts -----------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Host]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, name: str) -> Host:
        """Return the host of a name: `hosts["a"]`."""
        return self._hosts[ascii_lowercase.index(name)]

    # -- the network -----------------------------------------------------------------------------------------

    def cut(self, one: Host, other: Host) -> None:
        """Let nothing through between two hosts."""
        self._spoil([(one, other), (other, one)], is_cut=True)

    def cut_one_way(self, source: Host, destination: Host) -> None:
        """Let nothing through from one host to another; the other way it goes on."""
        self._spoil([(source, destination)], is_cut=True)

    def isolate(self, host: Host) -> None:
        """Pull the plug of one host: cut it off from all others."""
        for other in self._hosts:
            if other is not host:
                self.cut(host, other)

    def loss(self, share: float, *between: Host) -> None:
        """Lose a share of the packets, each way: 0.2 is one in five."""
        self._spoil(self._pairs(between), loss=share)

    def delay(self, seconds: float, *between: Host, jitter_s: float = 0.0) -> None:
        """Let packets take longer, each way: a round trip takes twice that more. With jitter, some overtake others."""
        self._spoil(self._pairs(between), delay_s=seconds, jitter_s=jitter_s)

    def heal(self, *between: Host) -> None:
        """End all faults between two hosts, or everywhere. What is lost stays lost; what is late comes late."""
        for source, destination in self._pairs(between):
            self._shape(source, destination, NO_FAULTS)

    @staticmethod
    def pass_s(seconds: float) -> None:
        """Let time pass, as a fault lasts so long. Never to wait for something: `until` is for that."""
        Event().wait(seconds)

    @contextmanager
    def cut_off(self, one: Host, other: Host) -> Generator[None]:
        """Run the block with two hosts cut off from each other."""
        self.cut(one, other)
        try:
            yield
        finally:
            self.heal(one, other)

    def counts(self, source: Host, destination: Host) -> Answer:
        """Return how many packets were carried and lost from one host to another."""
        return self.switch.tell(AskCounts(source=source.address, destination=destination.address))

    def _pairs(self, between: tuple[Host, ...]) -> list[tuple[Host, Host]]:
        if len(between) not in (0, 2):
            raise ValueError(f"faults are between two hosts or among all, not {len(between)}")
        return list(permutations(between or self._hosts, 2))

    def _spoil(self, pairs: list[tuple[Host, Host]], **changes: float | bool) -> None:
        for source, destination in pairs:
            self._shape(source, destination, msgspec.structs.replace(self.faults(source, destination), **changes))

    def _shape(self, source: Host, destination: Host, faults: Faults) -> None:
        if self.faults(source, destination) != faults:
            self.switch.tell(Shape(source=source.address, destination=destination.address, faults=faults))
            self._faults[source.address, destination.address] = faults

    def faults(self, source: Host, destination: Host) -> Faults:
        """Return what is wrong from one host to another."""
        return self._faults.get((source.address, destination.address), NO_FAULTS)

    @property
    def switch(self) -> Switch:
        """The switch, where there is one."""
        if self._switch is None:
            raise ValueError("a bridge carries everything: faults and counts need Wiring.SWITCH")
        return self._switch
