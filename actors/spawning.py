"""The tokens a client spawns an instance with, checked against the entries of its workflow."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from placet.actors.errors import NotFound
from placet.petri.expression import PlaceRef
from placet.petri.plan import Plan

Values: TypeAlias = Sequence[object]
Tokens: TypeAlias = Mapping[PlaceRef | str, Values] | Mapping[PlaceRef, Values] | Mapping[str, Values]


def entry_values(plan: Plan, workflow: str, instance: str, tokens: Tokens) -> list[tuple[int, object]]:
    """Return (place, value) of each token, in the order given.

    Raises `NotFound` for a place that is no entry, and `TypeError` where no list of values is given.
    """
    values: list[tuple[int, object]] = []
    for place, several in tokens.items():
        name = place.name if isinstance(place, PlaceRef) else place
        index = plan.place_index.get(name)
        if index is None or not plan.places[index].is_entry:
            entries = ", ".join(one.path for one in plan.places if one.is_entry)
            raise NotFound(instance, f"{workflow} has no entry place {name!r}; its entries are {entries}")
        if not isinstance(several, list | tuple):  # a text is a sequence too, and never what is meant
            raise TypeError(f"tokens for {name!r} must be a list of values, got {type(several).__name__}")
        values += [(index, value) for value in several]
    return values
