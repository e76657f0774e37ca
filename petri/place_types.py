"""The types that places were declared with, by their indices in a plan."""

from collections.abc import Mapping

from placet.petri.behaviour import Definition
from placet.petri.errors import WrongType
from placet.petri.net import Net
from placet.petri.plan import Plan
from placet.petri.typed import accepts, name_of


def types_of(plan: Plan, definition: Definition) -> dict[int, object]:
    """Return the declared types of a plan's places; a port may be declared by any of its names."""
    found = {plan.place_index.get(path): declared for path, declared in definition.types.items()}
    return {index: declared for index, declared in found.items() if index is not None}


def type_names(plan: Plan, net: Net, within: str = "") -> dict[int, str]:
    """Return the names of the declared types of the places of a plan's net, as it is stored; `within` ends in a `/`."""
    found = {plan.place_index[f"{within}{place.name}"]: place.type for place in net.places if place.type}
    for composite in net.composites:
        found = type_names(plan, composite.net, f"{within}{composite.name}/") | found
    return found


def check_type(plan: Plan, types: Mapping[int, object], place: int, value: object) -> None:
    """Raise `WrongType` for a value that a place was not declared for."""
    declared = types.get(place)
    if not accepts(declared, value):
        raise WrongType(plan.places[place].path, name_of(declared), f"a value of type {type(value).__name__}")
