"""The coordinator of a cluster that has one: on a store of one node, which all others reach through it."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from itertools import islice
from typing import Final, NamedTuple, TypeVar

import msgspec

from placet.net.change_log import ChangeLog
from placet.net.coordinator import (
    Change,
    Changed,
    Condition,
    Entry,
    Listener,
    Outcome,
    Snapshot,
    Watch,
    check_transaction,
    check_ttl,
)
from placet.net.coordinator_errors import CoordinatorClosed, CoordinatorFailed, LeaseGone
from placet.persistence.errors import FormatTooNew, StateUnusable, StoreError, StoreFull
from placet.persistence.format import FORMAT_KEY
from placet.persistence.state import open_state
from placet.persistence.store import Store, Write

FORMAT: Final = 1
KEEP: Final = 1_000  # revisions that a watch may be behind
LONGEST_STEP_S: Final = 1.0  # what time between two ticks counts at most
REQUESTS_KEPT_S: Final = 3_600.0  # of a client that is not heard of any more
LIMIT_BYTES: Final = 1 << 30
MAP_BYTES: Final = 8 << 30

HEADER: Final = b"YH"
KEY, LEASE, REQUEST = b"YK", b"YL", b"YQ"

T = TypeVar("T")


class RequestId(NamedTuple):
    """Names one transaction of one client, so that it can be asked for again after its answer was lost."""

    client: str
    number: int  # grows
    answered: int  # the client will not ask again for any below this one


class _Header(msgspec.Struct, frozen=True, array_like=True):
    format: int = FORMAT
    revision: int = 0
    leases: int = 0  # the last id given
    openings: int = 0  # how often it was opened


_encode = msgspec.msgpack.Encoder().encode
_decode_header = msgspec.msgpack.Decoder(_Header).decode
_decode_entry = msgspec.msgpack.Decoder(tuple[bytes, int, int]).decode
_decode_number = msgspec.msgpack.Decoder(int).decode
_decode_ttl = msgspec.msgpack.Decoder(float).decode


class LocalCoordinator:
    """Holds the map in memory and in a store of its own; a `Coordinator` whose futures are done when they are returned.

    Layout:  b"YH"                                     header: format, revision, last lease, openings
             b"YK" | key (UTF-8)                       value, revision, lease
             b"YL" | lease (8, big-endian)             its time in seconds
             b"YQ" | client (UTF-8) | number (8)       revision of a transaction whose answer may be asked for again
             all of them msgpack; no key of an engine begins so.
    Promise: what a future or a listener tells is on disk. Leases survive a restart, and their time begins anew with it.
    Time:    comes with `tick`, on a monotonic clock, to be called at least once a second. From one tick to the next
             `LONGEST_STEP_S` counts at most: who keeps a lease alive is not heard while this process is stopped.
    Errors:  `CoordinatorFailed` by the future where there is no room. Another `StoreError` is *raised*, from then on by
             every call: what is on disk is known to a fresh process only, so this one has to end without an answer.
    """

    def __init__(self, store: Store, *, keep: int = KEEP, release: Callable[[], None] | None = None) -> None:
        """Read what is in `store`, which is its own; `release` is called in the end, in place of `store.close`."""
        self._store = store
        self._release = release if release is not None else store.close
        self._entries: dict[str, Entry] = {}
        self._ttl_s: dict[int, float] = {}  # lease to its time
        self._ends_s: dict[int, float] = {}  # lease to when it ends
        self._requests: dict[str, dict[int, int]] = {}  # client to number to revision
        self._heard_s: dict[str, float] = {}  # client to when it was heard last
        self._last_tick_s: float | None = None
        self._clock_s = 0.0
        self._is_closed = False
        self._failure: StoreError | None = None
        self.trouble = ""  # why leases that should have ended have not; for status lines
        self._load()
        self._log = ChangeLog(self._header.revision, keep=keep)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "LocalCoordinator":
        """Open the coordinator in a directory of its own, making it where there is none, as its only owner.

        Raises what `open_state` raises: `StoreInUse`, `StateUnusable`, `StoreDamaged`, `FormatTooNew`, ….
        """
        state = open_state(path, limit_bytes=LIMIT_BYTES, map_bytes=MAP_BYTES)
        with ExitStack() as undo:
            undo.callback(state.close)
            if _is_foreign(state.store):
                raise StateUnusable(str(path), "it is an engine's, not a coordinator's; choose another path")
            local = cls(state.store, release=state.close)
            undo.pop_all()
        return local

    # -- the contract ----------------------------------------------------------------------------------------------

    def transact(
        self, conditions: Sequence[Condition], changes: Sequence[Change], *, request: RequestId | None = None
    ) -> Future[Outcome]:
        """If all conditions hold, make all changes; see `Coordinator.transact`.

        A `request` that has had its effect has no other: its outcome is told again, also after a restart.
        """
        check_transaction(conditions, changes)
        return self._answer("transact", lambda: self._transact(conditions, changes, request))

    def read(self, prefix: str) -> Future[Snapshot]:
        """Return all keys that begin with `prefix`; see `Coordinator.read`."""
        return self._answer("read", lambda: self._read(prefix))

    def watch(self, prefix: str, after_revision: int, listener: Listener) -> Watch:
        """Tell `listener` what changes; see `Coordinator.watch`."""
        return self._log.watch(prefix, after_revision, listener)

    def grant(self, ttl_s: float) -> Future[int]:
        """Begin a lease; see `Coordinator.grant`."""
        check_ttl(ttl_s)
        return self._answer("grant", lambda: self._grant(ttl_s))

    def keep_alive(self, lease: int) -> Future[bool]:
        """Let a lease last from now on; see `Coordinator.keep_alive`."""
        return self._answer("keep_alive", lambda: self._keep_alive(lease))

    def revoke(self, lease: int) -> Future[None]:
        """End a lease; see `Coordinator.revoke`."""
        return self._answer("revoke", lambda: self._end_lease(lease))

    def close(self) -> None:
        """Let the next owner in; closing twice is harmless."""
        if not self._is_closed:
            self._is_closed = True
            self._log.end()
            self._release()

    # -- for the node that has it ----------------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """The revision of the last change."""
        return self._header.revision

    @property
    def opening(self) -> int:
        """Which opening of this store it is: grows with each, and is on disk."""
        return self._header.openings

    def since(self, prefix: str, revision: int) -> list[Changed] | None:
        """Return what has changed after a revision; None where a watch would be told `Compacted`."""
        return self._log.since(prefix, revision)

    def tick(self, now_s: float) -> None:
        """Let time pass: end the leases that were not kept alive."""
        if self._last_tick_s is not None:
            self._clock_s += min(max(0.0, now_s - self._last_tick_s), LONGEST_STEP_S)
        self._last_tick_s = now_s if self._last_tick_s is None else max(now_s, self._last_tick_s)
        if self._is_closed:
            return
        try:
            for lease in [one for one, ends_s in self._ends_s.items() if ends_s <= self._clock_s]:
                self._end_lease(lease)
            for client in [one for one, at in self._heard_s.items() if at + REQUESTS_KEPT_S <= self._clock_s]:
                self._forget(client)
            self.trouble = ""
        except CoordinatorFailed as error:  # they end with a later tick
            self.trouble = error.reason
        self._log.tell()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        stored = self._store.get(HEADER)
        header = _Header() if stored is None else _decode_header(stored)
        if header.format > FORMAT:
            raise FormatTooNew("of the coordinator", header.format, FORMAT)
        for key, value in self._store.scan(KEY):
            content, revision, lease = _decode_entry(value)
            self._entries[key[len(KEY) :].decode()] = Entry(value=content, revision=revision, lease=lease)
        for key, value in self._store.scan(LEASE):
            lease = int.from_bytes(key[len(LEASE) :], "big")
            self._ttl_s[lease] = self._ends_s[lease] = _decode_ttl(value)
        for key, value in self._store.scan(REQUEST):
            client = key[len(REQUEST) : -8].decode()
            self._requests.setdefault(client, {})[int.from_bytes(key[-8:], "big")] = _decode_number(value)
            self._heard_s[client] = 0.0
        self._header = msgspec.structs.replace(header, openings=header.openings + 1)
        self._store.commit([(HEADER, _encode(self._header))])

    def _answer(self, what: str, work: Callable[[], T]) -> Future[T]:
        """Return a future that is done; watches are told before it is returned."""
        future: Future[T] = Future()
        if self._failure is not None:
            raise self._failure
        if self._is_closed:
            future.set_exception(CoordinatorClosed(what))
            return future
        try:
            future.set_result(work())
        except (LeaseGone, CoordinatorFailed) as error:
            future.set_exception(error)
        self._log.tell()
        return future

    def _transact(
        self, conditions: Sequence[Condition], changes: Sequence[Change], request: RequestId | None
    ) -> Outcome:
        if request is not None and (done := self._requests.get(request.client, {}).get(request.number)):
            return Outcome(ok=True, revision=done)
        found = {one.key: entry for one in conditions if (entry := self._entries.get(one.key))}
        if any(one.revision != (found[one.key].revision if one.key in found else 0) for one in conditions):
            return Outcome(ok=False, revision=self.revision, entries=found)
        for change in changes:
            if change.lease and change.lease not in self._ttl_s:
                raise LeaseGone(change.lease)
        revision = self.revision + 1
        changed = {
            one.key: None if one.value is None else Entry(value=one.value, revision=revision, lease=one.lease)
            for one in changes
            if one.value is not None or one.key in self._entries
        }
        if changed:
            self._change(changed, [], request)
        return Outcome(ok=True, revision=self.revision)

    def _read(self, prefix: str) -> Snapshot:
        entries = {key: entry for key, entry in sorted(self._entries.items()) if key.startswith(prefix)}
        return Snapshot(revision=self.revision, entries=entries)

    def _grant(self, ttl_s: float) -> int:
        header = msgspec.structs.replace(self._header, leases=self._header.leases + 1)
        lease = header.leases
        self._commit([(HEADER, _encode(header)), (_lease_key(lease), _encode(float(ttl_s)))])
        self._header = header
        self._ttl_s[lease] = ttl_s
        return lease if self._keep_alive(lease) else 0

    def _keep_alive(self, lease: int) -> bool:
        if lease not in self._ttl_s:
            return False
        self._ends_s[lease] = self._clock_s + self._ttl_s[lease]
        return True

    def _end_lease(self, lease: int) -> None:
        if lease not in self._ttl_s:
            return
        gone: dict[str, Entry | None] = {key: None for key, entry in self._entries.items() if entry.lease == lease}
        record: Write = (_lease_key(lease), None)
        if gone:
            self._change(gone, [record], None)
        else:
            self._commit([record])
        del self._ttl_s[lease], self._ends_s[lease]

    def _change(self, changed: dict[str, Entry | None], more: list[Write], request: RequestId | None) -> None:
        """Commit the next revision, then let it be seen."""
        header = msgspec.structs.replace(self._header, revision=self._header.revision + 1)
        writes: list[Write] = [(HEADER, _encode(header)), *more]
        for key, entry in changed.items():
            content = None if entry is None else _encode((entry.value, entry.revision, entry.lease))
            writes.append((KEY + key.encode(), content))
        kept = {} if request is None else self._kept_requests(request, header.revision, writes)
        self._commit(writes)
        self._header = header
        if request is not None:
            self._requests[request.client] = kept
            self._heard_s[request.client] = self._clock_s
        for key, entry in changed.items():
            if entry is None:
                del self._entries[key]
            else:
                self._entries[key] = entry
        self._log.append(changed)

    def _kept_requests(self, request: RequestId, revision: int, writes: list[Write]) -> dict[int, int]:
        """Return the transactions that a client may ask for again after this one, and add what has to be written."""
        before = self._requests.get(request.client, {})
        kept = {number: known for number, known in before.items() if number >= request.answered}
        writes += [(_request_key(request.client, number), None) for number in before if number not in kept]
        writes.append((_request_key(request.client, request.number), _encode(revision)))
        return {**kept, request.number: revision}

    def _forget(self, client: str) -> None:
        self._commit([(_request_key(client, number), None) for number in self._requests[client]])
        del self._requests[client], self._heard_s[client]

    def _commit(self, writes: list[Write]) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            self._store.commit(writes)
        except StoreFull as error:
            raise CoordinatorFailed(str(error)) from error
        except StoreError as error:
            self._failure = error
            raise


def _is_foreign(store: Store) -> bool:
    """Return whether somebody else's entries are in a store that no coordinator has ever opened."""
    return store.get(HEADER) is None and any(key != FORMAT_KEY for key, _ in islice(store.scan(b""), 2))


def _lease_key(lease: int) -> bytes:
    return LEASE + lease.to_bytes(8, "big")


def _request_key(client: str, number: int) -> bytes:
    return REQUEST + client.encode() + number.to_bytes(8, "big")
