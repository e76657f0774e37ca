"""Placet as a wheel brings it, with a compiled kernel: made in `build/compiled` when first wanted."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "compiled"  # to be imported from
_DIGEST = ROOT / "build" / "compiled.digest"  # of what `FOLDER` was made from
_LOCK = ROOT / "build" / "compiled.lock"
_PARTS = ("actors", "net", "persistence", "petri", "supervision", "src")
LONGEST_S = 1_200.0


class CompilingFailed(Exception):
    """There is no C compiler, or it refused; the text is one line."""


def compiled_placet() -> Path:
    """Return the folder to import a compiled Placet from; making it takes a minute. Raises `CompilingFailed`."""
    _LOCK.parent.mkdir(exist_ok=True)
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        digest = _digest()
        if not (FOLDER.is_dir() and _DIGEST.is_file() and _DIGEST.read_text(encoding="utf-8") == digest):
            _DIGEST.unlink(missing_ok=True)
            for left in (FOLDER, *(ROOT / "build").glob("lib.*"), *(ROOT / "build").glob("temp.*")):
                shutil.rmtree(left, ignore_errors=True)
            _compile()
            _DIGEST.write_text(digest, encoding="utf-8")
    return FOLDER


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a process that is to import Placet from `folder`."""
    others = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join((str(folder), others) if others else (str(folder),))}


def _compile() -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", "--target", str(FOLDER), str(ROOT)]
    ended = subprocess.run(
        command,
        env=os.environ | {"PLACET_COMPILE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
    )
    if ended.returncode:
        shutil.rmtree(FOLDER, ignore_errors=True)
        said = [line for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
        causes = [line.strip() for line in said if re.match(r"\s*(placet:|error: |.*fatal error: )", line)]
        raise CompilingFailed((causes or said or ["no reason was given"])[0])


def _digest() -> str:
    found = blake2b(sys.version.encode(), digest_size=16)
    files = [ROOT / "setup.py", ROOT / "setup.cfg", ROOT / "pyproject.toml"]
    files += sorted(file for part in _PARTS for file in (ROOT / part).rglob("*.py"))
    for file in files:
        found.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()
