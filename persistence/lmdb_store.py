"""The store on disk: one LMDB environment. The only module that knows LMDB; its errors never leave it."""

import errno
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from zlib import crc32

import lmdb

from placet.persistence.checksum import RESIDUE, SIZE, damaged
from placet.persistence.directory import DATA, LMDB_LOCK, prepare_directory, sync_directory
from placet.persistence.errors import (
    StateMissing,
    StateUnusable,
    StoreDamaged,
    StoreError,
    StoreFailed,
    StoreFull,
    ValueTooLarge,
)
from placet.persistence.last_backup import remedy
from placet.persistence.room import has_room
from placet.persistence.shortage import shortage
from placet.persistence.store import MAX_KEY_BYTES, MAX_VALUE_BYTES, Write
from placet.persistence.switching import QuickSwitching

GIB = 1 << 30
LIMIT_BYTES = 64 * GIB
MAP_BYTES = 1024 * GIB  # address space, not disk: the file stays sparse and grows as it is written
MAX_READERS = 510

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_DAMAGE = (
    lmdb.CorruptedError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.VersionMismatchError,
    lmdb.IncompatibleError,
)
_META_PAGES = 2
_READER_TABLE_BYTES = 64 * (MAX_READERS + 2)  # a cache line a reader, and two for the head of the file
_AHEAD_BYTES = 256 << 10  # values read ahead by a scan
_FIRST_CHUNK, _CHUNK = 16, 1000  # entries read ahead by a scan: most scans are of one small instance


class LmdbReader:
    """Reads the committed state of an LMDB environment, from any thread, while another process writes it.

    Each `get` and `scan` is a transaction of its own, so that no old page is held for longer than needed.
    Within the process that writes, use the store itself: LMDB must not be opened twice in one process.
    Errors: `StoreDamaged` (a checksum or a page is wrong), `StoreFailed`; `lmdb.Error` never leaves.
    """

    def __init__(
        self, environment: lmdb.Environment, path: str, frozen: "lmdb.Transaction[bytes] | None" = None
    ) -> None:
        self._environment = environment
        self._path = path
        self._frozen = frozen  # the one transaction to read in

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, map_bytes: int = MAP_BYTES) -> "LmdbReader":
        """Open the state at `path` for reading. Raises `StateMissing`, `StateUnusable` and `StoreDamaged`."""
        if not (Path(path) / DATA).exists():
            raise StateMissing(os.fspath(path))
        environment = _open_environment(os.fspath(path), map_bytes, readonly=True)
        environment.reader_check()  # frees the slots of readers that were killed
        return cls(environment, os.fspath(path))

    def get(self, key: bytes) -> bytes | None:
        """Return the committed value of `key`, or None."""
        try:
            with QuickSwitching(), self._begin() as transaction:
                stored = transaction.get(key)
        except lmdb.Error as error:
            raise _translated(error, self._path) from error
        if stored is None:
            return None
        if crc32(stored, crc32(key)) != RESIDUE:
            raise damaged(self._path, key)
        return stored[:-SIZE]

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) in key order for keys that begin with `prefix`, from `start` on if given.

        Sees the state of its first step, whatever is committed meanwhile; holds it until used up or closed.
        """
        lowest = prefix if start is None or start < prefix else start
        try:
            with self._begin() as transaction, closing(transaction.cursor()) as cursor:
                items = iter(cursor) if cursor.set_range(lowest) else iter(())
                size = _FIRST_CHUNK
                while chunk := _chunk(items, size):
                    for key, stored in chunk:
                        if not key.startswith(prefix):
                            return
                        if crc32(stored, crc32(key)) != RESIDUE:
                            raise damaged(self._path, key)
                        yield key, stored[:-SIZE]
                    size = _CHUNK
        except lmdb.Error as error:
            raise _translated(error, self._path) from error

    def used_bytes(self) -> int:
        """Return the bytes of the pages that hold committed entries; freed pages are reused, not counted."""
        try:
            return _used_bytes(self._environment)
        except lmdb.Error as error:
            raise _translated(error, self._path) from error

    def entries(self) -> int:
        """Return how many entries are committed."""
        try:
            return self._environment.stat()["entries"]
        except lmdb.Error as error:
            raise _translated(error, self._path) from error

    def close(self) -> None:
        """Release the environment; closing twice is harmless."""
        self._environment.close()

    def copy_compact(self, descriptor: int) -> None:
        """Write a compact copy of one committed state to a file descriptor; every page in use is read."""
        try:
            self._environment.copyfd(descriptor, compact=True)
        except lmdb.IncompatibleError:
            pass  # all is copied, and some page was neither in use nor free: lost room, not lost data
        except lmdb.Error as error:
            raise _translated(error, self._path) from error

    def copy_whole(self, descriptor: int) -> None:
        """Write one committed state to an empty file: compact, or with all its pages where some got lost.

        Raises `StoreFailed`, with the reason, and `StoreDamaged`.
        """
        try:
            try:
                self._environment.copyfd(descriptor, compact=True)
            except lmdb.IncompatibleError:  # what it wrote is of no use: it counted the pages before it walked them
                os.ftruncate(descriptor, 0)
                os.lseek(descriptor, 0, os.SEEK_SET)
                self._environment.copyfd(descriptor)
        except lmdb.Error as error:
            raise _translated(error, self._path) from error

    @contextmanager
    def frozen(self) -> "Generator[LmdbReader]":
        """Yield a reader of the one state committed now, for this thread; it holds old pages, so keep it briefly."""
        try:
            with self._begin() as transaction:
                yield LmdbReader(self._environment, self._path, transaction)
        except lmdb.Error as error:
            raise _translated(error, self._path) from error

    def _begin(self) -> "AbstractContextManager[lmdb.Transaction[bytes]]":
        if self._frozen is not None:
            return nullcontext(self._frozen)
        try:
            return self._environment.begin()
        except lmdb.MapResizedError:
            self._environment.set_mapsize(0)  # the writer's map is larger than ours: take over its size
        except lmdb.ReadersFullError:
            self._environment.reader_check()
        return self._environment.begin()


class LmdbStore:
    """Holds the state of one engine in one LMDB environment.

    Layout:  key   as in `keys.py`, at most 511 bytes
             value | crc32 over key and value (4 bytes, little-endian)
    Units:   every size is in bytes. `limit_bytes` bounds the pages that hold entries; the file is somewhat
             larger, since freed pages are kept for reuse.
    Promise: when `commit` returns, the batch survives a power cut (fdatasync, then the meta page, synced). When
             it raises, nothing of it was written. Any number of readers, which never block it.
    Errors:  `StoreFull` (limit, disk, quota: retry when there is room; a batch that makes the store smaller is
             taken even over the limit), `StoreFailed` (also where somebody else has written since the last commit:
             LMDB numbers its transactions, so that costs nothing to see), `StoreDamaged`, `ValueTooLarge`.
    Source:  LMDB 0.9 (lmdb.tech): copy-on-write B+ tree, two meta pages written in turn.
    """

    def __init__(self, environment: lmdb.Environment, path: str, limit_bytes: int) -> None:
        self._environment = environment
        self._path = path
        self._reader = LmdbReader(environment, path)
        self._limit_bytes = limit_bytes
        self._used_bytes = self._reader.used_bytes()
        self._last = environment.info()["last_txnid"]  # number of the last transaction this store knows of

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, limit_bytes: int = LIMIT_BYTES, map_bytes: int = MAP_BYTES
    ) -> "LmdbStore":
        """Open the state at `path` for writing, making directory (0700) and files (0600) where missing.

        Takes no lock against a second writer and looks for no damage: `open_state` does both.
        Raises `StateUnusable`, `StoreDamaged` and `StoreFailed`.
        """
        directory = Path(path)
        prepare_directory(directory)
        is_new = not (directory / DATA).exists()
        _reserve_reader_table(directory)
        environment = _open_environment(os.fspath(path), map_bytes, readonly=False)
        environment.reader_check()
        _take_over(environment, os.fspath(path))
        if is_new:
            sync_directory(directory)
        return cls(environment, os.fspath(path), limit_bytes)

    def get(self, key: bytes) -> bytes | None:
        """Return the committed value of `key`, or None."""
        return self._reader.get(key)

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) in key order for keys that begin with `prefix`; see `LmdbReader.scan`."""
        return self._reader.scan(prefix, start)

    def frozen(self) -> AbstractContextManager[LmdbReader]:
        """Return a context with a reader of the one state committed now; see `LmdbReader.frozen`."""
        return self._reader.frozen()

    def copy_whole(self, descriptor: int) -> None:
        """Write one committed state to an empty file; see `LmdbReader.copy_whole`."""
        self._reader.copy_whole(descriptor)

    def used_bytes(self) -> int:
        """Return the bytes of the pages that hold committed entries."""
        return self._used_bytes

    def commit(self, writes: Iterable[Write]) -> None:
        """Apply all writes in one durable transaction; see `Store.commit`."""
        puts, deletes = _sealed(writes)
        try:
            with QuickSwitching(), self._environment.begin(write=True) as transaction:
                number = transaction.id()
                if number - self._last > 1:
                    raise StoreFailed("another process has written to it", "find out which, and stop it", self._path)
                for key in deletes:
                    transaction.delete(key)
                with closing(transaction.cursor()) as cursor:
                    cursor.putmulti(puts)
                used_bytes = _used_bytes(transaction)
                if used_bytes > self._limit_bytes and used_bytes > self._used_bytes:
                    raise StoreFull(self._used_bytes, self._limit_bytes)
        except lmdb.BadValsizeError as error:
            raise _bad_key(max((len(key) for key, _ in puts if key), default=0)) from error
        except lmdb.Error as error:
            raise self._not_committed(error, puts) from error
        self._used_bytes = used_bytes
        self._last = number

    def close(self) -> None:
        """Release the environment; closing twice is harmless."""
        self._environment.close()

    def _not_committed(self, error: lmdb.Error, puts: list[tuple[bytes, bytes]]) -> StoreError:
        is_full = _is_full(error)
        if _errno(error) == errno.EIO:
            batch_bytes = sum(len(key) + len(value) for key, value in puts)
            is_full = not has_room(Path(self._path), Path(self._path, DATA), batch_bytes)
        return StoreFull(self._used_bytes, self._limit_bytes) if is_full else _translated(error, self._path)


def _chunk(items: Iterator[tuple[bytes, bytes]], size: int) -> list[tuple[bytes, bytes]]:
    """Read ahead: so many entries at most, and fewer where they are large."""
    chunk: list[tuple[bytes, bytes]] = []
    room_bytes = _AHEAD_BYTES
    with QuickSwitching():
        for entry in islice(items, size):
            chunk.append(entry)
            room_bytes -= len(entry[1])
            if room_bytes < 0:
                break
    return chunk


def _sealed(writes: Iterable[Write]) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    puts: list[tuple[bytes, bytes]] = []
    deletes: list[bytes] = []
    for key, value in writes:
        if value is None:
            if not 0 < len(key) <= MAX_KEY_BYTES:  # LMDB would only say that it is not there
                raise _bad_key(len(key))
            deletes.append(key)
        else:
            if len(value) > MAX_VALUE_BYTES:
                raise ValueTooLarge(len(value), MAX_VALUE_BYTES)
            puts.append((key, value + crc32(value, crc32(key)).to_bytes(SIZE, "little")))
    puts.sort()  # nearly free where they come sorted; neighbours then share pages that are in the cache
    deletes.sort()
    return puts, deletes


def _used_bytes(source: "lmdb.Environment | lmdb.Transaction[bytes]") -> int:
    stat = source.stat()
    return (_META_PAGES + stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]) * stat["psize"]


def _reserve_reader_table(directory: Path) -> None:
    """Write out the file of LMDB's reader slots where it is not there yet.

    LMDB maps it and only lengthens it: on a full disk, touching a page without a block ends the process with SIGBUS.
    """
    path = directory / LMDB_LOCK
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:  # it is there, or opening the environment says why it cannot be
        return
    try:
        with open(descriptor, "wb") as file:
            file.write(bytes(_READER_TABLE_BYTES))
    except OSError as error:
        path.unlink()
        raise StateUnusable(str(directory), f"{error.strerror}; free space or choose another path") from error


def _take_over(environment: lmdb.Environment, path: str) -> None:
    """Let LMDB mend what a killed writer left behind, before anything is read.

    A commit is on disk before the lock file says which is the newest. A writer that is killed in between leaves it one
    behind, and where another process has it open it stays so until the next *write* transaction finds its mutex without
    an owner. Who read first would begin from the last commit but one, and write over the last.
    """
    try:
        environment.begin(write=True).abort()
    except lmdb.Error as error:
        raise _translated(error, path) from error


def _open_environment(path: str, map_bytes: int, *, readonly: bool) -> lmdb.Environment:
    try:
        return lmdb.open(
            path, map_size=map_bytes, readonly=readonly, create=not readonly, mode=0o600, max_readers=MAX_READERS
        )
    except lmdb.Error as error:
        raise _not_opened(error, path, map_bytes) from error
    except OSError as error:
        raise StateUnusable(path, _remedied(error)) from error


def _remedied(error: BaseException) -> str:
    lacking = shortage(error)
    if lacking is not None:
        return f"{lacking.what}; {lacking.remedy}"
    return f"{getattr(error, 'strerror', error)}; change its permissions or choose another path"


def _not_opened(error: lmdb.Error, path: str, map_bytes: int) -> StoreError:
    if _errno(error) in (errno.EMFILE, errno.ENFILE):
        return StateUnusable(path, _remedied(OSError(_errno(error), "")))
    if isinstance(error, lmdb.MemoryError):
        return StoreFailed(f"{map_bytes} bytes of address space cannot be reserved", "lift the limit on it", path)
    if isinstance(error, lmdb.ReadonlyError) or _errno(error) in (errno.EACCES, errno.EROFS, errno.EPERM):
        return StateUnusable(path, "this user may not write there; change its permissions or choose another path")
    if _is_full(error):
        return StateUnusable(path, "the disk is full; free space or choose another path")
    return _translated(error, path)


def _translated(error: lmdb.Error, path: str) -> StoreError:
    if isinstance(error, _DAMAGE):
        return StoreDamaged(str(error), remedy(Path(path)), path)
    return StoreFailed(str(error), path=path)


def _errno(error: lmdb.Error) -> int:
    return getattr(error, "code", 0)


def _is_full(error: lmdb.Error) -> bool:
    return isinstance(error, lmdb.MapFullError | lmdb.DiskError) or _errno(error) in _FULL


def _bad_key(size_bytes: int) -> ValueError:
    return ValueError(f"a key has 1 to {MAX_KEY_BYTES} bytes, not {size_bytes}; nothing was written")
