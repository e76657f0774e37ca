"""What an instance may send to shards that are slow, or away: what it calls anew goes past them, or waits for room."""

from typing import TYPE_CHECKING, Final

from placet.actors.calls import child_shard
from placet.actors.records import Firing, Phase
from placet.actors.turn import Turn
from placet.persistence.keys import shard_of
from placet.petri.behaviour import CALL
from placet.petri.plan import TransitionPlan
from placet.supervision.losses import ALONE_FROM

if TYPE_CHECKING:
    from placet.actors.composite import CompositeActor
    from placet.actors.workflow import WorkflowActor

ANYWHERE: Final = -1
MOST_TRIED: Final = 4_096  # numbers for a child; one that may live in 1 of 256 shards is found sooner


def number_of_call(workflow: "WorkflowActor", transition: TransitionPlan) -> int:
    """Return the number for a new firing: of a child that may live anywhere, the next whose shard has room.

    So new children go past an engine that is away. Should all be full it is the next number there is.
    """
    number = workflow.serial + 1
    if workflow.services.credit.is_unlimited or _shard_of_new(workflow, transition) != ANYWHERE:
        return number
    instance = workflow.header.instance
    tried = range(number, number + MOST_TRIED)
    return next((one for one in tried if _takes(workflow, child_shard(instance, transition, one, 1))), number)


def may_call(workflow: "WorkflowActor", transition: TransitionPlan) -> bool:
    """Return whether there is room for a child that can live in one shard only."""
    if workflow.services.credit.is_unlimited:
        return True
    shard = _shard_of_new(workflow, transition)
    return shard == ANYWHERE or _takes(workflow, shard)


def may_go_on(workflow: "WorkflowActor", firing: Firing) -> bool:
    """Return whether there is room for what a firing sends that is to be started (again)."""
    if workflow.services.credit.is_unlimited:
        return True
    shard = _shard_of_next(workflow, firing)
    return shard == ANYWHERE or _takes(workflow, shard)


def full_for(workflow: "WorkflowActor") -> list[int]:
    """Return the full shards that keep an instance from what it could do otherwise."""
    transitions = workflow.plan.transitions
    found = {_shard_of_new(workflow, transitions[index]) for index in workflow.roomless}
    for numbers in workflow.ready.values():
        for number, composite in numbers.items():
            firing = composite.firings[number]
            is_wanted = transitions[firing.transition].behaviour is not None and firing.transition not in workflow.held
            if is_wanted and not may_go_on(workflow, firing):
                found.add(_shard_of_next(workflow, firing))
    return sorted(found)


def hold_up(composite: "CompositeActor", turn: Turn, firing: Firing, shard: int) -> None:
    """Let a firing be started again once a shard takes more: its handler could not send what it had to."""
    composite.set_phase(turn, firing, Phase.READY)
    firing.held_up = shard


def go_on(composite: "CompositeActor", turn: Turn, firing: Firing) -> None:
    """Start a firing that was chosen before, and for which there is a slot, and room; a suspect waits once more."""
    was_held_up, firing.held_up = firing.held_up >= 0, ANYWHERE
    if was_held_up and firing.losses >= ALONE_FROM:
        composite.set_phase(turn, firing, Phase.SUSPECT)
    else:
        composite.start_again(turn, firing)


def reason(workflow: "WorkflowActor", shard: int) -> str:
    """Return why an instance waits for room."""
    limit = workflow.services.credit.limit
    why = f"its engine, which is slow or away, has not confirmed the {limit} messages it was sent"
    return f"shard {shard} takes no more for now: {why}"


def _takes(workflow: "WorkflowActor", shard: int) -> bool:
    aside = workflow.turn.aside
    return workflow.services.credit.has_room(shard, aside.promised.get(shard, 0) if aside is not None else 0)


def _shard_of_new(workflow: "WorkflowActor", transition: TransitionPlan) -> int:
    """Return the only shard in which a new child may live, or `ANYWHERE`."""
    near = transition.called.near if transition.called is not None else None
    return ANYWHERE if near is None else shard_of(near or workflow.header.instance)


def _shard_of_next(workflow: "WorkflowActor", firing: Firing) -> int:
    """Return the shard to which the next attempt of a firing sends, or `ANYWHERE`."""
    transition = workflow.plan.transitions[firing.transition]
    if transition.executor != CALL:
        return firing.held_up
    return child_shard(workflow.header.instance, transition, firing.number, firing.attempt + 1)
