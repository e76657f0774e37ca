"""Where a command looks and acts: a state directory on this host, or the engine of a node over the network."""

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from placet.cli.options import STATE, State

if TYPE_CHECKING:
    from placet.net.client import Client

NODE_KEY = ".node.key"  # in a state directory, where no other file is named


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What `--state`, `--connect` and `--key-file` say."""

    state: Path
    node: str = ""  # its address; "" is the state on this host
    key_file: Path | None = None

    @contextmanager
    def connected(self) -> Generator["Client"]:
        """Yield a client of the node. Raises what `connect` raises."""
        from placet.net.client import connect  # takes 0.2 s

        with connect(self.node, key_file=self.key_file or self.state / NODE_KEY) as client:
            yield client

    def options(self) -> list[str]:
        """Return the words that name the same place to another command."""
        if not self.node:
            return ["--state", str(self.state)]
        return ["--connect", self.node, *(["--key-file", str(self.key_file)] if self.key_file else [])]


_Connect = Annotated[
    str,
    typer.Option(
        "--connect",
        envvar="PLACET_CONNECT",
        metavar="HOST:PORT",
        help="Ask the node at this address instead.",
        show_default=False,
    ),
]
_KeyFile = Annotated[
    Path | None,
    typer.Option(envvar="PLACET_KEY_FILE", help="The node's key file, or a copy.", show_default="DIR/.node.key"),
]
_OPTIONS: tuple[tuple[str, object, object], ...] = (
    ("state", State, STATE),
    ("connect", _Connect, ""),
    ("key_file", _KeyFile, None),
)


def anywhere(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command, in place of its parameter `where`, the options that say where."""

    @wraps(command)
    def told(*args: Any, state: Path, connect: str, key_file: Path | None, **kwargs: Any) -> int:
        # `Any`: whatever options the command has besides.
        return command(*args, where=Where(state=state, node=connect, key_file=key_file), **kwargs)

    signature = inspect.signature(command)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name == "where":
            kind = parameter.kind
            parameters += [inspect.Parameter(name, kind, default=unset, annotation=of) for name, of, unset in _OPTIONS]
        else:
            parameters.append(parameter)
    annotations = {name: kind for name, kind in command.__annotations__.items() if name != "where"}
    told.__annotations__ = annotations | {name: kind for name, kind, _ in _OPTIONS}
    setattr(told, "__signature__", signature.replace(parameters=parameters))  # noqa: B010 - no type checker knows it
    return told
