"""One owner at a time."""

import multiprocessing
import os
from pathlib import Path
from threading import Thread

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


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path)
    context = multiprocessing.get_context("fork")
    go_on = context.Event()
    started = context.Event()
    child = context.Process(target=wait_for, args=(started, go_on))
    child.start()
    assert started.wait(30)
    lock.forget()  # what the kernel does when a process dies: the handle is closed, nothing else
    StateLock.acquire(tmp_path).release()
    go_on.set()
    child.join()


def wait_for(started: "multiprocessing.synchronize.Event", go_on: "multiprocessing.synchronize.Event") -> None:
    started.set()
    go_on.wait(30)


@pytest.mark.parametrize("content", [b"", b"garbage", b"999999999\n"])
def test_what_a_dead_owner_left_does_not_matter(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lock").write_bytes(content)
    assert owner(tmp_path) is None
    StateLock.acquire(tmp_path).release()


def test_nobody_owns_what_is_not_there(tmp_path: Path) -> None:
    assert owner(tmp_path / "none") is None
