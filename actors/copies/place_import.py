"""Importing an exported place: a file becomes a message that puts its tokens into the same place of an instance.

They are new tokens there, beside those that it has. Their values stay the bytes they are, and are not loaded: what is
held against the declared type of the place is that of the place they were in.
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from placet.actors.answers import RefusalCode
from placet.actors.arguments import check_text
from placet.actors.catalog import StoredNet, decode_stored_net
from placet.actors.copies.export import ROOT_BYTES
from placet.actors.errors import BadRequest, RequestRefused, no_instance
from placet.actors.messages import ImportTokens
from placet.actors.reader import StateReader
from placet.persistence.blobs import is_ref, join
from placet.persistence.copy_errors import BadCopy
from placet.persistence.errors import StoreDamaged
from placet.persistence.export_file import Export, read_export, read_export_from
from placet.persistence.keys import FROZEN, TOKEN, split_entry
from placet.petri.place_types import type_names
from placet.petri.plan import Plan, make_plan


@dataclass(frozen=True, slots=True)
class _Entries:
    """The entries of a file, as what chunks are read from."""

    by_key: dict[bytes, bytes]

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None."""
        return self.by_key.get(key)


_ROOT = bytes(ROOT_BYTES)  # any will do: keys in a file are those below the root


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceCopy:
    """The free tokens of a place, as they were exported."""

    origin: str  # id of the instance
    path: str
    type: str  # name of the declared type; "" is any
    values: tuple[bytes, ...]  # oldest first
    frozen: tuple[int, ...]  # positions in `values`


def read_place(file: Path) -> PlaceCopy:
    """Return what is in the file of a place. Raises `BadCopy`, for that of anything else too."""
    return place_in(read_export(file), str(file))


def place_in_bytes(data: bytes) -> PlaceCopy:
    """Return what is in the file of a place that holds these bytes. Raises as `read_place` does."""
    name = "the copy"
    return place_in(read_export_from(BytesIO(data), len(data), Path(name)), name)


def place_in(found: Export, file: str) -> PlaceCopy:
    """Return the place that was exported; errors call the file `file`. Raises `BadCopy` where it is something else."""
    try:
        return _place_in(found, file)
    except StoreDamaged as error:
        raise BadCopy(file, f"its tokens are not whole ({error})") from error


def _place_in(found: Export, file: str) -> PlaceCopy:
    origin, path = found.head.instance, found.head.path
    if not path:
        raise BadCopy(file, f"it holds all of {origin}, and not a place", "import it as an instance of its own")
    stored = decode_stored_net(found.net)
    plan = make_plan(stored.net, {})
    if path not in plan.place_index:
        remedy = "export its places one by one, or the whole instance"
        raise BadCopy(file, f"it holds a composite, {origin}/{path}, without the tokens of its places", remedy)
    entries = _Entries({_ROOT + key: value for key, value in found.entries})
    numbered = [(*split_entry(key)[1:], value) for key, value in entries.by_key.items()]
    tokens = [(number, value) for kind, number, value in numbered if kind == TOKEN]
    frozen = {number for kind, number, _ in numbered if kind == FROZEN}
    return PlaceCopy(
        origin=origin,
        path=path,
        type=_type(stored, plan, path),
        values=tuple(join(entries, _ROOT, value) if is_ref(value) else value for _, value in tokens),
        frozen=tuple(position for position, (number, _) in enumerate(tokens) if number in frozen),
    )


def place_message(
    found: PlaceCopy, instance: str, reader: StateReader, *, by: str, why: str, request_id: str
) -> ImportTokens:
    """Return what an instance is told to take the tokens of a place.

    Raises `NotFound`; `RequestRefused` where it has no such place, or one that was declared for another type; and
    `BadRequest` for what is no text.
    """
    if not check_text("by", by):
        raise BadRequest("it does not say by whom it is")
    header = reader.header(check_text("an id", instance))
    if header is None:
        raise no_instance(instance)
    plan = reader.plan(header)
    if found.path not in plan.place_index:
        raise RequestRefused(instance, f"{instance} has no place {found.path!r}", RefusalCode.NO_PLACE)
    wanted = _type(reader.stored_net(header), plan, found.path)
    if wanted not in ("", found.type):
        was = f"{found.origin}/{found.path} is for {found.type or 'values of any type'}"
        raise RequestRefused(instance, f"{found.path} of {instance} is for {wanted}, and {was}", RefusalCode.WRONG_TYPE)
    return ImportTokens(
        instance=instance,
        place=found.path,
        values=found.values,
        frozen=found.frozen,
        origin=f"{found.origin}/{found.path}",
        by=by,
        why=check_text("why", why),
        request_id=check_text("a request id", request_id),
    )


def _type(stored: StoredNet, plan: Plan, path: str) -> str:
    return type_names(plan, stored.net).get(plan.place_index[path], "")
