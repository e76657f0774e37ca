"""Tokens as people write them in JSON: one value, or values by place."""

from collections.abc import Mapping, Sequence
from typing import cast

from placet.petri.errors import PlacetError


class WrongTokens(PlacetError, ValueError):
    """Values were given for places that do not take them so; nothing was done."""

    code = "wrong_tokens"

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}"


def by_place(value: object, places: Sequence[str]) -> dict[str, list[object]]:
    """Return values by place of what JSON held: `{place: [values]}`, or one value where there is one place.

    An object all of whose keys are places, each with a list, is read as values by place. Raises `WrongTokens`.
    """
    named = cast("dict[str, object]", value) if isinstance(value, dict) else None
    if named and all(place in places and isinstance(values, list) for place, values in named.items()):
        return {place: list(cast("list[object]", values)) for place, values in named.items()}
    if len(places) == 1:
        return {places[0]: [value]}
    raise _mistake(named, places)


def _mistake(named: Mapping[str, object] | None, places: Sequence[str]) -> WrongTokens:
    if named is None:
        return WrongTokens(f"one value was given, and there are {len(places)} places", f"name each: {_example(places)}")
    unknown = [name for name in named if name not in places]
    if unknown:
        listed = ", ".join(places) or "none"
        return WrongTokens(f"there is no place {unknown[0]!r} for it", f"the places are {listed}")
    loose = [name for name, values in named.items() if not isinstance(values, list)]
    if loose:
        return WrongTokens(f"the values for {loose[0]} are no list", f"write {_example(loose)}")
    return WrongTokens("no value was given", f"write {_example(places)}")


def _example(places: Sequence[str]) -> str:
    return "{" + ", ".join(f'"{place}": [value]' for place in places) + "}"
