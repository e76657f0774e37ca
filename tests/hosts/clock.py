"""A wall clock that a test can set, for all processes of a host: the machine's own stays as it is.

A small library, loaded into each of them before any other, stands between them and the system's real-time clock. Clocks
that only go forward are left alone, as when somebody sets a machine's clock.
"""

import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from struct import pack
from tempfile import mkdtemp

SOURCE = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t none;
static volatile int64_t *ahead_s = &none;

__attribute__((constructor)) static void look(void) {
    const char *path = getenv("AHEAD_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(0, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) ahead_s = mapped;
    close(file);
}

int clock_gettime(clockid_t id, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, id, at);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += *ahead_s;
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    if (!failed) at->tv_sec = now.tv_sec, at->tv_usec = now.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return at ? *at = now.tv_sec : now.tv_sec;
}
"""


@cache
def library() -> Path:
    """Return the library, compiled once a process."""
    folder = Path(mkdtemp(prefix="placet-clock-"))
    made = folder / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-x", "c", "-o", made, "-"], input=SOURCE, text=True, check=True)
    return made


class HostClock:
    """The wall clock of those processes that are started with `env`."""

    def __init__(self, file: Path) -> None:
        """`file` is made; who is started with `env` reads it at every look at the clock."""
        self._file = file
        file.write_bytes(pack("=q", 0))

    @property
    def env(self) -> Mapping[str, str]:
        """What to start a process with, so that it has this clock."""
        return {"LD_PRELOAD": str(library()), "AHEAD_FILE": str(self._file)}

    def set_ahead(self, seconds: int) -> None:
        """Let it be so far ahead of the machine's clock from now on; behind, if negative."""
        with open(self._file, "r+b") as file:
            os.pwrite(file.fileno(), pack("=q", seconds), 0)
