"""Where each token of an instance has been, by its history alone: what a firing gave must be where it is found later.

A record of the history names tokens by id and no place. But whoever takes a token takes it from a place that the net
says, and what nobody took lies somewhere now. So, read backwards, each token's place is known before its birth is met.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from placet.persistence.history import Record, RecordKind
from placet.petri.net import MANY
from placet.petri.plan import Plan, TransitionPlan, shares
from placet.testing.image import Image

Candidates: TypeAlias = frozenset[int]  # places, one of which it was: only reset arcs leave more than one open
COUNTED = (RecordKind.FIRED, RecordKind.ERROR)
FROM_OUTSIDE = (RecordKind.PUT, RecordKind.INJECTED)


def misplaced(image: Image, plan: Plan, records: Sequence[Record]) -> Iterator[str]:
    """Yield what is wrong with the places of tokens; `records` are the whole history, oldest first."""
    where = dict(_at_last(image))
    for record in reversed(records):
        if record.kind == RecordKind.IMPORTED:
            return  # what came before happened elsewhere
        where.update(_before(record, plan))
        lost = [token for token in record.produced if token not in where]
        found = [where.pop(token) for token in record.produced if token in where]
        if lost:
            yield f"{image.header.instance}: tokens {lost} of {record} are nowhere"
        elif not _fits(record, plan, found):
            names = [sorted(plan.places[place].path for place in places) for places in found]
            yield f"{image.header.instance}: what {record} gave was found in {names}"
    if where:
        yield f"{image.header.instance}: nothing gave the tokens {sorted(where)}"


def _at_last(image: Image) -> Iterator[tuple[int, Candidates]]:
    for place, tokens in image.places.items():
        yield from ((token, frozenset((place,))) for token in tokens)
    for firing in image.firings.values():
        yield from ((token, frozenset((place,))) for place, token, _ in firing.tokens)


def _before(record: Record, plan: Plan) -> Mapping[int, Candidates]:
    """Return where the tokens were that a record took away, or moved."""
    detail = record.detail if isinstance(record.detail, dict) else {}
    if record.kind in COUNTED:
        return dict(zip(record.consumed, _sources(record, plan), strict=True))
    if record.kind == RecordKind.MOVED:
        return {int(detail["token"]): frozenset((plan.place_index[str(detail["source"])],))}
    if record.kind == RecordKind.DROPPED_TOKEN:
        return {int(detail["token"]): frozenset((plan.place_index[str(detail["place"])],))}
    return dict.fromkeys(record.consumed, frozenset[int]())  # nothing else takes tokens: it fits nowhere


def _sources(record: Record, plan: Plan) -> list[Candidates]:
    """Return where a firing took its tokens: arc by arc, then what reset arcs have emptied."""
    transition = plan.transitions[plan.transition_index[record.transition]]
    total = len(record.consumed)
    places = frozenset((*(arc.place for arc in transition.inputs), *transition.resets))
    if transition.takes_many and transition.resets:
        return [places] * total
    count = total if transition.takes_many else sum(arc.weight for arc in transition.inputs)
    taken = zip(transition.inputs, shares(transition.inputs, count), strict=True)
    exact = [frozenset((arc.place,)) for arc, share in taken for _ in range(share)]
    return [*exact, *([frozenset(transition.resets)] * (total - len(exact)))]


def _fits(record: Record, plan: Plan, found: Sequence[Candidates]) -> bool:
    """Return whether tokens that a record gave were found where it must have put them."""
    detail = record.detail if isinstance(record.detail, dict) else {}
    if record.kind == RecordKind.SPAWNED:
        return all(any(plan.places[place].is_entry for place in places) for places in found)
    if record.kind in FROM_OUTSIDE:
        return all(plan.place_index[str(detail["place"])] in places for places in found)
    if record.kind not in COUNTED:
        return not found
    transition = plan.transitions[plan.transition_index[record.transition]]
    if record.kind == RecordKind.ERROR:
        return all(transition.error in places for places in found)
    return _fits_outputs(transition, found)


def _fits_outputs(transition: TransitionPlan, found: Sequence[Candidates]) -> bool:
    outputs = Counter[int]()
    for place, weight in transition.outputs:
        outputs[place] += weight
    if any(len(places) != 1 for places in found) or MANY in [weight for _, weight in transition.outputs]:
        return all(places & outputs.keys() for places in found)
    there = Counter(place for places in found for place in places)
    if transition.choice:
        return any(there == Counter({place: weight}) for place, weight in transition.outputs)
    return there == outputs
