"""`placet node`: a node that clients on this or other hosts speak to, until it is told to stop."""

import math
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING

from placet import __version__
from placet.cli.errors import COMPLETED, WrongUsage
from placet.cli.output import note, say, say_json
from placet.net.address import parse_address
from placet.net.messages import EngineConfig
from placet.net.node import Lost, Node, NodeConfig, NodeEvent, Started

if TYPE_CHECKING:
    from placet.actors.spawning import Definable

KEY = ".node.key"  # in the state directory, where no other file is named
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
    config = NodeConfig(
        name=_checked_name(request.name or socket.gethostname().partition(".")[0]),
        version=__version__,
        listen=parse_address(request.listen),
        join=tuple(parse_address(one.strip()) for one in request.join.split(",") if one.strip()),
        state=request.state,
        engines=request.engines or len(os.sched_getaffinity(0)),
        capabilities=dict(_capability(text) for text in request.capabilities),
        key_file=key_file,
        has_chosen_key=request.key_file is not None,
        engine=EngineConfig(
            name="",
            state=request.state,
            targets=request.files,
            loader="placet.cli.node:load_workflows",
            threads=request.threads,
            grace_s=request.grace_s,
        ),
    )
    started = Node(config, _Teller(request).tell)
    if started.made_key:
        note(f"made the key file {key_file}; clients need it, or a copy")
    number = started.run()
    note(f"stopped by {Signals(number).name}; the state is as committed")
    return COMPLETED


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise WrongUsage(f"{name!r} is no name for a node", "give --name, of letters, digits, '-', '_' and '.'")
    return name


def _capability(text: str) -> tuple[str, float | str]:
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise WrongUsage(f"{text!r} is no capability", "write one such as --capability gpu=1")
    try:
        number = float(value)
    except ValueError:
        return name, value
    return name, number if math.isfinite(number) else value


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
