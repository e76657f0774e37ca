"""`placet node`: a node that clients on this or other hosts speak to, until it is told to stop."""

from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING

from placet.cli.errors import COMPLETED
from placet.cli.output import note, say, say_json
from placet.net.address import parse_address
from placet.net.messages import EngineConfig
from placet.net.node import Lost, Node, NodeConfig, NodeEvent, Started

if TYPE_CHECKING:
    from placet.actors.spawning import Definable

KEY = ".node.key"  # in the state directory, where no other file is named


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRequest:
    """What `placet node` was asked for."""

    listen: str
    state: Path
    key_file: Path | None
    files: tuple[str, ...]
    threads: int
    grace_s: float
    is_json: bool


def node(request: NodeRequest) -> int:
    """Run a node until a signal comes; stopping it that way is a success."""
    key_file = request.key_file or _own_key_file(request.state)
    config = NodeConfig(
        listen=parse_address(request.listen),
        key_file=key_file,
        has_chosen_key=request.key_file is not None,
        engine=EngineConfig(
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


def _own_key_file(state: Path) -> Path:
    from placet.persistence.directory import prepare_directory

    prepare_directory(state)
    return state / KEY


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
                note(f"engine {event.number} {how}; another is started")

    def _say_started(self, event: Started) -> None:
        if self._request.is_json:
            at, state = str(event.listens_at), str(self._request.state)
            say_json({"listens_at": at, "engine_pid": event.pid, "engine": event.number, "path": state})
        else:
            where = f"listens at {event.listens_at}, engine {event.pid} runs over {self._request.state}"
            say(f"node {where}; Ctrl-C stops it")


def load_workflows(targets: tuple[str, ...]) -> list["Definable"]:
    """Return the workflows of files, as `placet run` takes them; called in the process of the engine."""
    from placet.cli.source import know_files, load

    know_files()
    return [load(target, 0.0).workflow for target in targets]
