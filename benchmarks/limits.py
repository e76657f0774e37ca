"""What this machine can do at best: disk, LMDB, and the interpreter itself."""

import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from itertools import repeat
from pathlib import Path
from statistics import median

import lmdb
import msgspec

from benchmarks.figure import Figure
from benchmarks.latency import MAP_BYTES
from benchmarks.setting import Setting

BATCH = 1_000


def limits(setting: Setting) -> list[Figure]:
    """Measure the machine."""
    return [
        Figure(name="limit.fdatasync", value=_fdatasync_s(setting) * 1e3, unit="ms"),
        Figure(name="limit.puts", value=_puts(setting), unit="puts/s", note="in durable batches of 1,000"),
        Figure(name="limit.dispatch", value=_dispatch(setting), unit="calls/s"),
    ]


def _fdatasync_s(setting: Setting) -> float:
    """Return the seconds it takes to make one page of a file durable, in place."""
    page = os.urandom(4096)
    path = setting.fresh()
    path.write_bytes(bytes(len(page)))
    descriptor = os.open(path, os.O_WRONLY)
    sync = os.fdatasync if hasattr(os, "fdatasync") else os.fsync  # macOS
    times_s: list[float] = []
    try:
        for _ in range(setting.pick(200, 20)):
            begin_s = time.perf_counter()
            os.pwrite(descriptor, page, 0)
            sync(descriptor)
            times_s.append(time.perf_counter() - begin_s)
    finally:
        os.close(descriptor)
    return median(times_s)


def _puts(setting: Setting) -> float:
    """Return the puts a second of keys and values as long as Placet's, sorted, a thousand a commit."""
    rates = [_put_batches(setting.fresh(), setting.pick(40, 5)) for _ in range(setting.pick(3, 1))]
    return median(rates)


def _put_batches(path: Path, batches: int) -> float:
    with closing(lmdb.open(str(path), map_size=MAP_BYTES)) as environment:
        begin_s = time.perf_counter()
        for batch in range(batches):
            entries = [(b"Z" + (batch * BATCH + number).to_bytes(20, "big"), bytes(80)) for number in range(BATCH)]
            with environment.begin(write=True) as transaction, closing(transaction.cursor()) as cursor:
                cursor.putmulti(entries)
        return batches * BATCH / (time.perf_counter() - begin_s)


class _Deposit(msgspec.Struct, frozen=True, gc=False):
    place: int
    value: bytes


class _Withdraw(msgspec.Struct, frozen=True, gc=False):
    place: int
    value: bytes


def _dispatch(setting: Setting) -> float:
    """Return how many messages a second are made, queued, taken and handled by a function found by type."""
    held: dict[int, bytes] = {}

    def deposit(message: _Deposit) -> None:
        held[message.place] = message.value

    def withdraw(message: _Withdraw) -> None:
        held.pop(message.place, None)

    receivers: dict[type, Callable[..., None]] = {_Deposit: deposit, _Withdraw: withdraw}
    rounds = setting.pick(100_000, 10_000)
    rates: list[float] = []
    for _ in range(setting.pick(5, 1)):
        begin_s = time.perf_counter()
        queue: deque[_Deposit | _Withdraw] = deque()
        for place in range(rounds):
            queue.append(_Deposit(place & 255, b"value"))
            queue.append(_Withdraw(place & 255, b"value"))
            for _ in repeat(None, 2):
                message = queue.popleft()
                receivers[type(message)](message)
        rates.append(2 * rounds / (time.perf_counter() - begin_s))
    return median(rates)
