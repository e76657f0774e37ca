"""Importing an exported place or composite: a file becomes a message that puts its tokens into the same places again.

They are new tokens there, beside those that an instance has. Their values stay the bytes they are, and are not loaded:
what is held against the declared type of a place is that of the place they were in.
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from placet.actors.answers import RefusalCode
from placet.actors.arguments import check_text
from placet.actors.catalog import decode_stored_net
from placet.actors.copies.export import ROOT_BYTES
from placet.actors.errors import BadRequest, RequestRefused, no_instance
from placet.actors.messages import ImportTokens, PlaceTokens
from placet.actors.part import Part
from placet.actors.reader import StateReader
from placet.actors.records import decode_firing
from placet.persistence.blobs import is_ref, join
from placet.persistence.copy_errors import BadCopy
from placet.persistence.errors import StoreDamaged
from placet.persistence.export_file import Export, read_export, read_export_from
from placet.persistence.keys import FIRING, FIRST_PLACE, FROZEN, TOKEN, split_entry
from placet.petri.place_types import type_names
from placet.petri.plan import make_plan


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
    """The tokens of a place, as they were exported."""

    type: str  # name of its declared type; "" is any
    tokens: PlaceTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCopy:
    """A place, or a composite with all places in it, as it was exported."""

    origin: str  # id of the instance
    path: str
    places: tuple[PlaceCopy, ...]


def read_part(file: Path) -> PartCopy:
    """Return what is in the file of a place or composite. Raises `BadCopy`, for that of a whole instance too."""
    return part_in(read_export(file), str(file))


def part_in_bytes(data: bytes) -> PartCopy:
    """Return what is in the file that holds these bytes. Raises as `read_part` does."""
    name = "the copy"
    return part_in(read_export_from(BytesIO(data), len(data), Path(name)), name)


def part_in(found: Export, file: str) -> PartCopy:
    """Return what was exported; errors call the file `file`. Raises `BadCopy` where it is a whole instance."""
    origin, path = found.head.instance, found.head.path
    if not path:
        reason = f"it holds all of {origin}, and not a place or composite"
        raise BadCopy(file, reason, "import it as an instance of its own")
    try:
        return PartCopy(origin=origin, path=path, places=tuple(_places(found)))
    except StoreDamaged as error:
        raise BadCopy(file, f"its tokens are not whole ({error})") from error


def _places(found: Export) -> list[PlaceCopy]:
    """Return the places that were exported, with what lay there and what firings in the composite had taken there."""
    stored = decode_stored_net(found.net)
    plan = make_plan(stored.net, {})
    types = type_names(plan, stored.net)
    entries = _Entries({_ROOT + key: value for key, value in found.entries})
    paths = _paths(Part(plan=plan, path=found.head.path))
    tokens: dict[int, dict[int, bytes]] = {index: {} for index in paths}
    frozen: set[int] = set()
    for key, value in entries.by_key.items():
        actor, kind, number = split_entry(key)
        if kind == TOKEN:
            tokens[actor - FIRST_PLACE][number] = value
        elif kind == FROZEN:
            frozen.add(number)
        elif kind == FIRING:
            for place, token, taken in decode_firing(value).tokens:
                tokens[place][token] = taken
    return [
        PlaceCopy(
            type=types.get(index, ""),
            tokens=PlaceTokens(
                place=path,
                values=tuple(join(entries, _ROOT, value) if is_ref(value) else value for _, value in held),
                frozen=tuple(position for position, (number, _) in enumerate(held) if number in frozen),
            ),
        )
        for index, path in paths.items()
        for held in (sorted(tokens[index].items()),)  # by number: oldest first
    ]


def _paths(part: Part) -> dict[int, str]:
    """Return the paths of the places of a part by their indices: of a port, one of the names it has in there."""
    index = part.plan.place_index
    if part.is_place:
        return {index[part.path]: part.path}
    found: dict[int, str] = {}
    for name, own in part.places():
        path = f"{part.path}/{name}"
        if path == own or index[own] not in found:
            found[index[own]] = path
    return found


def part_message(
    found: PartCopy, instance: str, reader: StateReader, *, by: str, why: str, request_id: str
) -> ImportTokens:
    """Return what an instance is told to take the tokens of a place or composite.

    Raises `NotFound`; `RequestRefused` where it lacks one of the places, or has one that was declared for another type;
    and `BadRequest` for what is no text.
    """
    if not check_text("by", by):
        raise BadRequest("it does not say by whom it is")
    header = reader.header(check_text("an id", instance))
    if header is None:
        raise no_instance(instance)
    plan = reader.plan(header)
    types = type_names(plan, reader.stored_net(header).net)
    for one in found.places:
        path = one.tokens.place
        if path not in plan.place_index:
            raise RequestRefused(instance, f"{instance} has no place {path!r}", RefusalCode.NO_PLACE)
        wanted = types.get(plan.place_index[path], "")
        if wanted not in ("", one.type):
            was = f"{found.origin}/{path} is for {one.type or 'values of any type'}"
            raise RequestRefused(instance, f"{path} of {instance} is for {wanted}, and {was}", RefusalCode.WRONG_TYPE)
    return ImportTokens(
        instance=instance,
        places=tuple(one.tokens for one in found.places),
        origin=found.origin,
        by=by,
        why=check_text("why", why),
        request_id=check_text("a request id", request_id),
    )
