"""What can go wrong between hosts. Fields for code, `str` for people: what happened; what to do."""

from collections.abc import Mapping, Sequence
from typing import Final

from placet.petri.errors import PlacetError

MOST_SPANS: Final = 8  # of shards that are named in one line


class NetworkError(PlacetError):
    """Base of errors of nodes and of their clients."""

    code = "network"


class KeyUnusable(NetworkError):
    """A key file cannot be used: missing, open to others, or not what it should be."""

    code = "key_unusable"

    def __init__(self, path: str, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path = path
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"key file {self.path} cannot be used: {self.problem}; {self.remedy}"


class BadAddress(NetworkError, ValueError):
    """An address is not HOST:PORT, or not one a node may listen on."""

    code = "bad_address"

    def __init__(self, address: str, problem: str, remedy: str) -> None:
        super().__init__(address, problem, remedy)
        self.address = address
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"address {self.address}: {self.problem}; {self.remedy}"


class AddressTaken(NetworkError):
    """Another program listens on the address."""

    code = "address_taken"

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return f"{self.address} is in use by another program; stop it, or use another --listen"


class WrongKey(NetworkError):
    """A node answers, and does not take the key."""

    code = "wrong_key"

    def __init__(self, address: str, key_file: str) -> None:
        super().__init__(address, key_file)
        self.address = address
        self.key_file = key_file

    def __str__(self) -> str:
        return f"the node at {self.address} does not take the key in {self.key_file}; copy the key file from its host"


class NodeUnreachable(NetworkError):
    """No node could be reached at an address. Nothing has been asked of it."""

    code = "unreachable"

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address = address
        self.reason = reason

    def __str__(self) -> str:
        return f"no node can be reached at {self.address}: {self.reason}; nothing was asked of it"


class OtherVersion(NodeUnreachable):
    """A node answers that speaks another version of the protocol. Nothing has been asked of it."""

    code = "other_version"

    def __init__(self, address: str, theirs: int, ours: int) -> None:
        super().__init__(address, f"it speaks version {theirs} of the sealed protocol, and this Placet {ours}")
        self.args = (address, theirs, ours)
        self.theirs = theirs
        self.ours = ours

    def __str__(self) -> str:
        return f"the node at {self.address} cannot be spoken with: {self.reason}; install the same Placet on both"


class NodeFailed(NetworkError):
    """A node cannot go on: its engine does not start, or ends again and again. What was committed is on disk."""

    code = "node_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the node has stopped: {self.reason}; start it again once that is mended"


class TooLarge(NetworkError):
    """A request or an answer is too large for one message."""

    code = "too_large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(size_bytes, limit_bytes)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        sizes = f"a message of {self.size_bytes} bytes is over the limit of {self.limit_bytes}"
        return f"{sizes}; pass a reference to large values, or look on the node's host"


class Declined(NetworkError):
    """Base of requests that were understood and not carried out: why, and what to do. Nothing was done."""

    code = "declined"

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason, remedy)
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}"


class NotPossible(Declined):
    """What was asked of a cluster cannot be done, as it is now. Nothing was changed."""

    code = "not_possible"


class NotYet(NotPossible):
    """A node that has only just begun does not know it yet. Clients ask again by themselves, for a while."""

    code = "not_yet"


class NotAllowed(Declined):
    """What was asked for is not for those who have this key. Nothing was done."""

    code = "not_allowed"


class ShardsMissing(NetworkError):
    """Nothing is known of some shards: their engine does not run, or lacks them. All else was given."""

    code = "shards_missing"

    def __init__(self, shards: Mapping[str, Sequence[int]]) -> None:
        super().__init__(shards)
        self.shards = shards  # by the engine that owns them

    def __str__(self) -> str:
        lacking = "; ".join(f"{_spans(several)} of engine {engine}" for engine, several in self.shards.items())
        return f"what is in shards {lacking} is missing; all else is there; see placet nodes list, and ask again"


def _spans(numbers: Sequence[int]) -> str:
    """Return numbers, in order, as people write them, such as `1-3, 7`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    texts = [f"{span[0]}-{span[-1]}" if len(span) > 1 else str(span[0]) for span in spans]
    return ", ".join(texts if len(texts) <= MOST_SPANS else [*texts[:MOST_SPANS], f"… ({len(numbers)} in all)"])


class BundleMissing(NetworkError):
    """An engine has not got a workflow that was sent to it before. Who spawned sends it again."""

    code = "bundle_missing"

    def __init__(self, workflow: str) -> None:
        super().__init__(workflow)
        self.workflow = workflow

    def __str__(self) -> str:
        return f"the engine does not run workflow {self.workflow} any more; spawn it again"
