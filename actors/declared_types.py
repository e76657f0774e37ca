"""Values that another instance gives, held against the types declared here: it is where they come in that is known.

To load a value is to run user code in the kernel. So the marker names the firing on whose behalf it is loaded, and what
has ended the process twice is not loaded again before a person says so.
"""

from collections.abc import Iterable
from typing import NamedTuple

from placet.actors.services import Services
from placet.persistence.values import decode
from placet.petri.typed import accepts, name_of


class Given(NamedTuple):
    """A value, and what it is for."""

    place: str
    declared: object  # the type of the place; None: any
    encoded: bytes


def misfit(services: Services, instance: str, path: str, values: Iterable[Given]) -> str:
    """Return what is wrong with the first of `values` that is not of its type; "": nothing that is known here.

    `instance` and `path` name the firing, by its transition, that the values come from or go to.
    """
    typed = [given for given in values if given.declared is not None]
    if not typed:
        return ""
    suspects = services.suspects
    if suspects.known and suspects.is_guilty(instance, path):
        return f"values of {path} during the loading of which the process ended twice"
    services.marker.enter(f"{instance}\0".encode(), path, services.slots.accompanied)
    found = next((problem for given in typed if (problem := _problem(given))), "")
    services.marker.leave()
    if suspects.known:
        suspects.clear(instance, path)  # the process has outlived it
    return found


def _problem(given: Given) -> str:
    try:
        value = decode(given.encoded)
    except BaseException:  # what loads a user's type may raise anything; where it is used it is loaded again
        return ""
    if accepts(given.declared, value):
        return ""
    return f"{_shown(value)}, which is no {name_of(given.declared)}, for `{given.place}`"


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except BaseException:  # a user's `__repr__` may raise anything
        return f"a value of type {type(value).__name__}"
