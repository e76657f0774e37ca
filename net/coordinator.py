"""Where a cluster agrees: a small map of keys to bytes, changed by compare-and-set. One contract, several coordinators.

The shape is that of etcd v3, so that it can be one of them: a transaction compares revisions of several keys and then
changes several; a watch tells what has changed since a revision; keys may hang on a lease. In etcd's words a condition
is `Compare.mod_revision`, a change is a put or a delete in `Txn.success`, and `Outcome.entries` are what `Txn.failure`
reads; docs/decisions/0030-coordinator.md has the whole table.

Promise: calls are linearizable, and what a future has told is durable. A transaction has its effect once or not at all,
whatever the network does to its messages.
Order: calls of one caller that overlap may take effect in any order; who needs one waits for the future of the first.
Threads: a coordinator is used by one thread. Futures are done, and listeners called, on the thread that runs it: that
thread for those in this package. Neither may raise.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Protocol, TypeAlias

import msgspec

MOST_KEY_BYTES: Final = 400  # of UTF-8
MOST_VALUE_BYTES: Final = 64 << 10
MOST_BYTES: Final = 1 << 20  # of all keys and values of one transaction: etcd takes 1.5 MiB
MOST_KEYS: Final = 100  # conditions, and changes, of one transaction: of the 128 that etcd takes by default


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Holds when `key` was last changed by the transaction with this revision; 0: when it is not there."""

    key: str
    revision: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a key: a value, or None to delete it. With a lease, it is deleted when that ends."""

    key: str
    value: bytes | None
    lease: int = 0  # 0: none, also for a key that had one


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under a key."""

    value: bytes
    revision: int  # of the transaction that changed it last
    lease: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a transaction.

    `revision`: its own, where it was `ok`; that of what was compared, where not, with the entries of the keys in its
    conditions that are there. One that is `ok` and changes nothing has no revision of its own: the one before it.
    """

    ok: bool
    revision: int
    entries: dict[str, Entry] = {}


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All keys of a prefix at one revision; a watch after that revision misses nothing."""

    revision: int
    entries: dict[str, Entry]


class Changed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What one transaction, or the end of a lease, has changed of a watched prefix; never a part of it."""

    revision: int
    entries: dict[str, Entry | None]  # None: deleted


class Compacted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The end of a watch: what came after its revision is no longer known. Read, and watch from there."""

    revision: int  # of the coordinator


Listener: TypeAlias = Callable[[Changed | Compacted], None]
"""Hears of every revision that has changed the prefix: once, in order, without a gap; nothing after `Compacted`."""


class Watch(Protocol):
    """A watch that was begun."""

    def cancel(self) -> None:
        """End it: the listener is not called any more. Cancelling twice is harmless."""
        ...


class Coordinator(Protocol):
    """The contract. What is wrong with arguments is a `ValueError` at once; all else is told by the future.

    Revisions grow by one with each transaction that changes something, and with the end of a lease that has keys. They
    begin at 0: nothing was ever changed. A future that raises `CoordinatorFailed` had no effect. One that raises
    `CoordinatorClosed`, or that its caller has cancelled, may have had it: read to know.
    """

    def transact(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> Future[Outcome]:
        """If all conditions hold, make all changes, at one revision; else none.

        No key may occur twice among the conditions, nor among the changes; at most `MOST_KEYS` of each, and
        `MOST_BYTES` in all. The future raises `LeaseGone` where the conditions hold and a lease is not there; nothing
        was changed then.
        """
        ...

    def read(self, prefix: str) -> Future[Snapshot]:
        """Return all keys that begin with `prefix`, at one revision that is not older than this call."""
        ...

    def watch(self, prefix: str, after_revision: int, listener: Listener) -> Watch:
        """Tell `listener` what is changed of keys that begin with `prefix` by revisions above `after_revision`.

        It may be called before this returns. A revision too long ago, or not yet reached, is answered by `Compacted`.
        """
        ...

    def grant(self, ttl_s: float) -> Future[int]:
        """Begin a lease and return its id, above 0. It ends, with its keys, when it is not kept alive for `ttl_s`.

        It may last longer: by as long as the coordinator, its host or its disk was away or stopped. Never shorter.
        """
        ...

    def keep_alive(self, lease: int) -> Future[bool]:
        """Let a lease last for its whole time from now on; False: it has ended."""
        ...

    def revoke(self, lease: int) -> Future[None]:
        """End a lease, if it has not ended: its keys are deleted at one revision."""
        ...

    def close(self) -> None:
        """Release what it holds; futures that are not done raise `CoordinatorClosed`. Closing twice is harmless."""
        ...


def check_transaction(conditions: Sequence[Condition], changes: Sequence[Change]) -> None:
    """Raise `ValueError` unless every coordinator takes this transaction."""
    for what, keys in (("conditions", [one.key for one in conditions]), ("changes", [one.key for one in changes])):
        if len(keys) > MOST_KEYS:
            raise ValueError(f"a transaction has at most {MOST_KEYS} {what}, not {len(keys)}; make several of it")
        if len(set(keys)) < len(keys):
            raise ValueError(f"a key occurs twice among the {what} of a transaction: {sorted(keys)}")
        for key in keys:
            check_key(key)
    for condition in conditions:
        if condition.revision < 0:
            raise ValueError(f"a revision is 0 or more, not {condition.revision}")
    for change in changes:
        if change.lease < 0 or (change.lease and change.value is None):
            raise ValueError(f"a lease is an id that `grant` gave, for a key that gets a value: {change.key}")
        if change.value is not None and len(change.value) > MOST_VALUE_BYTES:
            raise ValueError(f"a value has at most {MOST_VALUE_BYTES} bytes, not {len(change.value)}: {change.key}")
    size_bytes = sum(len(change.key.encode()) + len(change.value or b"") for change in changes)
    if size_bytes > MOST_BYTES:
        raise ValueError(f"a transaction has at most {MOST_BYTES} bytes, not {size_bytes}; make several of it")


def check_key(key: str) -> None:
    """Raise `ValueError` unless every coordinator takes this key."""
    size_bytes = len(key.encode())
    if not 0 < size_bytes <= MOST_KEY_BYTES:
        raise ValueError(f"a key has 1 to {MOST_KEY_BYTES} bytes, not {size_bytes}: {key[:20]!r}")


def check_ttl(ttl_s: float) -> None:
    """Raise `ValueError` unless every coordinator grants a lease for so long."""
    if not 1.0 <= ttl_s <= 86_400.0:  # etcd counts in whole seconds, and this one ends by itself for good within a day
        raise ValueError(f"a lease lasts 1 s to a day, not {ttl_s} s")
