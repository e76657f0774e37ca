"""`placet node`: a node that clients on this or other hosts speak to, until it is told to stop."""

import os
import re
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM, Signals
from typing import TYPE_CHECKING

from placet import __version__
from placet.actors.clock import monotonic_s
from placet.actors.errors import WaitTimeout
from placet.cli.capability import capabilities_of
from placet.cli.errors import COMPLETED, WrongUsage
from placet.cli.output import note, say, say_json
from placet.net.address import parse_address
from placet.net.keyring import KeyKind
from placet.net.messages import EngineConfig
from placet.net.node import STOP_S, Lost, Node, NodeConfig, NodeEvent, Started
from placet.net.node_state import is_node_state, node_of

if TYPE_CHECKING:
    from placet.actors.spawning import Definable

_FOR = {KeyKind.CLUSTER: "nodes", KeyKind.DEPLOY: "clients that send code", KeyKind.CLIENT: "clients"}
KEY = ".node.key"  # in the state directory, where no other file is named
PATIENCE_S = 5.0  # beyond what a stop may take
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRequest:
    """What `placet node` was asked for."""

    listen: str
    state: Path
    key_file: Path | None
    files: tuple[str, ...]
    name: str  # "": the host's
    join: str  # "": this node begins a cluster
    engines: int  # 0: one a processor
    capabilities: tuple[str, ...]  # `NAME=VALUE`
    threads: int
    grace_s: float
    is_json: bool


def node(request: NodeRequest) -> int:
    """Run a node until a signal comes; stopping it that way is a success."""
    key_file = request.key_file or request.state / KEY
    capabilities = capabilities_of(request.capabilities)
    config = NodeConfig(
        name=_checked_name(request.name or socket.gethostname().partition(".")[0]),
        version=__version__,
        listen=parse_address(request.listen),
        join=tuple(parse_address(one.strip()) for one in request.join.split(",") if one.strip()),
        state=request.state,
        engines=request.engines or len(os.sched_getaffinity(0)),
        capabilities=capabilities,
        key_file=key_file,
        has_chosen_key=request.key_file is not None,
        engine=EngineConfig(
            name="",
            state=request.state,
            targets=request.files,
            loader="placet.cli.node:load_workflows",
            threads=request.threads,
            grace_s=request.grace_s,
            capabilities=capabilities,
        ),
    )
    started = Node(config, _Teller(request).tell)
    for kind, file in started.made_keys.items():
        note(f"made the key file {file}, for {_FOR[kind]}")
    number = started.run()
    note(f"stopped by {Signals(number).name}; the state is as committed")
    return COMPLETED


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise WrongUsage(f"{name!r} is no name for a node", "give --name, of letters, digits, '-', '_' and '.'")
    return name


def stop(state: Path, grace_s: float, *, is_json: bool) -> int:
    """Have the node of a state directory on this host stop cleanly, and wait until it has."""
    if not is_node_state(state):
        raise WrongUsage(f"{state} is not the state of a node", "name one with --state")
    pid = node_of(state)
    if pid is None:
        face, line = {"path": str(state), "stopped": True, "already": True}, f"no node runs over {state}"
    else:
        if not pid:
            raise WrongUsage(f"the process that has {state} is not known", "stop it where it was started")
        os.kill(pid, SIGTERM)
        end_s = monotonic_s() + grace_s + STOP_S + PATIENCE_S
        pause = threading.Event()
        while node_of(state) is not None:
            if monotonic_s() >= end_s:
                raise WaitTimeout("", f"node {pid} has not stopped yet; wait, or see what it does with placet top")
            pause.wait(0.05)
        face, line = {"path": str(state), "stopped": True, "already": False}, f"the node over {state} has stopped"
    if is_json:
        say_json(face)
    else:
        say(line)
    return COMPLETED


class _Teller:
    """Says what happens to a node."""

    def __init__(self, request: NodeRequest) -> None:
        self._request = request

    def tell(self, event: NodeEvent) -> None:
        """Say what happened."""
        match event:
            case Started():
                for name, reason in event.unknown.items():
                    note(f"workflow {name} could not be loaded ({reason}); its instances wait")
                self._say_started(event)
            case Lost():
                code = event.exit_code
                how = f"was killed by {Signals(-code).name}" if code is not None and code < 0 else f"ended with {code}"
                note(f"engine {event.engine} {how}; another is started")

    def _say_started(self, event: Started) -> None:
        if self._request.is_json:
            face = {"engine": event.engine, "engine_pid": event.pid, "process": event.number, "path": str(event.state)}
            say_json({"listens_at": str(event.listens_at), **face})
        else:
            where = f"listens at {event.listens_at}, engine {event.engine} ({event.pid}) runs over {event.state}"
            say(f"node {where}; Ctrl-C stops it")


def load_workflows(targets: tuple[str, ...]) -> list["Definable"]:
    """Return the workflows of files, as `placet run` takes them; called in the process of the engine."""
    from placet.cli.source import know_files, load

    know_files()
    return [load(target, 0.0).workflow for target in targets]
