"""The state directory of a node: who it is, and a directory for each of its engines.

node.json      name, cluster, how often it was started, whether it drains, and where it has known other nodes
node.lock      holds the pid of the node's process, which has a flock on it
engine-N/      the state of its engine N
coordinator/   where a cluster agrees, on the node that keeps it
.node*.key     keys it made for itself
"""

import os
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from placet.actors.clock import wall_s
from placet.persistence.directory import ABOUT, DATA, NODE, sync_directory, write_durably
from placet.persistence.errors import StateUnusable
from placet.persistence.lock import StateLock, owner

LOCK, COORDINATOR, ENGINE = "node.lock", "coordinator", "engine-"
FORMAT: Final = 1
MOST_PEERS: Final = 100  # nodes that are remembered; those that were known first are forgotten first


class NodeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a node remembers of itself."""

    format: int = FORMAT
    name: str
    cluster: str  # "": it has not joined one yet
    starts: int  # grows with each process it runs in, also where its directory was lost (see `open`): its incarnation
    id: str = ""  # random; two nodes that were given one name are told apart by it
    is_draining: bool = False  # it was told to give all its shards away, and not yet to take its share again
    peers: dict[str, str] = {}  # other nodes of its cluster by name, with the address each had last


@dataclass(slots=True, kw_only=True)
class NodeState:
    """The directory of a node, held by this process until `close`."""

    path: Path
    record: NodeRecord
    _lock: StateLock

    @classmethod
    def open(cls, path: Path, name: str, *, keeps_coordinator: bool) -> "NodeState":
        """Take over the directory, made if it is missing, and count one start more.

        In a new one counting begins with the milliseconds of the wall clock: a node that lost its disk is newer for the
        others, who remember it, than all its processes before.

        `keeps_coordinator`: of a new cluster, where it is none's yet. Raises `StateUnusable` and `StoreInUse`.
        """
        prepare_node_directory(path)
        with ExitStack() as undo:
            lock = StateLock.acquire(path, (LOCK,))
            undo.callback(lock.release)
            known = _read(path)
            if known is not None and known.name != name:
                remedy = f"start it with --name {known.name}, or use another --state"
                raise StateUnusable(str(path), f"it is the state of node {known.name}, not of {name}; {remedy}")
            cluster = known.cluster if known is not None else secrets.token_hex(8) if keeps_coordinator else ""
            record = msgspec.structs.replace(
                known or NodeRecord(name=name, cluster=cluster, starts=0),
                starts=known.starts + 1 if known is not None else int(wall_s() * 1_000),
                id=(known.id if known is not None else "") or secrets.token_hex(8),
            )
            state = cls(path=path, record=record, _lock=lock)
            if known is None and keeps_coordinator:
                state.coordinator.mkdir(mode=0o700, exist_ok=True)
            state._write()
            undo.pop_all()
        return state

    @property
    def coordinator(self) -> Path:
        """Where the coordinator's state is, if it is kept here."""
        return self.path / COORDINATOR

    @property
    def keeps_coordinator(self) -> bool:
        """True where the cluster agrees in this node."""
        return self.coordinator.is_dir()

    def engine(self, number: int) -> Path:
        """Return the directory of an engine."""
        return self.path / f"{ENGINE}{number}"

    def engines(self) -> int:
        """Return one more than the highest number of an engine that has a state here; 0: there is none."""
        found = [one.name.removeprefix(ENGINE) for one in self.path.glob(f"{ENGINE}*")]
        return max((int(number) + 1 for number in found if number.isdecimal()), default=0)

    def join(self, cluster: str) -> None:
        """Remember the cluster this node belongs to. Raises `StateUnusable` where it is another's."""
        if self.record.cluster not in ("", cluster):
            problem = f"it belongs to cluster {self.record.cluster}, and {cluster} was joined"
            raise StateUnusable(str(self.path), f"{problem}; check --join, or use another --state")
        if self.record.cluster != cluster:
            self._become(msgspec.structs.replace(self.record, cluster=cluster))

    def drain(self, *, is_draining: bool) -> None:
        """Remember whether this node gives all its shards away. Raises `StateUnusable`."""
        self._become(msgspec.structs.replace(self.record, is_draining=is_draining))

    def remember(self, peers: Mapping[str, str]) -> None:
        """Remember where other nodes are, beside those that were known before. Raises `StateUnusable`."""
        others = {name: address for name, address in self.record.peers.items() if name not in peers}
        all_known = list((others | dict(peers)).items())
        self._become(msgspec.structs.replace(self.record, peers=dict(all_known[-MOST_PEERS:])))

    def close(self) -> None:
        """Let the next process in; closing twice is harmless."""
        self._lock.release()

    def _become(self, record: NodeRecord) -> None:
        """Have another record, on disk first; the order in which peers became known is no reason to write."""
        if record != self.record:
            before, self.record = self.record, record
            try:
                self._write()
            except StateUnusable:
                self.record = before
                raise

    def _write(self) -> None:
        try:
            write_durably(self.path / NODE, msgspec.json.encode(self.record) + b"\n")
        except OSError as error:
            raise StateUnusable(str(self.path), f"{error.strerror}; free space or choose another path") from error


def node_of(path: Path) -> int | None:
    """Return the pid of the process that has a node's directory, 0 where it is not known, or None if nobody has."""
    return owner(path, (LOCK,))


def is_node_state(path: Path) -> bool:
    """Return whether a directory is the state of a node."""
    return (path / NODE).exists()


def prepare_node_directory(path: Path) -> None:
    """Make the directory, mode 0700, if it is missing. Raises `StateUnusable` for one that cannot be a node's."""
    try:
        path.mkdir(mode=0o700)
        sync_directory(path.parent)
    except FileExistsError:
        if not path.is_dir() or not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise StateUnusable(str(path), "it is no directory this user may write to; choose another path") from None
        if (path / DATA).exists() or (path / ABOUT).exists():
            remedy = f"make it that of a node's one engine: mkdir NEW; mv {path} NEW/{ENGINE}0; placet node --state NEW"
            raise StateUnusable(str(path), f"it is the state of an engine, not of a node; {remedy}") from None
        strange = sorted(one.name for one in path.iterdir() if not _may_come_first(one.name))
        if strange and not is_node_state(path):
            raise StateUnusable(
                str(path), f"it holds other files ({', '.join(strange[:3])}); choose an empty directory"
            ) from None
    except FileNotFoundError as error:
        raise StateUnusable(str(path), f"{path.parent} does not exist; create it first") from error
    except OSError as error:
        raise StateUnusable(str(path), f"it cannot be created ({error.strerror}); choose another path") from error


def _may_come_first(name: str) -> bool:
    """Return whether a file or folder may be in a node's directory before the node: a backup may be restored there."""
    return name == LOCK or name.startswith((".", ENGINE))


def _read(path: Path) -> NodeRecord | None:
    try:
        found = msgspec.json.decode((path / NODE).read_bytes(), type=NodeRecord)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise StateUnusable(str(path), f"{NODE} cannot be read ({error}); restore it") from error
    if found.format != FORMAT:
        raise StateUnusable(str(path), f"{NODE} is of format {found.format}; use a newer Placet")
    return found
