"""Copies of instances in a simulation: what they were made of, and what their books begin with."""

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from random import Random

import msgspec

from placet.actors.copies.export import write_export
from placet.actors.copies.import_request import to_message
from placet.actors.copies.part_import import PartCopy, part_in
from placet.actors.messages import Import
from placet.persistence.export_file import Export, read_export_from
from placet.persistence.history import Record
from placet.persistence.store import View
from placet.petri.plan import Plan
from placet.testing.errors import require
from placet.testing.image import Image
from placet.testing.ledger import FiringLedger, InstanceLedger, Sums

FORGIVEN_S = 1e-6  # of sums of times
_KEPT = 8  # exports, to be imported long after


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """An instance as it was when it was exported."""

    image: Image
    sums: Sums
    export: Export


@dataclass(slots=True)
class Copies:
    """Exports instances, and remembers what each copy was made of."""

    _kept: list[Original] = field(default_factory=list[Original])
    _made_of: dict[int, tuple[Original, float]] = field(
        default_factory=dict[int, tuple[Original, float]]
    )  # with how long before it was exported, by incarnation of the copy

    def message(self, random: Random, view: View, image: Image, ledger: InstanceLedger, instance: str) -> Import:
        """Return a request for a copy of an instance: as it is now, or of one as it was once."""
        export = _exported(view, image, history=random.random() < 0.7)
        self._kept = [*self._kept, Original(image=image, sums=list(ledger.sums or ()), export=export)][-_KEPT:]
        original = self._kept[-1] if random.random() < 0.7 else random.choice(self._kept)
        age_s = random.choice((0.0, 0.0, 1.0, 3600.0))
        message = to_message(original.export, instance, "eva", "a copy", age_s)
        message = msgspec.structs.replace(message, incarnation=random.getrandbits(32))
        self._made_of[message.incarnation] = original, age_s
        return message

    def begin(self, ledger: InstanceLedger, sequence: int, record: Record, image: Image) -> None:
        """Begin the books of a copy with what its original had; `image` is the copy."""
        require(image.header.incarnation in self._made_of, "a copy is asked for", record)
        original, age_s = self._made_of[image.header.incarnation]
        shift_s = record.at - age_s - original.export.head.engine_s
        ledger.inherit(sequence, record)
        ledger.inherit_tokens(original.image.tokens())
        ledger.sums = original.sums
        ledger.scheduled = {one.timer: (one.by, one.due) for one in original.image.scheduled.values()}
        for one in image.scheduled.values():  # later by the time that has passed, as far as it can be told
            by, due = ledger.scheduled.get(one.timer, ("", 0.0))
            is_same = by == one.by and one.due >= max(due + shift_s, record.at) - FORGIVEN_S
            require(is_same, "a copy's timers are its original's", f"{one} {by} {due} {shift_s}")
            ledger.scheduled[one.timer] = by, one.due
        for firing in original.image.firings.values():
            failed_at = [failure.at for failure in firing.failures if failure.type != "Lost"]
            ledger.firings[firing.number] = FiringLedger(
                failed=firing.failed,
                losses=firing.losses,
                failed_at=failed_at[-1] + shift_s if failed_at else -1.0,
            )


def part_of(view: View, image: Image, plan: Plan, path: str) -> PartCopy:
    """Return a place or composite of an instance, exported and read again: with all tokens in it, free or taken."""
    found = part_in(_exported(view, image, path=path, history=False), "export")
    inside = {index for own, index in plan.place_index.items() if own == path or own.startswith(f"{path}/")}
    firings = [one for one in image.firings.values() if plan.transitions[one.transition].path.startswith(f"{path}/")]
    held = sum(len(image.places.get(index, ())) for index in inside) + sum(len(firing.tokens) for firing in firings)
    require(held == sum(len(one.tokens.values) for one in found.places), "a copy of a part is whole", found)
    return found


def _exported(view: View, image: Image, *, path: str = "", history: bool) -> Export:
    file = BytesIO()
    write_export(view, image.header.instance, file, path=path, history=history)
    size_bytes = file.tell()
    file.seek(0)
    return read_export_from(file, size_bytes, Path("export"))


def ends_of_copied(records: list[tuple[int, Record]]) -> dict[bytes, int]:
    """Return, by root, the record of its import for each copy that began with these (sequence, record).

    What comes before it is the history of its original.
    """
    return {record.root: sequence for sequence, record in records if record.kind == "imported"}
