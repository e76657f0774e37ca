"""The shape of a store's file, looked at without LMDB: pages that are none, and entries that went without a trace."""

import mmap
import shutil
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from placet.persistence import probe as module
from placet.persistence.directory import DATA
from placet.persistence.errors import StoreDamaged
from placet.persistence.lmdb_store import LmdbReader
from placet.persistence.probe import Meta, probe, read_meta
from placet.persistence.state import open_state
from placet.persistence.tree import BadTree, PageFile
from tests.endtoend.processes import finished

PAGE = 4096
HEADER = struct.Struct("=QHHHH")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state with branches, leaves, long values and a free list."""
    path = tmp_path_factory.mktemp("tree") / "state"
    state = open_state(path)
    for batch in range(12):
        state.store.commit([(b"Qkey%06d" % (batch * 100 + n), b"v" * (n * 7 % 300)) for n in range(100)])
    state.store.commit([(b"Qlong%d" % n, b"w" * (PAGE * 3)) for n in range(4)])
    state.store.commit([(b"Qkey%06d" % n, None) for n in range(0, 300, 2)])
    state.close()
    return path


@pytest.fixture
def state(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "state"))


def metas(data: bytes | bytearray) -> Meta:
    found = [meta for at in (0, PAGE) if (meta := read_meta(bytes(data[at:]))) is not None]
    return max(found, key=lambda meta: meta.transaction)


def pages(data: bytes | bytearray, flags: int) -> list[int]:
    """Return the numbers of the pages in use of a kind: 1 a branch, 2 a leaf, 4 the first of a long value."""
    meta, found = metas(data), list[int]()
    waiting = [meta.main_root]
    while waiting:
        number = waiting.pop()
        _, _, kind, lower, _ = HEADER.unpack_from(data, number * PAGE)
        found += [number] if kind & flags else []
        for offset in struct.unpack_from(f"={(lower - 16) // 2}H", data, number * PAGE + 16):
            size, about, key = struct.unpack_from("=IHH", data, number * PAGE + offset)
            if kind & 1:
                waiting.append(size | about << 32)
            elif about & 1 and flags & 4:
                found += struct.unpack_from("=Q", data, number * PAGE + offset + 8 + key)
    return found


def test_an_intact_file_has_as_many_entries_as_lmdb_says(original: Path) -> None:
    data = (original / DATA).read_bytes()
    meta = metas(data)
    file = PageFile(data=data, page_size=PAGE, pages=meta.last_page + 1)
    for closely in (False, True):
        assert file.count_entries(meta.main_root, closely=closely) == meta.main_entries
        assert file.count_entries(meta.free_root, closely=closely) == meta.free_entries
    reader = LmdbReader.open(original)
    assert reader.entries() == meta.main_entries
    reader.close()
    assert len(pages(data, 1)) >= 1
    assert len(pages(data, 2)) > 10
    assert len(pages(data, 4)) == 4
    probe(original)
    probe(original, full=True)


def zero(data: bytearray, page: int) -> None:
    data[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)


def hide(data: bytearray, page: int) -> None:
    """Take the last two entries of a page off its list, as one flipped bit may."""
    (lower,) = struct.unpack_from("=H", data, page * PAGE + 12)
    struct.pack_into("=H", data, page * PAGE + 12, lower - 4)


def stray(data: bytearray, page: int) -> None:
    """Let the first entry of a page lie beyond it."""
    struct.pack_into("=H", data, page * PAGE + 16, PAGE)


def stretch(data: bytearray, page: int) -> None:
    """Let the first entry of a page be longer than the page."""
    (offset,) = struct.unpack_from("=H", data, page * PAGE + 16)
    struct.pack_into("=I", data, page * PAGE + offset, 1 << 30)


@pytest.mark.parametrize(
    ("harm", "flags"),
    [(zero, 1), (zero, 2), (zero, 4), (hide, 2), (stray, 1), (stray, 2), (stretch, 2)],
    ids=["no branch", "no leaf", "no long value", "hidden", "stray branch", "stray", "stretched"],
)
def test_each_start_and_command_finds_it(state: Path, harm: Callable[[bytearray, int], None], flags: int) -> None:
    data = bytearray((state / DATA).read_bytes())
    for page in (pages(data, flags)[0], pages(data, flags)[-1]):
        harmed = bytearray(data)
        harm(harmed, page)
        (state / DATA).write_bytes(harmed)
        with pytest.raises(StoreDamaged, match=r"backup"):
            open_state(state)
        code, out, err = finished(["-m", "placet", "list", "--state", str(state)], cwd=state.parent)
        assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_a_large_file_is_walked_where_its_last_owner_was_killed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WALKED_BYTES", 0)
    data = bytearray((state / DATA).read_bytes())
    hide(data, pages(data, 2)[0])
    (state / DATA).write_bytes(data)
    probe(state)
    with pytest.raises(StoreDamaged, match="entries were found where"):
        probe(state, unclean=True)
    monkeypatch.setattr(module, "WALKED_UNCLEAN_BYTES", 0)
    probe(state, unclean=True)
    with pytest.raises(StoreDamaged):
        probe(state, full=True)
    (state / "lock").write_text("999999999\n")  # as after `kill -9`
    monkeypatch.setattr(module, "WALKED_UNCLEAN_BYTES", 1 << 30)
    with pytest.raises(StoreDamaged):
        open_state(state)


def test_status_looks_closely_when_it_is_told_to(state: Path) -> None:
    words = ["-m", "placet", "status", "--state", str(state), "--check"]
    code, out, _ = finished(words, cwd=state.parent)
    assert (code, out.splitlines()[-1]) == (0, "checked: every page and value is intact")
    data = bytearray((state / DATA).read_bytes())
    data[pages(data, 4)[0] * PAGE + 100] ^= 1  # within a value, whose checksum only a reader sees
    (state / DATA).write_bytes(data)
    assert finished(words[:-1], cwd=state.parent)[0] == 0
    code, _, err = finished(words, cwd=state.parent)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "checksum" in err


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.integers(2 * PAGE, 30 * PAGE), what=st.binary(min_size=1, max_size=64))
def test_no_bytes_whatever_harm_the_one_who_looks(original: Path, where: int, what: bytes) -> None:
    data = bytearray((original / DATA).read_bytes())
    meta = metas(data)
    data[where : where + len(what)] = what
    file = PageFile(data=bytes(data), page_size=PAGE, pages=meta.last_page + 1)
    for closely in (False, True):
        with suppress(BadTree):
            assert file.count_entries(meta.main_root, closely=closely) >= 0


def test_a_file_mapped_into_memory_does_too(original: Path) -> None:
    with (original / DATA).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        meta = metas(bytes(data[: 2 * PAGE]))
        mapped = PageFile(data=data, page_size=PAGE, pages=meta.last_page + 1)
        assert mapped.count_entries(meta.main_root, closely=True) == meta.main_entries
