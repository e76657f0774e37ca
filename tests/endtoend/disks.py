"""Small disks of their own for tests: full ones, and ones that may only be read."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


def mount(*arguments: str) -> None:
    """Call `mount`; skip the test where that is not allowed."""
    try:
        outcome = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if outcome.returncode:
        pytest.skip(f"this user cannot mount a file system: {outcome.stderr.strip()}")


@contextmanager
def disk(path: Path, size: str) -> Generator[Path]:
    """Mount an empty disk of a size such as `8m` at `path`."""
    path.mkdir()
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@contextmanager
def ext4(path: Path, image: Path) -> Generator[Path]:
    """Mount an empty ext4 disk of 24 MB, kept in a file: it has no block for a page until that is written."""
    with image.open("wb") as file:
        file.truncate(24 << 20)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no ext4 can be made here: {error}")
    path.mkdir()
    mount("-o", "loop", str(image), str(path))
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@contextmanager
def read_only(path: Path) -> Generator[None]:
    """Let nobody write to the disk mounted at `path`, root neither, and undo that at the end."""
    mount("-o", "remount,ro", str(path))
    try:
        yield
    finally:
        mount("-o", "remount,rw", str(path))


def fill(folder: Path) -> Path:
    """Fill the disk of a folder to its last byte; return the file to remove again."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        piece = 1 << 16
        while piece:
            try:
                file.write(os.urandom(piece))
            except OSError:
                piece //= 2
    return ballast
