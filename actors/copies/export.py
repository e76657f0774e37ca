"""Exporting an instance, or a place or composite of it, from one committed state; values stay the bytes they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from placet.actors.errors import NotFound, no_instance
from placet.actors.part import Part
from placet.actors.reader import StateReader
from placet.actors.records import Header, decode_firing
from placet.actors.stamp import read_stamp
from placet.persistence.blobs import chunk_keys, decode_ref, is_ref
from placet.persistence.export_file import ExportHead, ExportWriter
from placet.persistence.history import encode_record
from placet.persistence.keys import FIRING, FIRST_PLACE, TOKEN, split_entry
from placet.persistence.store import View
from placet.persistence.workshop import publish, workshop

ROOT_BYTES = 10
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written to a file."""

    file: str
    instance: str
    path: str  # of the place or composite; "" is the whole instance
    entries: int
    records: int  # of the history
    size_bytes: int


def export(view: View, instance: str, target: Path, *, path: str = "", history: bool = True) -> Exported:
    """Write an instance to the file `target`, which only its user may read; or what is at `path`, and all in it.

    `view` must show one committed state throughout, as a frozen reader does. Raises `NotFound`, `CopyExists` and
    `CopyFailed`; the file is there whole or not at all.
    """
    with workshop(target) as folder:
        made = folder / target.name
        with made.open("wb", buffering=_BUFFER_BYTES) as file:
            writer = write_export(view, instance, file, path=path, history=history)
        size_bytes = made.stat().st_size
        publish(made, target)
    return Exported(
        file=str(target),
        instance=instance,
        path=path,
        entries=writer.entries,
        records=writer.records,
        size_bytes=size_bytes,
    )


def write_export(view: View, instance: str, file: BinaryIO, *, path: str = "", history: bool = True) -> ExportWriter:
    """Write an export to an open file, and return what wrote it. Raises `NotFound`."""
    reader = StateReader(view)
    root, header = reader.root(instance), reader.header(instance)
    if root is None or header is None:
        raise no_instance(instance)
    prefixes = [root + actor.to_bytes(2, "big") for actor in _actors(reader, header, path)] if path else [root]
    writer = ExportWriter(file, _head(view, header, path, history=history))
    writer.net(reader.stored_net_bytes(header))
    for key, value in _entries(view, root, prefixes):
        writer.entry(key[ROOT_BYTES:], value)
    for _, record in reader.newest_first(instance) if history else ():
        writer.record(encode_record(record))
    writer.end()
    return writer


def _actors(reader: StateReader, header: Header, path: str) -> list[int]:
    """Return the numbers of the place or composite at `path` and of all that is in it, ports too, ascending."""
    plan = reader.plan(header)
    part = Part(plan=plan, path=path)
    if not part.exists:
        raise NotFound(header.instance, f"{header.instance} has no place or composite {path!r}")
    places = {FIRST_PLACE + plan.place_index[own] for _, own in part.places()}
    composites = {index for own, index in plan.composite_index.items() if own == path or part.has_below(own)}
    return sorted(places | composites)


def _head(view: View, header: Header, path: str, *, history: bool) -> ExportHead:
    stamp = read_stamp(view)
    return ExportHead(
        instance=header.instance,
        path=path,
        workflow=header.workflow,
        version=header.version,
        net=header.net,
        state=header.state.value,
        engine_s=stamp.engine_s,
        wall_s=stamp.wall_s,
        has_history=history,
    )


def _entries(view: View, root: bytes, prefixes: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries below all `prefixes`; where these are of actors, the parts of their large values follow."""
    references: list[bytes] = []
    for prefix in prefixes:
        for key, value in view.scan(prefix):
            yield key, value
            if prefix != root:
                references += _references(key, value)
    for reference in references:
        for key in chunk_keys(root, decode_ref(reference)):
            yield key, view.get(key) or b""


def _references(key: bytes, value: bytes) -> list[bytes]:
    """Return what stands for large values in an entry."""
    _, kind, _ = split_entry(key)
    if kind == TOKEN:
        return [value] if is_ref(value) else []
    if kind != FIRING:
        return []
    firing = decode_firing(value)
    return [stored for _, _, stored in (*firing.tokens, *firing.seen) if is_ref(stored)]
