"""Golden states as JSON: [key, value] pairs in key order, in hexadecimal digits.

A value is text, or, where one byte repeats, a list of texts and of `{"repeat": [byte, count]}`.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import msgspec

FOLDER = Path(__file__).parent
_RUN = re.compile(rb"(.)\1{63,}", re.DOTALL)


class Run(msgspec.Struct, frozen=True):
    """A byte that repeats."""

    repeat: tuple[int, int]  # byte, count


Packed: TypeAlias = str | list[str | Run]
Entry: TypeAlias = tuple[bytes, bytes]


def write_fixture(path: Path, entries: Iterable[Entry]) -> None:
    """Write entries, sorted, one a line."""
    lines = [json.dumps(msgspec.to_builtins([key.hex(), _pack(value)])) for key, value in sorted(entries)]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def read_fixture(path: Path) -> list[Entry]:
    """Return the entries of a golden state in key order."""
    pairs = msgspec.json.decode(path.read_bytes(), type=list[tuple[str, Packed]])
    return [(bytes.fromhex(key), _unpack(value)) for key, value in pairs]


def _pack(value: bytes) -> Packed:
    parts: list[str | Run] = []
    end = 0
    for match in _RUN.finditer(value):
        parts += [value[end : match.start()].hex(), Run((value[match.start()], len(match[0])))]
        end = match.end()
    return [*parts, value[end:].hex()] if parts else value.hex()


def _unpack(packed: Packed) -> bytes:
    if isinstance(packed, str):
        return bytes.fromhex(packed)
    return b"".join(
        bytes.fromhex(part) if isinstance(part, str) else bytes((part.repeat[0],)) * part.repeat[1] for part in packed
    )
