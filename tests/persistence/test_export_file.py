"""Exports come back as they were written; whatever was cut off, altered or added is refused, and nothing of it used."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.persistence.copy_errors import BadCopy
from placet.persistence.export_file import KEY_BYTES, Export, ExportHead, ExportWriter, read_export, read_export_from
from placet.persistence.format import FORMAT

HEAD = ExportHead(instance="one", workflow="w", version="v", net=b"digest", state="running", engine_s=12.5, wall_s=99.0)
ENTRIES = (((b"\0" * KEY_BYTES), b"header"), ((b"\x01" * KEY_BYTES), b""))
NOWHERE = Path("export")


def written(
    head: ExportHead = HEAD,
    net: bytes = b"net",
    entries: tuple[tuple[bytes, bytes], ...] = ENTRIES,
    records: tuple[bytes, ...] = (b"old", b"new"),
) -> bytes:
    """Return the bytes of an export; records oldest first."""
    file = BytesIO()
    writer = ExportWriter(file, head)
    writer.net(net)
    for key, value in entries:
        writer.entry(key, value)
    for record in reversed(records):
        writer.record(record)
    writer.end()
    return file.getvalue()


def read(data: bytes) -> Export:
    return read_export_from(BytesIO(data), len(data), NOWHERE)


def refusal(data: bytes) -> str:
    with pytest.raises(BadCopy) as caught:
        read(data)
    return str(caught.value)


keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
heads = st.builds(
    ExportHead,
    instance=st.text(max_size=20),
    path=st.text(max_size=20),
    workflow=st.text(max_size=20),
    version=st.text(max_size=20),
    net=st.binary(max_size=16),
    state=st.text(max_size=20),
    format=st.just(FORMAT),
    engine_s=st.floats(allow_nan=False),
    wall_s=st.floats(allow_nan=False),
    has_history=st.booleans(),
)


@given(
    head=heads,
    net=st.binary(max_size=100),
    entries=st.lists(st.tuples(keys, st.binary(max_size=100)), max_size=20).map(tuple),
    records=st.lists(st.binary(max_size=50), max_size=20).map(tuple),
)
def test_what_is_written_comes_back(
    head: ExportHead, net: bytes, entries: tuple[tuple[bytes, bytes], ...], records: tuple[bytes, ...]
) -> None:
    assert read(written(head, net, entries, records)) == Export(head=head, net=net, entries=entries, records=records)


def test_a_file_that_is_cut_off_anywhere_is_refused() -> None:
    whole = written()
    for size in range(len(whole)):
        refusal(whole[:size])
    assert "something follows its end" in refusal(whole + b"!")


@given(position=st.integers(0, len(written()) - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(position: int, bit: int) -> None:
    data = bytearray(written())
    data[position] ^= 1 << bit
    refusal(bytes(data))


def test_a_newer_version_or_format_says_to_upgrade() -> None:
    newer = bytearray(written())
    newer[15] = 2
    assert refusal(bytes(newer)).endswith("it has version 2, this Placet reads up to 1; upgrade Placet")
    later = ExportHead(**{**head_fields(), "format": FORMAT + 1})  # type: ignore[arg-type]  # fields of a head
    assert refusal(written(later)).endswith("upgrade Placet")
    earlier = ExportHead(**{**head_fields(), "format": FORMAT - 1})  # type: ignore[arg-type]  # likewise
    assert "older format" in refusal(written(earlier))


def head_fields() -> dict[str, object]:
    return {name: getattr(HEAD, name) for name in HEAD.__struct_fields__}


def test_a_length_that_is_announced_is_not_waited_for() -> None:
    assert "cut off" in refusal(written()[:16] + (1 << 31).to_bytes(4, "big") + b"e")


@pytest.mark.parametrize("data", [b"", b"PLACET", b"garbage" * 100, b"PLACET EXPORT\n"])
def test_what_is_no_export_is_refused(data: bytes) -> None:
    assert "it is no export of Placet" in refusal(data)


def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCopy, match="there is no such file"):
        read_export(tmp_path / "none")
    with pytest.raises(BadCopy):
        read_export(tmp_path)
