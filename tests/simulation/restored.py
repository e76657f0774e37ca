"""What must be true in the end of engines that were restored from backups."""

from collections import Counter

from placet.actors.lifecycle import InstanceState
from placet.actors.records import Phase
from placet.persistence.values import decode
from tests.hosts.checker import Found, check_instance
from tests.simulation.restoring import World, made_of


def results(one: Found) -> Counter[int]:
    """Return the values in the last place of a `top`."""
    place = one.plan.place_index["done"]
    return Counter(int(str(decode(value))) for value in one.image.places.get(place, {}).values())


def check(seed: int, steps: int = 700) -> World:
    world = World(seed)
    world.play(steps)
    world.finish()
    found = {one.id: one for one in world.found()}
    problems = world.left_over()
    for one in found.values():
        problems += check_instance(one)
        if not one.image.is_over:
            problems.append(f"{one.id} is {one.image.header.state}, {one.image.firings}")
        if one.image.phases(Phase.CALLED):
            problems.append(f"{one.id} waits for a child")
    for instance, values in world.wanted.items():
        one = found[instance]
        if one.image.header.state is InstanceState.CANCELLED and instance in world.cancelled:
            continue
        if results(one) != Counter(map(made_of, values)):
            problems.append(f"{instance} made {results(one)} of {values}")
    assert not problems, f"seed {seed}: " + "\n".join(problems)
    return world
