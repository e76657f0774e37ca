"""Python code run in a process of its own, to be killed, limited or watched."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager


def finished(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code to its end."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def running(code: str, *arguments: object) -> Generator["subprocess.Popen[str]", None, None]:
    """Run code beside the test; it is killed at the end of the block if it is still there."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: "subprocess.Popen[str]") -> str:
    """Wait for the next line the process writes; "" at its end."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: "subprocess.Popen[str]", text: str) -> None:
    """Write a line to the process."""
    assert process.stdin is not None
    process.stdin.write(text + "\n")
    process.stdin.flush()
