"""What belongs to a shard, read in parts while its instances go on, and then what has changed since.

Parts are read one after the other, each from the newest committed state, so a copy of all parts is of no one moment.
That is mended by reading again whatever was written meanwhile (`Changes`): once the shard is frozen, the two together
are exact. An instance's header comes before all else of it, so that who has some of it can find all of that again.
"""

from collections.abc import Iterator
from itertools import islice

from placet.actors.catalog import net_key
from placet.actors.messages import Sent, decode_message
from placet.actors.records import Header, decode_firing, decode_header
from placet.actors.shards.messages import Entries, Part, Posts, Records
from placet.persistence.history import decode_record, walk
from placet.persistence.keys import (
    CHANNEL,
    ERA,
    FIRING,
    FIRST_PLACE,
    HEADER,
    HISTORY,
    LIVE,
    OUTBOX,
    RECEIVED,
    SHARD,
    TASKS,
    address_key,
    entry_key,
    history_key,
    shard_of,
    shard_prefix,
    split_entry,
)
from placet.persistence.store import View

ROOT_BYTES = 10
PART_ENTRIES = 256
PART_BYTES = 1 << 18  # of entries; one large value may be more
BESIDE = (TASKS, SHARD, CHANNEL, RECEIVED, ERA)  # what a shard has beside its instances; the next byte of the key is it
_OF_A_SHARD = frozenset(prefix[0] for prefix in (LIVE, *BESIDE))


class Changes:
    """What was written of a shard since it began to be copied."""

    __slots__ = ("keys", "records", "shard")

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self.keys: set[bytes] = set()
        self.records: dict[bytes, list[bytes]] = {}  # keys of the history, in order, by root

    def note(self, key: bytes, value: bytes | None) -> None:
        """Note one write of a batch, if it is of the shard."""
        if key[0] in _OF_A_SHARD:
            if key[1] == self.shard:
                self.keys.add(key)
        elif key[:1] == HISTORY and value is not None:
            root = decode_record(value).root
            if root[1] == self.shard:
                self.records.setdefault(root, []).append(key)

    @property
    def count(self) -> int:
        """How much there is to be read again."""
        return len(self.keys) + sum(map(len, self.records.values()))


class Content:
    """Reads one shard; what was sent of it once, such as a net, is not sent again."""

    def __init__(self, view: View, shard: int, history: int) -> None:
        """`history` is the newest record of the engine: what comes later is noted in `Changes`."""
        self._view = view
        self._shard = shard
        self._history = history
        self._nets: set[bytes] = set()

    def whole(self) -> Iterator[Part]:
        """Yield all there is: instance by instance, then what lies beside them."""
        for page in _pages(self._view, shard_prefix(self._shard)):
            begun: list[tuple[bytes, bytes | None]] = []
            for key, value in page:
                if not _is_header(key):
                    begun.append((key, value))
                    continue
                if begun:
                    yield Entries(tuple(begun))
                    begun = []
                header = decode_header(value)
                yield self._header(key, header, value)
                yield from self._history_of(key[:ROOT_BYTES])
            if begun:
                yield Entries(tuple(begun))
        for prefix in BESIDE:
            for page in _pages(self._view, prefix + bytes((self._shard,))):
                yield Entries(tuple(page))

    def changed(self, changes: Changes) -> Iterator[Part]:
        """Yield what has been written since, as it is now."""
        live: dict[bytes, list[bytes]] = {root: [] for root in changes.records}
        for key in sorted(changes.keys):
            if key[:1] == LIVE and not _is_header(key):
                live.setdefault(key[:ROOT_BYTES], []).append(key)
            elif key[:1] == LIVE:
                live.setdefault(key[:ROOT_BYTES], [])
        for root, keys in live.items():
            header_key = entry_key(root, 0, HEADER, 0)
            value = self._view.get(header_key)
            assert value is not None, root  # instances stay
            yield self._header(header_key, decode_header(value), value)
            yield from self._records(root, changes.records.get(root, ()))
            yield from self._again(keys)
        yield from self._again([key for key in sorted(changes.keys) if key[:1] != LIVE])

    def posts(self) -> Iterator[Part]:
        """Yield what stands in the outbox for instances of the shard."""
        for page in _pages(self._view, OUTBOX):
            found = tuple(value for _, value in page if shard_of_post(value) == self._shard)
            if found:
                yield Posts(found)

    def _header(self, key: bytes, header: Header, value: bytes) -> Entries:
        """Return an instance's header, with its address, and its net if that has not been sent."""
        entries: list[tuple[bytes, bytes | None]] = []
        net = net_key(header.net)
        if net not in self._nets and (data := self._view.get(net)) is not None:
            self._nets.add(net)
            entries.append((net, data))
        entries.append((key, value))
        entries.append((address_key(header.instance), key[:ROOT_BYTES]))
        return Entries(tuple(entries))

    def _history_of(self, root: bytes) -> Iterator[Part]:
        known = walk(self._view, last_record(self._view, root))  # as of now: the header may be of an earlier state
        sequences = [sequence for sequence, _ in known if sequence <= self._history]
        yield from self._records(root, [history_key(sequence) for sequence in reversed(sequences)])

    def _records(self, root: bytes, keys: "list[bytes] | tuple[()]") -> Iterator[Part]:
        for begin in range(0, len(keys), PART_ENTRIES):
            some = keys[begin : begin + PART_ENTRIES]
            found = tuple(data for key in some if (data := self._view.get(key)) is not None)  # else it was trimmed
            if found:
                yield Records(root, found)

    def _again(self, keys: list[bytes]) -> Iterator[Part]:
        entries: list[tuple[bytes, bytes | None]] = []
        size = 0
        for key in keys:
            value = self._view.get(key)
            entries.append((key, value))
            size += len(value or b"")
            if size > PART_BYTES or len(entries) >= PART_ENTRIES:
                yield Entries(tuple(entries))
                entries, size = [], 0
        if entries:
            yield Entries(tuple(entries))


def part_bytes(part: Part) -> int:
    """Return about how large a part is when it is sent."""
    match part:
        case Entries(entries=entries):
            return sum(len(key) + len(value or b"") for key, value in entries)
        case Records(records=records):
            return sum(map(len, records))
        case Posts(posts=posts):
            return sum(map(len, posts))


def shard_of_post(data: bytes) -> int:
    """Return the shard that an entry of the outbox is for."""
    sent = decode_message(data)
    assert isinstance(sent, Sent), sent
    return shard_of(sent.instance)


def last_record(view: View, root: bytes) -> int:
    """Return the sequence of an instance's newest history record, which its header or one of its firings has."""
    last = 0
    for key, value in view.scan(root):
        actor, kind, _ = split_entry(key)
        if actor >= FIRST_PLACE:
            break
        if kind == FIRING:
            last = max(last, decode_firing(value).link)
        elif _is_header(key):
            last = max(last, decode_header(value).link)
    return last


def _is_header(key: bytes) -> bool:
    actor, kind, _ = split_entry(key)
    return actor == 0 and kind == HEADER


def _pages(view: View, prefix: bytes) -> Iterator[list[tuple[bytes, bytes]]]:
    """Yield what is below a prefix, some at a time: between two pages nothing holds an old state in place."""
    start: bytes | None = None
    while True:
        page: list[tuple[bytes, bytes]] = []
        size = 0
        for entry in islice(view.scan(prefix, start), PART_ENTRIES):
            page.append(entry)
            size += len(entry[1])
            if size > PART_BYTES:
                break
        if not page:
            return
        yield page
        start = page[-1][0] + b"\0"
