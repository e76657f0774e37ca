"""Tokens as people write them in JSON: one value, or values by place."""

from collections.abc import Sequence
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
    if isinstance(value, dict) and value:
        named = cast("dict[str, object]", value)
        if all(place in places and isinstance(values, list) for place, values in named.items()):
            return {place: list(cast("list[object]", values)) for place, values in named.items()}
    if len(places) == 1:
        return {places[0]: [value]}
    raise _mistake(value, places)


def _mistake(value: object, places: Sequence[str]) -> WrongTokens:
    listed = ", ".join(places) or "none"
    if not isinstance(value, dict):
        return WrongTokens(f"one value was given, and there are {len(places)} places", f"name each: {_example(places)}")
    named = cast("dict[str, object]", value)
    unknown = [name for name in named if name not in places]
    if unknown:
        return WrongTokens(f"there is no place {unknown[0]!r} for it", f"the places are {listed}")
    loose = [name for name, values in named.items() if not isinstance(values, list)]
    if loose:
        return WrongTokens(f"the values for {loose[0]} are no list", f"write {_example(loose)}")
    return WrongTokens("no value was given", f"write {_example(places)}")


def _example(places: Sequence[str]) -> str:
    return "{" + ", ".join(f'"{place}": [value]' for place in places) + "}"
