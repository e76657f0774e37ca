"""Errors of the machine, told apart from those of ours."""

import errno

import pytest

from placet.persistence.shortage import shortage


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (OSError(errno.ENFILE, "Too many open files in system"), "this machine"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (MemoryError(), "memory"),
        (RuntimeError("can't start new thread"), "no thread"),
    ],
)
def test_what_there_is_too_little_of_is_told_from_the_error(error: BaseException, part: str) -> None:
    found = shortage(error)
    assert found is not None
    assert part in " ".join(found)


@pytest.mark.parametrize("error", [OSError("no number"), OSError(errno.EIO, "I/O"), RuntimeError("other"), KeyError(1)])
def test_other_errors_are_not(error: BaseException) -> None:
    assert shortage(error) is None
