"""The tokens a client spawns an instance with, checked against the entries of its workflow."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from placet.actors.answers import RefusalCode
from placet.actors.errors import BadRequest, NotFound, RequestRefused
from placet.petri.behaviour import Definition
from placet.petri.expression import PlaceRef, place_name
from placet.petri.place_types import check_type, types_of
from placet.petri.plan import Plan

Values: TypeAlias = Sequence[object]
Tokens: TypeAlias = Mapping[PlaceRef | str, Values] | Mapping[PlaceRef, Values] | Mapping[str, Values]


class Definable(Protocol):
    """Anything with a definition: `placet.Workflow`."""

    def definition(self) -> Definition:
        """Return the finished, checked definition."""
        ...


def entry_values(plan: Plan, workflow: Definition, instance: str, tokens: Tokens | None) -> list[tuple[int, object]]:
    """Return (place, value) of each token, in the order given; without any, those its workflow begins with.

    Raises `BadRequest` for what is no mapping, `NotFound` for a place that is no entry, `TypeError` where no list of
    values is given, `WrongType` for a value its place was not declared for, and `RequestRefused` for more than a place
    holds.
    """
    values: list[tuple[int, object]] = []
    types = types_of(plan, workflow)
    if tokens is not None and not _is_mapping(tokens):
        kind = type(tokens).__name__
        raise BadRequest(f"the tokens of a spawn are {{entry place: [values]}}, and {kind} is no mapping")
    for place, several in (tokens or workflow.first).items():
        name = place_name(place)
        index = plan.place_index.get(name)
        if index is None or not plan.places[index].is_entry:
            entries = ", ".join(one.path for one in plan.places if one.is_entry)
            raise NotFound(instance, f"{workflow.name} has no entry place {name!r}; its entries are {entries}")
        if not isinstance(several, list | tuple):  # a text is a sequence too, and never what is meant
            raise TypeError(f"tokens for {name!r} must be a list of values, got {type(several).__name__}")
        for value in several:
            check_type(plan, types, index, value)
        values += [(index, value) for value in several]
        _check_room(plan, index, instance, values)
    return values


def _is_mapping(given: object) -> bool:
    """Return whether what was given as tokens is a mapping: programs without a type checker give anything."""
    return isinstance(given, Mapping)


def _check_room(plan: Plan, place: int, instance: str, values: list[tuple[int, object]]) -> None:
    capacity, given = plan.places[place].capacity, sum(1 for index, _ in values if index == place)
    if capacity and given > capacity:
        path = plan.places[place].path
        raise RequestRefused(
            instance, f"{path} holds {capacity} tokens at most, and {given} were given", RefusalCode.FULL
        )
