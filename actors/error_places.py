"""Whether what failed for good finds a place that is meant for it."""

from placet.actors.catalog import registered
from placet.actors.failed_firing import FailedFiring
from placet.petri.behaviour import Definition
from placet.petri.errors import DefinitionError
from placet.petri.place_types import types_of
from placet.petri.typed import accepts, name_of

_ANY = FailedFiring(transition="", type="", message="", attempts=1, encoded=())


def check_error_places(definition: Definition) -> None:
    """Raise `DefinitionError` for an error arc into a place of another type: a failure must always find room."""
    plan = registered(definition).plan
    types = types_of(plan, definition)
    for transition in plan.transitions if types else ():
        declared = types.get(transition.error)
        if not accepts(declared, _ANY):
            problem = f"its error place `{plan.places[transition.error].path}` takes {name_of(declared)}"
            where = f"workflow `{definition.name}`, transition `{transition.path}`"
            raise DefinitionError(problem, "what failed comes as a FailedFiring: make that its type, or none", where)
