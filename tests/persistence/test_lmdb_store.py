"""What only a store on disk can show: crashes, full disks, other processes, damage."""

import os
import resource
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from errno import EDQUOT, EIO
from pathlib import Path
from random import Random
from typing import cast

import lmdb
import pytest

from placet.persistence.directory import DATA
from placet.persistence.errors import StateMissing, StateUnusable, StoreDamaged, StoreError, StoreFailed, StoreFull
from placet.persistence.lmdb_store import LmdbReader, LmdbStore
from tests.persistence.processes import finished, line, running, tell

KILLED = -9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbStore]:
    opened = LmdbStore.open(tmp_path / "state")
    yield opened
    opened.close()


def test_directory_and_files_are_for_this_user_only(store: LmdbStore, tmp_path: Path) -> None:
    store.commit([(b"a", b"1")])
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in (tmp_path / "state").iterdir()}
    assert modes == {"data.mdb": 0o600, "lock.mdb": 0o600}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_value_carries_the_checksum_of_key_and_value(store: LmdbStore, tmp_path: Path) -> None:
    store.commit([(b"key", b"value")])
    assert b"value" + zlib.crc32(b"keyvalue").to_bytes(4, "little") in (tmp_path / "state/data.mdb").read_bytes()


def test_what_was_committed_is_there_after_opening_again(tmp_path: Path) -> None:
    first = LmdbStore.open(tmp_path)
    first.commit([(b"a", b"1")])
    used_bytes = first.used_bytes()
    first.close()
    second = LmdbStore.open(tmp_path)
    assert second.get(b"a") == b"1"
    assert second.used_bytes() == used_bytes
    second.close()


KILLED_BEFORE_ITS_COMMIT = """
import os, signal, sys
from placet.persistence import lmdb_store
store = lmdb_store.LmdbStore.open(sys.argv[1])
store.commit([(b"a", b"old"), (b"b", b"old")])
lmdb_store._used_bytes = lambda transaction: os.kill(os.getpid(), signal.SIGKILL)  # called after the last put
store.commit([(b"a", b"new"), (b"b", None), (b"c", b"new")] + [(b"%d" % n, bytes(9999)) for n in range(500)])
"""

KILLED_AFTER_ITS_COMMIT = """
import os, signal, sys
from placet.persistence.lmdb_store import LmdbStore
store = LmdbStore.open(sys.argv[1])
store.commit([(b"a", b"old"), (b"b", b"old")])
store.commit([(b"a", b"new"), (b"b", None), (b"c", b"new")])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("code", "left"),
    [
        (KILLED_BEFORE_ITS_COMMIT, [(b"a", b"old"), (b"b", b"old")]),
        (KILLED_AFTER_ITS_COMMIT, [(b"a", b"new"), (b"c", b"new")]),
    ],
)
def test_a_kill_leaves_whole_commits(tmp_path: Path, code: str, left: list[tuple[bytes, bytes]]) -> None:
    assert finished(code, tmp_path / "state").returncode == KILLED
    store = LmdbStore.open(tmp_path / "state")
    assert list(store.scan(b"")) == left
    store.commit([(b"d", b"4")])
    assert store.get(b"d") == b"4"
    store.close()


WRITES_ONCE = """
import sys
from placet.persistence.lmdb_store import LmdbStore
LmdbStore.open(sys.argv[1]).commit([(b"a", b"theirs")])
"""


def test_a_writer_beside_the_owner_is_found_by_the_next_commit(store: LmdbStore, tmp_path: Path) -> None:
    store.commit([(b"a", b"ours")])
    store.commit([(b"b", None)])  # changes nothing, and does not count as anybody's
    store.commit([(b"a", b"ours again")])
    assert finished(WRITES_ONCE, tmp_path / "state").returncode == 0
    with pytest.raises(StoreFailed, match="another process has written"):
        store.commit([(b"a", b"ours once more")])
    assert store.get(b"a") == b"theirs"


COMMITS_FOR_EVER = """
import sys
from placet.persistence.lmdb_store import LmdbStore
store = LmdbStore.open(sys.argv[1])
number = 0
while True:
    number += 1
    store.commit([(b"%03d" % key, b"%d" % number * (key + 1)) for key in range(200)] + [(b"n", b"%d" % number)])
    print(number, flush=True)
"""


def numbers_seen(view: LmdbReader | LmdbStore) -> set[bytes]:
    """The numbers of the batches whose writes are visible; one if a batch is visible as a whole."""
    entries = dict(view.scan(b""))
    number = entries.get(b"n", b"")
    if number and all(entries[b"%03d" % key] == number * (key + 1) for key in range(200)):
        return {number}
    return set(entries.values())


@pytest.mark.parametrize("commits", [1, 2, 7, 20])
def test_a_kill_at_any_moment_leaves_the_last_whole_batch(tmp_path: Path, commits: int) -> None:
    with running(COMMITS_FOR_EVER, tmp_path / "state") as process:
        reported = [int(line(process)) for _ in range(commits)]
        process.kill()
        process.wait()
    store = LmdbStore.open(tmp_path / "state")
    (number,) = numbers_seen(store)
    assert int(number) >= reported[-1]
    store.close()


def test_a_reader_in_another_process_sees_whole_batches_only(tmp_path: Path) -> None:
    with running(COMMITS_FOR_EVER, tmp_path / "state") as process:
        line(process)
        reader = LmdbReader.open(tmp_path / "state")
        seen: list[bytes] = []
        while len(set(seen)) < 5:
            (number,) = numbers_seen(reader)
            seen.append(number)
        reader.close()
    assert seen == sorted(seen, key=int)


READS_SLOWLY = """
import sys
from placet.persistence.lmdb_store import LmdbReader
reader = LmdbReader.open(sys.argv[1])
scan = reader.scan(b"")
seen = [next(scan)]
print("begun", flush=True)
sys.stdin.readline()
seen += scan
print(len(seen), len({value for _, value in seen}), flush=True)
print(reader.get(b"0000"), flush=True)
"""


def test_a_slow_reader_blocks_no_commit_and_sees_one_state(store: LmdbStore, tmp_path: Path) -> None:
    store.commit([(b"%04d" % number, b"0") for number in range(3000)])
    with running(READS_SLOWLY, tmp_path / "state") as process:
        assert line(process) == "begun"
        for batch in range(1, 30):
            store.commit([(b"%04d" % number, b"%d" % batch) for number in range(3000)])
        tell(process, "go on")
        assert line(process) == "3000 1"
        assert line(process) == "b'29'"


def test_killed_readers_give_their_slots_back(store: LmdbStore, tmp_path: Path) -> None:
    store.commit([(b"%04d" % number, b"0") for number in range(3000)])
    with running(READS_SLOWLY, tmp_path / "state") as living, running(READS_SLOWLY, tmp_path / "state") as process:
        assert (line(living), line(process)) == ("begun", "begun")
        process.kill()
        process.wait()
        store.close()
        again = LmdbStore.open(tmp_path / "state")
        readers = lmdb_environment(again).readers()
        assert str(living.pid) in readers
        assert str(process.pid) not in readers
        again.close()


def lmdb_environment(store: LmdbStore) -> lmdb.Environment:
    """The driver below a store, for what no other way shows."""
    return cast("lmdb.Environment", vars(store)["_environment"])


TAKES_EVERY_SLOT = """
import sys
from placet.persistence.lmdb_store import LmdbReader
reader = LmdbReader.open(sys.argv[1])
scans = [reader.scan(b"") for _ in range(510)]
print(len([next(scan) for scan in scans]), flush=True)
sys.stdin.readline()
"""


def test_too_many_readers_is_an_error_until_they_are_gone(store: LmdbStore, tmp_path: Path) -> None:
    store.commit([(b"%04d" % number, b"0") for number in range(3000)])
    with running(TAKES_EVERY_SLOT, tmp_path / "state") as process:
        assert line(process) == "510"
        with pytest.raises(StoreFailed, match="READERS_FULL"):
            store.get(b"0000")
        store.commit([(b"0000", b"1")])
        process.kill()
        process.wait()
    assert store.get(b"0000") == b"1"


GROWS = """
import sys
from placet.persistence.lmdb_store import LmdbStore
store = LmdbStore.open(sys.argv[1], map_bytes=1 << 24)
store.commit([(b"a", b"1")])
print("small", flush=True)
sys.stdin.readline()
store.close()
store = LmdbStore.open(sys.argv[1], map_bytes=1 << 28)
store.commit([(b"b", bytes(100 << 20))])
print("large", flush=True)
sys.stdin.readline()
"""


def test_a_reader_follows_a_writer_with_a_larger_map(tmp_path: Path) -> None:
    with running(GROWS, tmp_path / "state") as process:
        assert line(process) == "small"
        reader = LmdbReader.open(tmp_path / "state", map_bytes=1 << 24)
        assert reader.get(b"a") == b"1"
        tell(process, "grow")
        assert line(process) == "large"
        assert len(reader.get(b"b") or b"") == 100 << 20
        reader.close()


def test_a_reader_needs_a_state(tmp_path: Path) -> None:
    with pytest.raises(StateMissing, match="no state at"):
        LmdbReader.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_in_the_writers_process_is_refused(store: LmdbStore, tmp_path: Path) -> None:
    store.commit([(b"a", b"1")])
    with pytest.raises(StoreError):
        LmdbReader.open(tmp_path / "state")
    assert store.get(b"a") == b"1"


def test_a_flipped_bit_is_found_when_the_value_is_read(tmp_path: Path) -> None:
    store = LmdbStore.open(tmp_path)
    store.commit([(b"Lsafe", b"safe"), (b"Zkey", b"a value to damage")])
    store.close()
    data = bytearray((tmp_path / "data.mdb").read_bytes())
    data[data.rindex(b"a value to damage")] ^= 1
    (tmp_path / "data.mdb").write_bytes(data)
    store = LmdbStore.open(tmp_path)
    assert store.get(b"Lsafe") == b"safe"
    with pytest.raises(StoreDamaged, match="history 5a6b6579 does not match its checksum"):
        store.get(b"Zkey")
    with pytest.raises(StoreDamaged, match="history"):
        list(store.scan(b""))
    store.close()


def test_a_full_map_refuses_the_batch_and_the_store_goes_on(tmp_path: Path) -> None:
    store = LmdbStore.open(tmp_path, map_bytes=1 << 20)
    store.commit([(b"old", bytes(300_000))])
    with pytest.raises(StoreFull):
        store.commit([(b"a", b"1"), (b"b", bytes(2_000_000))])
    assert [key for key, _ in store.scan(b"")] == [b"old"]
    store.commit([(b"old", None)])
    store.commit([(b"a", b"1"), (b"b", bytes(300_000))])
    assert [key for key, _ in store.scan(b"")] == [b"a", b"b"]
    store.close()


FILLS_ITS_FILE = """
import resource, sys
from placet.persistence.errors import StoreFull
from placet.persistence.lmdb_store import LmdbStore
store = LmdbStore.open(sys.argv[1])
store.commit([(b"old", bytes(100_000))])
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
batch = [(b"%04d" % number, bytes(10_000)) for number in range(500)]
for _ in range(3):
    try:
        store.commit(batch)
    except StoreFull:
        print("full", len(list(store.scan(b""))), flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
store.commit(batch)
print("room", len(list(store.scan(b""))), flush=True)
"""


def test_a_file_that_may_not_grow_is_a_full_store(tmp_path: Path) -> None:
    outcome = finished(FILLS_ITS_FILE, tmp_path / "state")
    assert outcome.stdout.split("\n") == ["full 1", "full 1", "full 1", "room 501", ""], outcome.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    yield from mounted(path, "size=2m")


@pytest.fixture
def read_only_directory(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "read-only"
    path.mkdir(mode=0o500)
    if os.geteuid() != 0:
        yield path
    else:  # to whom permissions mean nothing
        yield from mounted(path, "ro")


def mounted(path: Path, options: str) -> Iterator[Path]:
    try:
        outcome = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if outcome.returncode:
        pytest.skip(f"this user cannot mount a file system: {outcome.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk_refuses_the_batch_until_there_is_room(small_disk: Path) -> None:
    store = LmdbStore.open(small_disk / "state")
    store.commit([(b"old", bytes(100_000))])
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    batch = [(b"%04d" % number, bytes(5000)) for number in range(200)]
    for _ in range(3):
        with pytest.raises(StoreFull):
            store.commit(batch)
        assert [key for key, _ in store.scan(b"")] == [b"old"]
    ballast.unlink()
    store.commit(batch)
    assert len(list(store.scan(b""))) == 201
    store.close()


def test_a_read_only_directory_is_refused(read_only_directory: Path) -> None:
    for path in (read_only_directory, read_only_directory / "state"):
        with pytest.raises(StateUnusable) as caught:
            LmdbStore.open(path)
        assert "\n" not in str(caught.value)


def test_too_little_address_space_says_so(tmp_path: Path) -> None:
    code = """
import resource, sys
from placet.persistence.errors import StoreFailed
from placet.persistence.lmdb_store import LmdbStore
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
try:
    LmdbStore.open(sys.argv[1])
except StoreFailed as error:
    print(error)
"""
    assert "address space cannot be reserved" in finished(code, tmp_path / "state").stdout
    assert resource.getrlimit(resource.RLIMIT_AS) != (4 << 30, 4 << 30)


class BrokenEnvironment:
    """Answers as a driver whose disk fails."""

    def __init__(self, error: lmdb.Error) -> None:
        self._error = error

    def stat(self) -> dict[str, int]:
        return {"psize": 4096, "branch_pages": 0, "leaf_pages": 1, "overflow_pages": 0, "entries": 1}

    def info(self) -> dict[str, int]:
        return {"last_txnid": 1}

    def begin(self, **_: bool) -> None:
        raise self._error


def numbered(number: int) -> lmdb.Error:
    """An error of the system, as the driver makes it."""
    error = lmdb.Error("mdb_txn_commit")
    vars(error)["code"] = number
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (numbered(EIO), StoreFailed),
        (numbered(EDQUOT), StoreFull),
        (lmdb.DiskError("mdb_txn_commit"), StoreFull),
        (lmdb.MapFullError("mdb_put"), StoreFull),
        (lmdb.CorruptedError("mdb_page_get"), StoreDamaged),
        (lmdb.PageNotFoundError("mdb_page_get"), StoreDamaged),
        (lmdb.PanicError("mdb_txn_begin"), StoreFailed),
    ],
)
def test_errors_of_the_driver_never_leave(tmp_path: Path, error: lmdb.Error, expected: type[StoreError]) -> None:
    (tmp_path / "data.mdb").touch()
    environment = cast("lmdb.Environment", BrokenEnvironment(error))
    store = LmdbStore(environment, str(tmp_path), 1 << 40)
    with pytest.raises(expected):
        store.commit([(b"a", b"1")])


WRITER = """
import sys
from placet.persistence.lmdb_store import LmdbStore
store = LmdbStore.open(sys.argv[1])
number = int(store.get(b"n") or 0)
print(number, flush=True)
while True:
    number += 1
    store.commit([(b"n", b"%d" % number)])
"""


def test_who_comes_after_a_killed_writer_begins_from_its_last_commit_though_others_read_on(tmp_path: Path) -> None:
    state, random = tmp_path / "state", Random(1)
    found: list[int] = []
    newest = [0]
    LmdbStore.open(state).close()
    reader = LmdbReader.open(state)  # keeps the lock file in use, with what the killed writer left in it
    for number in range(15):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(state)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            found.append(int(writer.stdout.readline()))  # each is the next owner of the one before
            with suppress(subprocess.TimeoutExpired):
                writer.wait(random.uniform(0.0, 0.05))  # it goes on until it is killed, within a commit or between two
            writer.kill()
        copy = tmp_path / f"copy-{number}"
        copy.mkdir()
        shutil.copy(state / DATA, copy)
        newest.append(int(LmdbReader.open(copy).get(b"n") or 0))
    reader.close()
    assert found == newest[:-1]
    assert newest == sorted(newest)
    assert newest[-1] > 0
