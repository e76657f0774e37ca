"""Looking an LMDB file over before it is trusted: LMDB itself ends the process on a page that is not there.

Three looks. The quick one, at every start, reads the two meta pages with `struct`, a few microseconds: magic number,
version, page size, roots, and the size of the file against the last page number. It finds bad headers and truncation.
The second walks the pages of the tree, again with `struct` (see `tree.py`), and counts the entries: pages that are
none, which no process survives, and entries that went without a trace. It takes about 0.4 ms a MiB, so a large file
gets it only where its last owner did not end cleanly, and a very large one not at all. Flipped bits in values are
found by the checksums, when the value is read. The full look, on request or when the quick one doubts, walks the file
in a child process, which may crash (SIGBUS, SIGSEGV) in our stead.

Source of the layout: LMDB 0.9 `mdb.c`, MDB_page and MDB_meta, for 64-bit machines.
"""

import mmap
import os
import resource
import signal
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from placet.persistence.directory import DATA, is_initialised
from placet.persistence.errors import StoreDamaged, StoreError, StoreFailed
from placet.persistence.last_backup import remedy
from placet.persistence.lmdb_store import LmdbReader
from placet.persistence.tree import NO_ROOT, BadTree, PageFile

CLOSELY_BYTES = 4 << 20  # up to here every entry is looked at, about 5 ms a MiB
WALKED_BYTES = 64 << 20  # up to here every page
WALKED_UNCLEAN_BYTES = 256 << 20  # likewise, where the last owner did not end cleanly: after 100,000 instances or so
CHECKED_BYTES = 256 << 20  # up to here a doubtful file's values are all checked, beyond it only its pages
_EVERY = 1000  # entries between two notes of how far the child came

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_META_FLAG = 0x08
_LARGEST_PAGE, _SMALLEST_PAGE = 65536, 256
# page header: number, pad, flags, bounds; meta: magic, version, address, map size, free list, main tree, last page, txn
_META = struct.Struct("=QHHIIIQQI28xQQI28xQQQQ")
_KIND, _KIND_AT, _PLAIN = struct.Struct("=H"), 92, 0  # of the main tree: with any flag LMDB reads its pages otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What one meta page says."""

    page_size: int
    free_root: int
    free_entries: int
    main_root: int
    main_entries: int
    last_page: int
    transaction: int


def probe(directory: Path, *, full: bool = False, unclean: bool = False) -> None:
    """Raise `StoreDamaged` if the environment in `directory` should not be opened; see the module's text.

    `unclean`: its last owner did not end cleanly. `full=True` reads every page and checks every value, about 1 s for
    each GB. Call it before the environment is opened in this process.
    """
    data = directory / DATA
    try:
        size = data.stat().st_size
    except FileNotFoundError:
        size = 0
    if size == 0:
        if is_initialised(directory):
            raise _verdict(directory, "data.mdb is missing or empty, although this state was in use")
        return
    meta = _look_at_header(directory, data)
    # a page taken and given back within one transaction is never written, so a short file may be whole
    is_short = (meta.last_page + 1) * meta.page_size > size
    if not is_short and (full or size <= (WALKED_UNCLEAN_BYTES if unclean else WALKED_BYTES)):
        _look_at_tree(directory, meta, closely=full or size <= CLOSELY_BYTES)
    if full or is_short:
        _walk_in_child(directory, with_values=full or size <= CHECKED_BYTES)


def read_meta(page: bytes) -> Meta | None:
    """Return what a meta page says, or None if it is none that LMDB 0.9 wrote."""
    if len(page) < _META.size:
        return None
    fields: tuple[int, ...] = _META.unpack_from(page)
    number, _, flags, _, magic, version, _, _, size, free_entries, free = fields[:11]
    _, main_entries, main, last, transaction = fields[11:]
    (kind,) = _KIND.unpack_from(page, _KIND_AT)
    is_meta = magic == _MAGIC and version == _VERSION and flags & _META_FLAG and number in (0, 1) and kind == _PLAIN
    if not is_meta or size & (size - 1) or not _SMALLEST_PAGE <= size <= _LARGEST_PAGE:
        return None
    return Meta(
        page_size=size,
        free_root=free,
        free_entries=free_entries,
        main_root=main,
        main_entries=main_entries,
        last_page=last,
        transaction=transaction,
    )


def _look_at_header(directory: Path, data: Path) -> Meta:
    with data.open("rb") as file:
        first = read_meta(file.read(_META.size))
        if first is not None:
            file.seek(first.page_size)
        second = read_meta(file.read(_META.size))
    if first is None or second is None or first.page_size != second.page_size:
        raise _verdict(directory, "the header of data.mdb is not one of LMDB")
    newest = max(first, second, key=lambda meta: meta.transaction)
    for name, root in (("free list", newest.free_root), ("tree", newest.main_root)):
        if root != NO_ROOT and root > newest.last_page:
            raise _verdict(directory, f"the root of the {name} in data.mdb lies beyond its last page")
    return newest


def _look_at_tree(directory: Path, meta: Meta, *, closely: bool) -> None:
    """Raise where a page is none or entries are missing, unless somebody has written to the file meanwhile."""
    with (
        (directory / DATA).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        pages = PageFile(data=data, page_size=meta.page_size, pages=meta.last_page + 1)
        found = ""
        for root, entries in ((meta.free_root, meta.free_entries), (meta.main_root, meta.main_entries)):
            try:
                count = pages.count_entries(root, closely=closely)
            except BadTree as error:
                found = found or f"{error}: data.mdb is damaged"
            else:
                if count != entries and not found:
                    found = f"{count} entries were found where {entries} are recorded: data.mdb is damaged"
    if found and _look_at_header(directory, directory / DATA) == meta:
        raise _verdict(directory, found)


def _walk_in_child(directory: Path, *, with_values: bool) -> None:
    mode = "values" if with_values else "pages"
    outcome = subprocess.run(
        [sys.executable, "-m", "placet.persistence.probe", str(directory), mode],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = outcome.stdout.splitlines()
    if outcome.returncode == 0 and lines[-1:] == ["intact"]:
        return
    if outcome.returncode < 0:
        where = next((f"after key {line[3:]}" for line in reversed(lines) if line.startswith("at ")), "at once")
        cause = signal.Signals(-outcome.returncode).name
        raise _verdict(directory, f"reading data.mdb ended with {cause} {where}: it is truncated or damaged")
    found = [line for line in lines if not line.startswith("at ")] or outcome.stderr.splitlines()[-1:]
    raise _verdict(directory, found[-1] if found else f"the check ended with {outcome.returncode}")


def walk(directory: Path, *, with_values: bool) -> None:
    """Read every page in use, and with `with_values` check every value. May end the process on damaged pages.

    Raises `StoreDamaged` or `StoreFailed`; writes how far it came to standard output.
    """
    reader = LmdbReader.open(directory)
    if with_values:
        _walk_values(reader)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        reader.copy_compact(sink)  # walks free list, branches and long values too
    finally:
        os.close(sink)
        reader.close()


def _walk_values(reader: LmdbReader) -> None:
    count, last = 0, b""
    for key, _ in reader.scan(b""):
        if count and key <= last:
            raise StoreDamaged(f"keys are out of order after {last.hex()}")
        count, last = count + 1, key
        if count % _EVERY == 0:
            print(f"at {key.hex()}", flush=True)  # noqa: T201 - the parent reads it
    if count != reader.entries():
        raise StoreDamaged(f"{count} entries were found where {reader.entries()} are recorded")


def _verdict(directory: Path, found: str) -> StoreDamaged:
    return StoreDamaged(found, remedy(directory), str(directory))


def main(arguments: list[str]) -> int:
    """Walk a file in a process of its own; the exit status tells whether it is intact."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash here is an answer, not an accident
    path, mode = arguments
    try:
        walk(Path(path), with_values=mode == "values")
    except StoreError as error:
        found = error.what if isinstance(error, StoreDamaged | StoreFailed) else str(error)
        print(found, flush=True)  # noqa: T201
        return 1
    print("intact", flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
