"""Which transitions can fire in a marking, what the others lack, and what a firing does to the counts.

Pure functions over a whole marking, for analysis, explanations and tests. An engine keeps up with changes
incrementally instead; these say what it must agree with.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias

from placet.petri.behaviour import Guard, Key
from placet.petri.matching import JoinKey, checked_key, count_of, counted_key
from placet.petri.plan import InputArc, Plan, TransitionPlan

Marking: TypeAlias = Mapping[int, Sequence[tuple[int, object]]]  # (token id, value) by index of the place
Counts: TypeAlias = Mapping[int, int]  # tokens by index of the place; a place that is not in it is empty
Effect: TypeAlias = dict[int, int]  # tokens that one firing adds (or, below 0, takes), by index of the place
_NOTHING: Counts = {}


def enabled(plan: Plan, marking: Marking, reserved: Counts = _NOTHING) -> list[int]:
    """Return the transitions that can fire in `marking`, in definition order; delays aside.

    `reserved` counts, by place, the tokens that firings under way will give to places with a capacity.
    """
    return [transition.index for transition in plan.transitions if is_enabled(plan, transition, marking, reserved)]


def is_enabled(plan: Plan, transition: TransitionPlan, marking: Marking, reserved: Counts = _NOTHING) -> bool:
    """Return whether nothing keeps a transition from firing, and its code is known; delays aside."""
    return transition.behaviour is not None and not any(_obstacles(plan, transition, marking, reserved))


def missing(plan: Plan, marking: Marking, transition: int, reserved: Counts = _NOTHING) -> str:
    """Return what a transition lacks in `marking`, for people; "" when it can fire."""
    planned = plan.transitions[transition]
    lacks = list(_obstacles(plan, planned, marking, reserved))
    if planned.behaviour is None:
        lacks.insert(0, "its handler or guard is not registered in this process")
    return "; ".join(lacks)


def _obstacles(plan: Plan, transition: TransitionPlan, marking: Marking, reserved: Counts) -> Iterator[str]:
    """Yield each thing that keeps a transition from firing."""
    wanting = [arc for arc in transition.arguments if not _suffices(arc, marking)]
    for arc in wanting:
        yield _lack(plan, arc, marking)
    if transition.keyed and not wanting and not _match(transition, marking):
        yield "no group is complete" if transition.takes_many else "no tokens with equal join keys"
    yield from blocking(plan, transition, marking, reserved)


def blocking(plan: Plan, transition: TransitionPlan, marking: Marking, reserved: Counts = _NOTHING) -> Iterator[str]:
    """Yield what keeps a transition from firing whatever its guards, join keys and handler are: tokens in the way."""
    for place, weight in transition.inhibitors:
        if len(marking.get(place, ())) >= weight:
            yield f"inhibited by `{plan.places[place].path}`"
    for bound in transition.bounds:
        held = len(marking.get(bound.place, ())) + reserved.get(bound.place, 0)
        if held + bound.net > bound.capacity:
            yield f"no room in `{plan.places[bound.place].path}`"


def _match(transition: TransitionPlan, marking: Marking) -> bool:
    """Return whether some join key has enough tokens on every keyed input."""
    check = counted_key if transition.takes_many else checked_key
    counts = [
        (Counter(_keys(arc.key, check, _passing_values(arc, marking))), arc.weight)
        for arc in transition.inputs
        if arc.keyed and arc.key is not None
    ]
    keys = next(found for found, weight in counts if weight)
    return any(all(found[key] >= (weight or count_of(key)) for found, weight in counts) for key in keys)


def _keys(key: Key, check: Callable[[object], JoinKey], values: Iterable[object]) -> Iterator[JoinKey]:
    for value in values:
        with suppress(Exception):  # a user's function may raise anything; a token without a key matches none
            yield check(key(value))


def effects(transition: TransitionPlan) -> list[Effect]:
    """Return what a firing can do to the counts: one effect, or one an output where it is a choice.

    What reset arcs remove is not in it, nor what arcs for many tokens take and give. An error arc is one more effect.
    """
    alternatives = [[output] for output in transition.outputs] if transition.choice else [list(transition.outputs)]
    if transition.error >= 0:
        alternatives.append([(transition.error, 1)])
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
    return sum(1 for _ in _passing_values(arc, marking))


def _passing_values(arc: InputArc, marking: Marking) -> Iterator[object]:
    for _, value in marking.get(arc.place, ()):
        if not arc.guarded or passes(arc.guard, value):
            yield value


def passes(guard: Guard | None, value: object) -> bool:
    """Return whether a guard lets a value through; one that is not known, or raises, does not."""
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
