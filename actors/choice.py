"""What fires next in an instance: incremental, as far as free slots and the turn's budget for inline firings go."""

from typing import TYPE_CHECKING

from placet.actors.congestion import full_for, go_on, may_call, may_go_on
from placet.actors.lifecycle import TERMINAL, Intent
from placet.actors.turn import Turn
from placet.petri.agenda import NOT_ENABLED
from placet.petri.behaviour import IN_KERNEL
from placet.petri.plan import TransitionPlan

if TYPE_CHECKING:
    from placet.actors.workflow import WorkflowActor


def start_ready(workflow: "WorkflowActor", turn: Turn) -> None:
    """Start firings that were chosen before and wait for a slot."""
    for executor, numbers in list(workflow.ready.items()):
        for number, composite in list(numbers.items()):
            if not _may_start(workflow, turn, executor):
                break
            firing = composite.firings[number]
            if firing.transition in workflow.held or workflow.plan.transitions[firing.transition].behaviour is None:
                continue
            if may_go_on(workflow, firing):
                go_on(composite, turn, firing)


def choose(workflow: "WorkflowActor", turn: Turn) -> None:
    """Fire what is enabled, best first, as far as slots and the turn's budget for inline firings go."""
    if workflow.roomless:  # there may be room now
        workflow.dirty += sorted(workflow.roomless)
        workflow.roomless.clear()
    transitions, composites, agenda, dirty = (
        workflow.plan.transitions,
        workflow.composites,
        workflow.agenda,
        workflow.dirty,
    )
    while dirty or agenda.queued:
        if len(dirty) == 1 and not agenda.queued:  # the common case, in which there is nothing to compare
            transition = transitions[dirty.pop()]
            if transition.behaviour is None or not _is_enabled(workflow, transition):
                continue
            if not _may_start(workflow, turn, transition.executor):
                agenda.offer(transition)
                return
        else:
            workflow.offer_dirty()
            executor = _best(workflow, turn)
            if executor is None:
                return
            transition = agenda.take(executor)
        if composites[transition.composite].fire(turn, transition):
            dirty.append(transition.index)


def _best(workflow: "WorkflowActor", turn: Turn) -> str | None:
    best = None
    name = None
    for executor, heap in workflow.agenda.heaps.items():
        if heap and _may_start(workflow, turn, executor):
            rank = workflow.agenda.peek(executor)
            if rank is not None and (best is None or rank < best):
                best, name = rank, executor
    return name


def oldest(workflow: "WorkflowActor", transition: TransitionPlan) -> int:
    """Return the id of the oldest token `transition` would take, or `NOT_ENABLED`."""
    best = NOT_ENABLED
    if workflow.held and transition.index in workflow.held:
        return NOT_ENABLED
    places = workflow.places
    for arc in transition.inputs:
        place = places[arc.place] or workflow.place(arc.place)
        queue = place.tokens if arc.queue < 0 else place.queues[arc.queue]
        if len(queue) < arc.weight:
            return NOT_ENABLED
        if not arc.keyed:
            token = next(iter(queue))
            if best == NOT_ENABLED or token < best:
                best = token
    if transition.conditional:
        if not _is_permitted(workflow, transition):
            return NOT_ENABLED
        match = workflow.matches_of(transition.index).oldest() if transition.keyed else None
        if match is not None and (best == NOT_ENABLED or match < best):
            best = match
    return best


def held_up(workflow: "WorkflowActor") -> list[int]:
    """Return the full shards that keep an instance from what it could do otherwise."""
    if not workflow.roomless and not workflow.ready:
        return []
    if workflow.header.intent is not Intent.RUN or workflow.header.state in TERMINAL:
        return []
    looked_at, workflow.roomless = workflow.roomless, set()
    for index in sorted(looked_at):
        oldest(workflow, workflow.plan.transitions[index])  # which notes it again, if it still lacks nothing but room
    return full_for(workflow)


def wait_for_room(workflow: "WorkflowActor") -> None:
    """Let an instance have its turn again when there is room where it lacks some."""
    workflow.agenda.executors()  # what is queued is looked at once more: calls of this turn may have used up all room
    for shard in held_up(workflow):
        workflow.services.credit.wait(shard, workflow.root)


def _is_enabled(workflow: "WorkflowActor", transition: TransitionPlan) -> bool:
    if workflow.held and transition.index in workflow.held:
        return False
    places = workflow.places
    for arc in transition.inputs:
        place = places[arc.place] or workflow.place(arc.place)
        if len(place.tokens if arc.queue < 0 else place.queues[arc.queue]) < arc.weight:
            return False
    return not transition.conditional or _is_permitted(workflow, transition)


def _is_permitted(workflow: "WorkflowActor", transition: TransitionPlan) -> bool:
    """Return whether all but tokens lets a transition fire that has enough of them; a child needs room, too."""
    if transition.manual is not None:
        return False  # people decide
    for arc in transition.reads:
        place = workflow.place(arc.place)
        if len(place.tokens if arc.queue < 0 else place.queues[arc.queue]) < arc.weight:
            return False
    for index, weight in transition.inhibitors:
        if workflow.place(index).count >= weight:
            return False
    for bound in transition.bounds:
        held = workflow.place(bound.place).count + workflow.reserved.get(bound.place, 0)
        if held + bound.net > bound.capacity:
            return False
    if transition.keyed and workflow.matches_of(transition.index).oldest() is None:
        return False
    if transition.called is not None and not may_call(workflow, transition):
        workflow.roomless.add(transition.index)
        return False
    return True


def _may_start(workflow: "WorkflowActor", turn: Turn, executor: str) -> bool:
    """Return whether this turn may start one more firing on `executor`."""
    if executor in IN_KERNEL:
        return turn.inline_left > 0
    slots = workflow.services.slots
    pool = slots.pools.get(executor)
    if pool is None or slots.alone:
        return False
    if not pool.waiting:
        return pool.capacity - len(pool.in_flight) > len(turn.starts)
    left = turn.shares.get(executor)
    if left is None:
        left = slots.share(executor, workflow.root, turn.now, workflow.slice_end)
        turn.shares[executor] = left
    return left > 0
