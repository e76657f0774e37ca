"""A workflow as those who spawn an instance of it need to know it: its entries, and nothing else of its net."""

from placet.petri.behaviour import Definition
from placet.petri.net import Net, Place
from placet.petri.plan import make_plan


def entrance_of(definition: Definition) -> Definition:
    """Return a workflow reduced to its entries, with their capacities and declared types: small enough to be sent."""
    plan = make_plan(definition.net, {})
    entries = [place for place in plan.places if place.is_entry]
    declared = {plan.place_index.get(path): kind for path, kind in definition.types.items()}
    return Definition(
        name=definition.name,
        version=definition.version,
        net=Net(
            name=definition.net.name,
            places=tuple(Place(name=place.path, entry=True, capacity=place.capacity) for place in entries),
        ),
        types={place.path: declared[place.index] for place in entries if place.index in declared},
    )
