"""Where the control socket of a state directory lies, in as few bytes as the system has room for."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from placet.persistence.directory import CONTROL

LONGEST_PATH = 103  # bytes; Linux has room for 107, macOS for 103


@contextmanager
def short_path(directory: Path) -> Generator[str]:
    """Yield a path of the directory's control socket that is short enough for the system, however deep it lies."""
    path = directory / CONTROL
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{CONTROL}"
    finally:
        os.close(descriptor)
