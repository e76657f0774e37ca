"""Where a command looks and acts: a state directory on this host, or the engine of a node over the network."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from placet.cli.bundle import in_place_of
from placet.cli.options import STATE, State

if TYPE_CHECKING:
    from placet.net.client import Client

HERE_ALONE: Mapping[str, str] = {
    "backup": "it copies the file of one engine; run it on the host of each",
    "net": "it reads a file of this host, and asks nobody",
    "node": "it is a node itself; --join names the nodes of its cluster",
    "restore": "it puts a file in place of the state of one engine; run it on its host",
    "serve": "it runs an engine over a state of this host; placet node runs one that others reach",
    "status": "it looks at the disk of one engine; placet nodes list and placet top --connect look at a cluster",
    "trace": "it writes a file on this host, and asks nobody",
    "version": "it tells of the Placet that is installed here; placet nodes list tells of those of nodes",
}
"""Why a command knows no node, and what does instead."""

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
    typer.Option(
        envvar="PLACET_KEY_FILE", help="A key file of the node's of any kind, or a copy.", show_default="DIR/.node.key"
    ),
]


def _where(state: Path, connect: str, key_file: Path | None) -> Where:
    return Where(state=state, node=connect, key_file=key_file)


# Gives a command, in place of its parameter `where`, the options that say where.
anywhere = in_place_of(
    "where", (("state", State, STATE), ("connect", _Connect, ""), ("key_file", _KeyFile, None)), _where
)
