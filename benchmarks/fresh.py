"""A fresh process over a state that another one has filled: its memory is its own."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST_S = 200.0


def in_fresh_process(module: str, state: Path, *arguments: object) -> dict[str, float]:
    """Run a module of the benchmarks over a state and return the figures it writes, as one JSON object."""
    command = [sys.executable, "-m", module, str(state), *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LONGEST_S)
    if ended.returncode:
        raise RuntimeError(f"the process over {state} failed: {ended.stderr.strip()}")
    found: dict[str, float] = json.loads(ended.stdout)
    return found
