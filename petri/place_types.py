"""The types that places were declared with, by their indices in a plan."""

from collections.abc import Mapping

from placet.petri.behaviour import Definition
from placet.petri.errors import WrongType
from placet.petri.plan import Plan
from placet.petri.typed import accepts, name_of


def types_of(plan: Plan, definition: Definition) -> dict[int, object]:
    """Return the declared types of a plan's places; a port may be declared by any of its names."""
    found = {plan.place_index.get(path): declared for path, declared in definition.types.items()}
    return {index: declared for index, declared in found.items() if index is not None}


def check_type(plan: Plan, types: Mapping[int, object], place: int, value: object) -> None:
    """Raise `WrongType` for a value that a place was not declared for."""
    declared = types.get(place)
    if not accepts(declared, value):
        raise WrongType(plan.places[place].path, name_of(declared), f"a value of type {type(value).__name__}")
