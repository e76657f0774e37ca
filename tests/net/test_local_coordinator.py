"""The coordinator on a store: what is on disk, who may open it, time, and disks that are full."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from placet.net.coordinator import Change, Changed, Compacted, Condition, Outcome
from placet.net.coordinator_errors import CoordinatorFailed
from placet.net.local_coordinator import HEADER, LONGEST_STEP_S, LocalCoordinator, RequestId
from placet.persistence.errors import FormatTooNew, StateUnusable, StoreFailed, StoreFull, StoreInUse
from placet.persistence.memory_store import MemoryStore
from placet.persistence.state import open_state
from placet.persistence.store import Write
from tests.net.coordinators import Heard


def put(key: str, value: bytes = b"", lease: int = 0) -> Change:
    return Change(key=key, value=value, lease=lease)


def keys(local: LocalCoordinator) -> list[str]:
    return list(local.read("").result().entries)


def tick(local: LocalCoordinator, start_s: float, seconds: int) -> None:
    for second in range(seconds + 1):
        local.tick(start_s + second)


# -- the directory -------------------------------------------------------------------------------------------------


def test_only_one_process_has_it(tmp_path: Path) -> None:
    local = LocalCoordinator.open(tmp_path / "c")
    with pytest.raises(StoreInUse):
        LocalCoordinator.open(tmp_path / "c")
    local.close()
    local.close()
    LocalCoordinator.open(tmp_path / "c").close()


def test_an_engines_state_is_not_taken_for_one(tmp_path: Path) -> None:
    state = open_state(tmp_path / "engine")
    state.store.commit([(b"Lsomething", b"of an engine")])
    state.close()
    with pytest.raises(StateUnusable, match="an engine's"):
        LocalCoordinator.open(tmp_path / "engine")
    open_state(tmp_path / "engine").close()  # it is unlocked again


def test_one_that_was_killed_before_its_first_commit_can_be_opened(tmp_path: Path) -> None:
    open_state(tmp_path / "c").close()
    local = LocalCoordinator.open(tmp_path / "c")
    assert (local.opening, local.revision) == (1, 0)
    local.close()


def test_one_of_a_newer_placet_is_refused() -> None:
    store = MemoryStore()
    LocalCoordinator(store)
    stored = store.get(HEADER)
    assert stored is not None
    assert stored[1] == 1, "the format comes first"
    store.commit([(HEADER, stored[:1] + b"\x02" + stored[2:])])
    with pytest.raises(FormatTooNew):
        LocalCoordinator(store)


def test_openings_are_counted_and_survive(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        local = LocalCoordinator.open(tmp_path / "c")
        assert local.opening == number
        local.close()


CHANGES_UNTIL_IT_IS_KILLED = """
import os, sys
from placet.net.coordinator import Change, Condition
from placet.net.local_coordinator import LocalCoordinator
local = LocalCoordinator.open(sys.argv[1])
lease = local.grant(60).result()
for number in range(20):
    change = Change(key="n", value=b"%d" % number, lease=lease)
    outcome = local.transact([Condition(key="n", revision=number)], [change])
    print(outcome.result().revision, flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_was_told_survives_a_kill(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHANGES_UNTIL_IT_IS_KILLED, str(tmp_path / "c")]
    killed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert killed.stdout.split() == [str(number) for number in range(1, 21)], killed.stderr
    local = LocalCoordinator.open(tmp_path / "c")
    entry = local.read("n").result().entries["n"]
    assert (entry.value, entry.revision, local.revision) == (b"19", 20, 20)
    assert local.keep_alive(entry.lease).result()
    local.close()


# -- requests ------------------------------------------------------------------------------------------------------


def test_a_request_that_had_its_effect_has_no_other_even_after_a_restart() -> None:
    store = MemoryStore()
    local = LocalCoordinator(store)
    request = RequestId("a", 1, 1)
    first = local.transact([], [put("x", b"once")], request=request).result()
    local.transact([], [Change(key="x", value=None)])
    again = LocalCoordinator(store.snapshot())
    for one in (local, again):
        assert one.transact([], [put("x", b"once")], request=request).result() == first == Outcome(ok=True, revision=1)
        assert keys(one) == []


def test_requests_of_two_clients_are_two() -> None:
    local = LocalCoordinator(MemoryStore())
    assert local.transact([], [put("x")], request=RequestId("a", 1, 1)).result().revision == 1
    assert local.transact([], [put("x")], request=RequestId("ab", 1, 1)).result().revision == 2
    assert local.transact([], [put("x")], request=RequestId("a", 1, 1)).result().revision == 1


# -- time ----------------------------------------------------------------------------------------------------------


def test_a_clock_that_jumps_ends_no_lease() -> None:
    local = LocalCoordinator(MemoryStore())
    lease = local.grant(10).result()
    local.transact([], [put("x", lease=lease)])
    local.tick(100.0)
    local.tick(1e9)  # stopped for years
    assert keys(local) == ["x"]
    local.tick(5.0)  # and back
    local.tick(6.0)
    assert keys(local) == ["x"]
    tick(local, 1e9, 10)
    assert keys(local) == []


def test_a_lease_lasts_for_its_time_of_ticks() -> None:
    local = LocalCoordinator(MemoryStore())
    local.tick(0.0)
    lease = local.grant(2.5).result()
    local.transact([], [put("x", lease=lease)])
    for at_s in (0.5, 1.0, 1.5, 2.0, 2.4):
        local.tick(at_s)
        assert keys(local) == ["x"]
    local.tick(2.5)
    assert keys(local) == []
    assert LONGEST_STEP_S == 1.0


# -- trouble -------------------------------------------------------------------------------------------------------


class Full(MemoryStore):
    """A store without room, while it is told so."""

    is_full = False

    def commit(self, writes: Iterable[Write]) -> None:
        if self.is_full:
            raise StoreFull(self.used_bytes(), self.limit_bytes)
        super().commit(writes)


def test_a_full_disk_changes_nothing_and_leases_end_once_there_is_room() -> None:
    store = Full()
    local = LocalCoordinator(store)
    lease = local.grant(2).result()
    local.transact([], [put("x", lease=lease)])
    heard = Heard("", 1)
    local.watch("", 1, heard)
    store.is_full = True
    for future in (local.transact([], [put("y")]), local.grant(5), local.revoke(lease)):
        assert isinstance(future.exception(timeout=0), CoordinatorFailed)
    tick(local, 0.0, 5)
    assert "full" in local.trouble
    assert (keys(local), local.revision, heard.changes) == (["x"], 1, [])
    store.is_full = False
    local.tick(6.0)
    assert (local.trouble, keys(local), local.revision) == ("", [], 2)
    assert [one.entries for one in heard.changes] == [{"x": None}]


def test_after_an_error_of_the_disk_it_says_nothing_any_more() -> None:
    store = MemoryStore()
    local = LocalCoordinator(store)
    lease = local.grant(1).result()
    heard = Heard("", 0)
    local.watch("", 0, heard)
    store.close()
    with pytest.raises(StoreFailed):
        local.transact([], [put("x")])
    with pytest.raises(StoreFailed):
        local.read("")
    with pytest.raises(StoreFailed):
        tick(local, 0.0, 2)
    with pytest.raises(StoreFailed):
        local.keep_alive(lease)
    assert not heard.changes


def test_a_listener_that_raises_has_been_told_and_others_are_told_later() -> None:
    local = LocalCoordinator(MemoryStore())
    heard, bad = Heard("", 0), Heard("", 0)

    def raises(event: Changed | Compacted) -> None:
        bad(event)
        raise RuntimeError("a bug")

    watch = local.watch("", 0, raises)
    local.watch("", 0, heard)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            local.transact([], [put("x")])
    watch.cancel()
    local.transact([Condition(key="x", revision=2)], [put("x")])
    assert [one.revision for one in bad.changes] == [1, 2]
    assert [one.revision for one in heard.changes] == [1, 2, 3]


def test_a_watch_may_be_so_many_revisions_behind() -> None:
    local = LocalCoordinator(MemoryStore(), keep=3)
    for _ in range(5):
        local.transact([], [put("x")])
    for after, told in ((1, False), (2, True), (5, True), (6, False)):
        heard = Heard("", after)
        local.watch("", after, heard)
        assert bool(heard.compacted) is not told
        assert [one.revision for one in heard.changes] == (list(range(after + 1, 6)) if told else [])


def test_a_watch_begun_and_one_ended_by_a_listener() -> None:
    local = LocalCoordinator(MemoryStore())
    late, ended = Heard("", 0), Heard("", 0)

    def listener(event: object) -> None:
        if isinstance(event, Changed) and event.revision == 1:
            local.watch("", 0, late)
            other.cancel()

    local.watch("", 0, listener)
    other = local.watch("", 0, ended)
    local.transact([], [put("x")])
    local.transact([], [put("x")])
    assert [one.revision for one in late.changes] == [1, 2]
    assert ended.changes == []
