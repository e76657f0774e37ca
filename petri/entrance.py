"""A workflow as those who spawn an instance of it, or send tokens to one, need to know it: what takes tokens in."""

from placet.petri.behaviour import Definition
from placet.petri.net import Net, Place
from placet.petri.plan import make_plan


def entrance_of(definition: Definition) -> Definition:
    """Return a workflow reduced to its entries, with their capacities, and the declared types of all that takes tokens.

    It is small enough to be sent to other processes.
    """
    plan = make_plan(definition.net, {})
    entries = [place for place in plan.places if place.is_entry]
    taking = [place for place in plan.places if place.is_entry or place.external]
    declared = {plan.place_index.get(path): kind for path, kind in definition.types.items()}
    return Definition(
        name=definition.name,
        version=definition.version,
        net=Net(
            name=definition.net.name,
            places=tuple(Place(name=place.path, entry=True, capacity=place.capacity) for place in entries),
        ),
        first=definition.first,
        types={place.path: declared[place.index] for place in taking if place.index in declared},
    )
