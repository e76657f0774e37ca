"""Checksums of stored values: a crc32 over key and value, 4 bytes at the end of the value.

The key is covered too, so that a page that landed in the wrong place does not pass. The checksum is stored
little-endian: the crc of (key, value, crc) is then one constant, and checking is one pass without a copy:
`crc32(stored, crc32(key)) == RESIDUE`. The store has this written out, since a call a value would cost a third more.
"""

from pathlib import Path

from placet.persistence.errors import StoreDamaged
from placet.persistence.last_backup import remedy

SIZE = 4
RESIDUE = 0x2144DF1C  # of every intact (key, value, crc), a property of crc32

_KINDS = {
    b"L": "live state",
    b"Z": "history",
    b"A": "address",
    b"N": "net",
    b"S": "shard header",
    b"E": "engine record",
}


def damaged(path: str, key: bytes) -> StoreDamaged:
    """Return the error for a value whose checksum does not match, in the state at `path`."""
    kind = _KINDS.get(key[:1], "entry of unknown kind")
    return StoreDamaged(f"{kind} {key.hex()} does not match its checksum", remedy(Path(path)), path)
