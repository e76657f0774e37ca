"""Whether a disk has room left. LMDB reports a write that was cut short as an I/O error, full disk or not."""

import os
import resource
from pathlib import Path
from tempfile import TemporaryFile

SPARE_BYTES = 16 << 20  # pages that a batch rewrites beside its own bytes


def has_room(directory: Path, file: Path, wanted_bytes: int) -> bool:
    """Return whether `file` in `directory` could grow by `wanted_bytes` and a generous `SPARE_BYTES`.

    Asks for the space and gives it back: free blocks alone say nothing of quotas.
    """
    wanted_bytes += SPARE_BYTES
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if largest != resource.RLIM_INFINITY and file.stat().st_size + wanted_bytes > largest:
        return False
    try:
        with TemporaryFile(dir=directory) as scratch:
            _allocate(scratch.fileno(), wanted_bytes)
    except OSError:
        return False
    return True


def _allocate(descriptor: int, wanted_bytes: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, wanted_bytes)
        return
    space = os.fstatvfs(descriptor)  # macOS
    if space.f_bavail * space.f_frsize < wanted_bytes:
        raise OSError
