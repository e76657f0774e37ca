"""Fewer passes of the garbage collector while an engine runs.

A batch makes thousands of small objects that live until its commit and are then freed by their counts; hardly
any are in cycles. With the interpreter's default thresholds the collector walks over all instances in memory
again and again meanwhile, which took a third of the time of small firings.
"""

import gc
import threading

YOUNG, MIDDLE, OLD = 50_000, 20, 100

_lock = threading.Lock()
_engines = 0
_before: tuple[int, int, int] | None = None


def relax() -> None:
    """Raise the thresholds while at least one engine runs; a process that has chosen its own keeps them."""
    global _engines, _before  # noqa: PLW0603  # the collector belongs to the process, and so does this count
    with _lock:
        _engines += 1
        if _engines == 1 and gc.isenabled() and 0 < gc.get_threshold()[0] < YOUNG:
            _before = gc.get_threshold()
            gc.set_threshold(YOUNG, MIDDLE, OLD)


def restore() -> None:
    """Undo `relax`, with the last engine."""
    global _engines, _before  # noqa: PLW0603  # as above
    with _lock:
        _engines -= 1
        if _engines == 0 and _before is not None:
            gc.set_threshold(*_before)
            _before = None
