"""Which transitions can fire in a marking, what the others lack, and what a firing does to the counts.

Pure functions over a whole marking, for analysis, explanations and tests. An engine keeps up with changes
incrementally instead; these say what it must agree with.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from placet.petri.behaviour import Guard
from placet.petri.plan import InputArc, Plan, TransitionPlan

Marking: TypeAlias = Mapping[int, Sequence[tuple[int, object]]]  # (token id, value) by index of the place
Counts: TypeAlias = Mapping[int, int]  # tokens by index of the place; a place that is not in it is empty
Effect: TypeAlias = dict[int, int]  # tokens that one firing adds (or, below 0, takes), by index of the place


def enabled(plan: Plan, marking: Marking) -> list[int]:
    """Return the transitions that can fire in `marking`, in definition order."""
    return [transition.index for transition in plan.transitions if is_enabled(transition, marking)]


def is_enabled(transition: TransitionPlan, marking: Marking) -> bool:
    """Return whether every input holds enough tokens that pass its guard, and the transition's code is known."""
    return transition.behaviour is not None and all(_suffices(arc, marking) for arc in transition.inputs)


def missing(plan: Plan, marking: Marking, transition: int) -> str:
    """Return what a transition lacks in `marking`, for people; "" when it can fire."""
    planned = plan.transitions[transition]
    lacks = [_lack(plan, arc, marking) for arc in planned.inputs if not _suffices(arc, marking)]
    if planned.behaviour is None:
        lacks.insert(0, "its handler or guard is not registered in this process")
    return "; ".join(lacks)


def effects(transition: TransitionPlan) -> list[Effect]:
    """Return what a firing can do to the counts: one effect, or one an output where it is a choice."""
    alternatives = [[output] for output in transition.outputs] if transition.choice else [list(transition.outputs)]
    return [_effect(transition, outputs) for outputs in alternatives]


def can_fire(transition: TransitionPlan, counts: Counts) -> bool:
    """Return whether the counts suffice, guards aside."""
    needed: dict[int, int] = {}
    for arc in transition.inputs:
        needed[arc.place] = needed.get(arc.place, 0) + arc.weight
    return all(counts.get(place, 0) >= count for place, count in needed.items())


def fire(plan: Plan, counts: Counts, transition: int, alternative: int = 0) -> dict[int, int]:
    """Return the counts after one firing, guards aside; `alternative` is the output a choice gives to.

    Raises `ValueError` where the counts do not suffice.
    """
    planned = plan.transitions[transition]
    if not can_fire(planned, counts):
        raise ValueError(f"transition {planned.path} is not enabled")
    after = dict(counts)
    for place, change in effects(planned)[alternative].items():
        after[place] = after.get(place, 0) + change
    return after


def _effect(transition: TransitionPlan, outputs: Sequence[tuple[int, int]]) -> Effect:
    effect: Effect = {}
    for arc in transition.inputs:
        effect[arc.place] = effect.get(arc.place, 0) - arc.weight
    for place, weight in outputs:
        effect[place] = effect.get(place, 0) + weight
    return effect


def _suffices(arc: InputArc, marking: Marking) -> bool:
    tokens = marking.get(arc.place, ())
    return len(tokens) >= arc.weight and (not arc.guarded or _passing(arc, marking) >= arc.weight)


def _passing(arc: InputArc, marking: Marking) -> int:
    return sum(_passes(arc.guard, value) for _, value in marking.get(arc.place, ()))


def _passes(guard: Guard | None, value: object) -> bool:
    if guard is None:
        return False  # declared, but not known in this process
    try:
        return bool(guard(value))
    except Exception:  # a user's guard may raise anything; a token it cannot judge does not pass
        return False


def _lack(plan: Plan, arc: InputArc, marking: Marking) -> str:
    path = plan.places[arc.place].path
    count = len(marking.get(arc.place, ()))
    if count < arc.weight:
        return f"needs {_tokens(arc.weight)} in `{path}`, has {count}"
    if arc.weight == 1:
        return f"no token of {count} in `{path}` passes the guard"
    return f"needs {arc.weight} tokens in `{path}` that pass the guard, has {_passing(arc, marking)} of {count}"


def _tokens(count: int) -> str:
    return "1 token" if count == 1 else f"{count} tokens"
