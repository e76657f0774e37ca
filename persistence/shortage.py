"""What a process has run out of, told from the error it got: the machine's limits are no bugs of ours."""

import errno
from typing import NamedTuple

_NO_THREAD = "can't start new thread"  # `RuntimeError` has no number


class Shortage(NamedTuple):
    """What there is no more of, and what a person can do."""

    what: str
    remedy: str


_FILES = Shortage("this process may open no more files", "raise the limit (ulimit -n)")
_TABLE = Shortage("this machine may open no more files", "close some elsewhere, or raise its limit")
_THREADS = Shortage("no thread can be started", "raise the limit on processes (ulimit -u), or run fewer handlers")
_MEMORY = Shortage("there is no memory left", "free some, or raise the limit (ulimit -v)")
_BY_NUMBER = {errno.EMFILE: _FILES, errno.ENFILE: _TABLE, errno.ENOMEM: _MEMORY}


def shortage(error: BaseException) -> Shortage | None:
    """Return what an error says there is too little of, or None where it says something else."""
    if isinstance(error, OSError):
        return _BY_NUMBER.get(error.errno or 0)
    if isinstance(error, MemoryError):
        return _MEMORY
    if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
        return _THREADS
    return None
