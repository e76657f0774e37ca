"""One owner at a time."""

import os
from pathlib import Path
from threading import Event, Thread

import pytest

from placet.persistence.errors import StoreInUse
from placet.persistence.lock import StateLock, owner
from tests.persistence.processes import line, running

HOLDS_THE_LOCK = """
import sys
from pathlib import Path
from placet.persistence.lock import StateLock
lock = StateLock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_second_owner_in_another_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    with running(HOLDS_THE_LOCK, tmp_path) as process:
        assert line(process) == "held"
        assert owner(tmp_path) == process.pid
        with pytest.raises(StoreInUse) as caught:
            StateLock.acquire(tmp_path)
        assert (caught.value.path, caught.value.pid) == (str(tmp_path), process.pid)
        process.kill()
        process.wait()
    assert owner(tmp_path) is None
    StateLock.acquire(tmp_path).release()


def test_an_owner_whose_lock_file_was_deleted_still_keeps_others_out(tmp_path: Path) -> None:
    with running(HOLDS_THE_LOCK, tmp_path) as process:
        assert line(process) == "held"
        (tmp_path / "lock").unlink()
        with pytest.raises(StoreInUse, match="a process that is not known"):
            StateLock.acquire(tmp_path)
        assert not (tmp_path / "lock").exists()
        process.kill()
        process.wait()
    StateLock.acquire(tmp_path).release()


def test_a_second_owner_in_this_process_is_refused(tmp_path: Path) -> None:
    first = StateLock.acquire(tmp_path)
    refused: list[int] = []

    def try_it() -> None:
        try:
            StateLock.acquire(tmp_path)
        except StoreInUse as error:
            refused.append(error.pid)

    thread = Thread(target=try_it)
    thread.start()
    thread.join()
    assert refused == [os.getpid()]
    first.release()
    first.release()
    assert owner(tmp_path) is None
    StateLock.acquire(tmp_path).release()


def test_a_released_lock_does_not_end_the_next_owners(tmp_path: Path) -> None:
    first = StateLock.acquire(tmp_path)
    first.release()
    second = StateLock.acquire(tmp_path)
    first.release()
    assert owner(tmp_path) == os.getpid()
    second.release()


FORKS_AND_DIES = """
import os, signal, sys
from pathlib import Path
from placet.persistence.lock import StateLock
lock = StateLock.acquire(Path(sys.argv[1]))
if os.fork() == 0:
    print("forked", flush=True)
    sys.stdin.readline()
    os._exit(0)
os.wait() if sys.argv[2] == "wait" else os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_forked_child_that_outlives_its_engine_does_not_keep_the_lock(tmp_path: Path) -> None:
    with running(FORKS_AND_DIES, tmp_path, "die") as process:
        assert line(process) == "forked"
        process.wait()
        StateLock.acquire(tmp_path).release()


def test_a_forked_child_does_not_give_the_lock_away(tmp_path: Path) -> None:
    with running(FORKS_AND_DIES, tmp_path, "wait") as process:
        assert line(process) == "forked"
        with pytest.raises(StoreInUse):
            StateLock.acquire(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"999999999\n"])
def test_what_a_dead_owner_left_does_not_matter(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lock").write_bytes(content)
    assert owner(tmp_path) is None
    StateLock.acquire(tmp_path).release()


def test_a_pid_that_another_process_has_by_now_owns_nothing(tmp_path: Path) -> None:
    StateLock.acquire(tmp_path).release()
    (tmp_path / "lock").write_text(f"{os.getppid()}\n")
    assert owner(tmp_path) is None
    lock = StateLock.acquire(tmp_path)
    assert owner(tmp_path) == os.getpid()
    (tmp_path / "lock").unlink()
    assert owner(tmp_path) == 0, "somebody, who is not known"
    lock.release()
    assert owner(tmp_path) is None


def test_those_who_ask_keep_no_engine_out(tmp_path: Path) -> None:
    StateLock.acquire(tmp_path).release()
    over = Event()

    def ask() -> None:
        while not over.is_set():
            owner(tmp_path)

    threads = [Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            StateLock.acquire(tmp_path).release()
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_nobody_owns_what_is_not_there(tmp_path: Path) -> None:
    assert owner(tmp_path / "none") is None
