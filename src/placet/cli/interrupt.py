"""Ctrl-C before a command has begun anything: one line and the exit code, not a traceback out of some import."""

import os
import signal
import sys
from types import FrameType

LINE = b"placet: stopped by SIGINT; run the same command again\n"


def guard() -> None:
    """Let the first Ctrl-C end this process, which is the command `placet`, at once.

    `Signals` takes over while an engine runs. Until then nothing is open that would have to be closed: a commit is
    whole or not there. Called before all that takes its time to import; it must import next to nothing itself.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored, as by `nohup`
        signal.signal(signal.SIGINT, _end)


def is_command() -> bool:
    """True in a process of `placet …` and of `python -m placet …`, not in a program that imports Placet."""
    argv = getattr(sys, "argv", [""])  # an interpreter inside another program has none
    if argv[:1] == ["-m"]:  # so it is while the packages around the module that is to run are imported
        words = iter(sys.orig_argv)
        return any(word == "-mplacet" or (word == "-m" and next(words, "") == "placet") for word in words)
    return os.path.basename(argv[0] if argv else "") == "placet"


def _end(_number: int, _frame: FrameType | None) -> None:
    os.write(2, LINE)
    os._exit(128 + signal.SIGINT)
