"""The state of an instance, derived from its marking, its firings and what people asked of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from placet.actors.calls import answer_caller
from placet.actors.choice import held_up
from placet.actors.congestion import reason
from placet.actors.effects import StateChanged
from placet.actors.lifecycle import TERMINAL, InstanceState, Intent, check_move
from placet.actors.records import Phase
from placet.actors.schedule import drop_all
from placet.actors.troubles import tell_caller
from placet.actors.turn import Turn
from placet.actors.watching import tell_watchers
from placet.persistence.history import RecordKind
from placet.petri.plan import TransitionPlan

if TYPE_CHECKING:
    from placet.actors.workflow import WorkflowActor

_S = InstanceState


def derive(workflow: "WorkflowActor", turn: Turn) -> None:
    """Bring the header's state up to date; a state that changed is recorded and told."""
    header = workflow.header
    if header.state in TERMINAL:
        return
    workflow.offer_dirty()
    state = _state(workflow)
    header.awake = _is_awake(workflow, state)
    if state is not header.state:
        check_move(header.state, state)
        header.state = state
        if state in TERMINAL:
            if workflow.tasks.open:
                workflow.tasks.end_all(workflow, turn)
            answer_caller(workflow, turn)
            if workflow.scheduled:
                drop_all(workflow, turn)
            if workflow.watchers:
                tell_watchers(workflow, turn)
        elif header.caller is not None:
            tell_caller(header, turn)
        header.changed_at = turn.now
        _record(workflow, turn, state)
        turn.rare().changes.append(
            StateChanged(instance=header.instance, root=workflow.root, state=state.value, at=turn.now)
        )


def _state(workflow: "WorkflowActor") -> InstanceState:
    intent, counts = workflow.header.intent, workflow.counts
    busy = counts[Phase.RUNNING] + counts[Phase.CALLED]
    if intent is Intent.CANCEL or intent is Intent.FAIL:
        if busy:
            return _S.CANCELLING
        return _S.CANCELLED if intent is Intent.CANCEL else _S.FAILED
    if intent is Intent.PAUSE:
        return _S.PAUSED
    if workflow.open_incidents or workflow.troubled:
        return _S.INCIDENT
    wanted = [] if busy else workflow.wants()
    lack = workflow.services.slots.lack
    if busy or any(not lack(executor) for executor in wanted) or _can_run_alone(workflow):
        return _S.RUNNING
    if workflow.services.visiting and _moves_with_an_engine(workflow):
        return _S.RUNNING  # the next engine has its handlers
    unknown = not workflow.services.visiting and unknown_handlers(workflow)
    if counts[Phase.BACKOFF] or counts[Phase.READY] or counts[Phase.SUSPECT] or wanted or unknown:
        return _S.WAITING
    if held_up(workflow):
        return _S.WAITING
    if not workflow.inner:
        return _S.COMPLETED
    waits = workflow.plan.external or workflow.held or workflow.frozen or workflow.tasks.open or workflow.is_delayed
    return _S.WAITING if waits else _S.STUCK


def _is_awake(workflow: "WorkflowActor", state: InstanceState) -> bool:
    """Whether something can move without a timer or a person: what recovery must wake."""
    if state in TERMINAL:
        return False
    counts = workflow.counts
    if counts[Phase.RUNNING]:
        return True
    if workflow.header.intent is not Intent.RUN:
        return False
    # What lacks its handler now may have one at the next start.
    return bool(workflow.wants() or counts[Phase.SUSPECT] or unknown_handlers(workflow) or held_up(workflow))


def _record(workflow: "WorkflowActor", turn: Turn, state: InstanceState) -> None:
    if state in TERMINAL:
        workflow.note(turn, RecordKind(state))
    elif state is _S.STUCK:
        workflow.record(turn, RecordKind.STUCK, detail={**lacking(workflow)})
    elif state is _S.WAITING and (reasons := _unable(workflow)):
        workflow.note(turn, RecordKind.WAITING, reason="; ".join(reasons))


def _unable(workflow: "WorkflowActor") -> list[str]:
    """Return why what an instance has to do cannot be done now."""
    services = workflow.services
    reasons, lack = [] if services.visiting else _missing(workflow), services.slots.lack
    suspects = {
        workflow.plan.transitions[firing.transition].executor
        for composite in workflow.composites
        for firing in composite.firings.values()
        if firing.phase is Phase.SUSPECT
    }
    reasons += [reason(workflow, shard) for shard in held_up(workflow)]
    return reasons + sorted({lack(executor) for executor in {*workflow.wants(), *suspects}} - {""})


def _missing(workflow: "WorkflowActor") -> list[str]:
    """Return which code this process lacks: handlers, and workflows that are called by their names."""
    unknown, uncalled = _unknown(workflow), workflow.plan.uncalled
    handlers = [transition.path for transition in unknown if transition.index not in uncalled]
    reasons = ["no handler in this process for " + ", ".join(handlers)] if handlers else []
    for transition in unknown:
        if transition.index in uncalled and transition.called is not None:
            reasons.append(f"no workflow {transition.called.workflow} in this process for {transition.path} to call")
    return reasons


def _can_run_alone(workflow: "WorkflowActor") -> bool:
    """Return whether a firing that was lost too often waits only for everything else to be quiet."""
    if not workflow.counts[Phase.SUSPECT]:
        return False
    transitions, lack = workflow.plan.transitions, workflow.services.slots.lack
    return any(
        firing.phase is Phase.SUSPECT
        and transitions[firing.transition].behaviour is not None
        and not lack(transitions[firing.transition].executor)
        and firing.transition not in workflow.held
        for composite in workflow.composites
        for firing in composite.firings.values()
    )


def unknown_handlers(workflow: "WorkflowActor") -> list[str]:
    """Return the transitions that could fire, had this process a handler for them."""
    return [transition.path for transition in _unknown(workflow)]


def _moves_with_an_engine(workflow: "WorkflowActor") -> bool:
    """Return whether an engine, which knows handlers, guards and keys, may have something to choose."""
    chosen = _chosen(workflow)
    for transition in _unknown(workflow):
        is_blocked = _is_on_offer(transition) or any(_obstacles(workflow, transition))
        if transition.index not in workflow.held and (transition.index in chosen or not is_blocked):
            return True
    return False


def _is_on_offer(transition: TransitionPlan) -> bool:
    """Return whether all that a transition could take is offered to people already: no guard is to be asked first."""
    return transition.manual is not None and not any(arc.guarded for arc in transition.arguments)


def _unknown(workflow: "WorkflowActor") -> list[TransitionPlan]:
    transitions = [workflow.plan.transitions[index] for index in workflow.plan.unknown]
    if not transitions:
        return []
    chosen = _chosen(workflow)
    return [t for t in transitions if t.index in chosen or _has_tokens(workflow, t)]


def _chosen(workflow: "WorkflowActor") -> set[int]:
    """Return the transitions of the firings that were chosen and are to be started."""
    return {
        composite.firings[number].transition
        for numbers in workflow.ready.values()
        for number, composite in numbers.items()
    }


def _has_tokens(workflow: "WorkflowActor", transition: TransitionPlan) -> bool:
    return all(len(workflow.place(arc.place).tokens) >= arc.weight for arc in transition.arguments)


def lacking(workflow: "WorkflowActor") -> dict[str, str]:
    """Return what each transition lacks to fire, for those that have some of what they need."""
    held = [place for place in workflow.occupied() if place.count]
    reached = {index for place in held for index in place.plan.consumers}
    transitions = workflow.plan.transitions
    return {transitions[index].path: "; ".join(_lacks(workflow, transitions[index])) for index in sorted(reached)}


def _lacks(workflow: "WorkflowActor", transition: TransitionPlan) -> list[str]:
    reasons: list[str] = []
    for arc in transition.arguments:
        place = workflow.place(arc.place)
        held = len(place.tokens)
        if held < arc.weight:
            reasons.append(f"needs {arc.weight} in {place.plan.path}, which has {held}")
        elif arc.queue >= 0 and (passing := len(place.queues[arc.queue])) < arc.weight:
            reasons.append(f"needs {arc.weight} in {place.plan.path} that pass its guard; of {held}, {passing} do")
    return reasons or [*_obstacles(workflow, transition)]


def _obstacles(workflow: "WorkflowActor", transition: TransitionPlan) -> Iterator[str]:
    """Yield what keeps a transition from firing that has enough tokens."""
    is_known = not workflow.services.visiting  # what its join keys are
    if transition.keyed and is_known and not workflow.matched(transition):
        yield "no group is complete" if transition.takes_many else "no tokens with equal join keys"
    for index, weight in transition.inhibitors:
        if workflow.place(index).count >= weight:
            yield f"inhibited by {workflow.plan.places[index].path}"
    for bound in transition.bounds:
        held = workflow.place(bound.place).count + workflow.reserved.get(bound.place, 0)
        if held + bound.net > bound.capacity:
            yield f"no room in {workflow.plan.places[bound.place].path}, which holds {bound.capacity} at most"
