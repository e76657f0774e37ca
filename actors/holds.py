"""What is paused within an instance: places, transitions, composites, or all that carries a tag."""

from collections.abc import Iterable

from placet.petri.plan import Plan

TAG = "#"  # begins a target that is a tag


def held_transitions(plan: Plan, targets: Iterable[str]) -> frozenset[int]:
    """Return the transitions that may not fire while `targets` are paused.

    A place holds what takes from it or reads it, a composite all inside it; `#urgent` is each node with that tag.
    """
    held: set[int] = set()
    for target in targets:
        held.update(_held_by(plan, target))
    return frozenset(held)


def is_target(plan: Plan, target: str) -> bool:
    """Return whether a net has something that this names."""
    if target.startswith(TAG):
        tags = [node.tags for node in plan.places] + [node.tags for node in plan.transitions]
        tags += [node.tags for node in plan.composites]
        return any(target[1:] in one for one in tags)
    return (
        target in plan.place_index
        or target in plan.transition_index
        or (bool(target) and target in plan.composite_index)
    )


def _held_by(plan: Plan, target: str) -> set[int]:
    if target.startswith(TAG):
        tag = target[1:]
        held = {one.index for one in plan.transitions if tag in one.tags}
        for place in plan.places:
            if tag in place.tags:
                held.update(place.consumers)
        for composite in plan.composites:
            if tag in composite.tags:
                held |= _inside(plan, composite.path)
        return held
    if target in plan.transition_index:
        return {plan.transition_index[target]}
    if target in plan.place_index:
        return set(plan.places[plan.place_index[target]].consumers)
    return _inside(plan, target)


def _inside(plan: Plan, path: str) -> set[int]:
    return {one.index for one in plan.transitions if one.path.startswith(f"{path}/")}
