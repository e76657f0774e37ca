"""Quick returns of the interpreter lock, for code that gives it up thousands of times a second.

The LMDB driver releases the lock for every single put, delete and step of a cursor. A thread that only computes
then takes it and keeps it for the switch interval, 5 ms by default: 3,000 puts took 13 s beside one such thread,
against 2 ms alone. With an interval of 10 us they take 5 ms, and the other thread loses nothing it would notice.
"""

import sys
from types import TracebackType

INTERVAL_S = 0.00001


class QuickSwitching:
    """A context in which threads waiting for the interpreter lock ask for it after `INTERVAL_S`.

    The interval belongs to the process. Contexts of several threads may overlap: only one that found the longer
    interval puts it back, so the short one never stays behind.
    """

    __slots__ = ("_normal_s",)

    def __init__(self) -> None:
        self._normal_s = sys.getswitchinterval()

    def __enter__(self) -> None:
        if self._normal_s > INTERVAL_S:
            sys.setswitchinterval(INTERVAL_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._normal_s > INTERVAL_S:
            sys.setswitchinterval(self._normal_s)
