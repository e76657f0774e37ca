"""In a few words: why an instance has not completed, or what it waits for."""

from collections.abc import Iterator

from placet.actors.errors import no_instance
from placet.actors.lifecycle import InstanceState
from placet.actors.reader import InstanceView, StateReader
from placet.actors.records import Header
from placet.persistence.history import Record

_S = InstanceState
TROUBLE = frozenset({_S.INCIDENT, _S.STUCK})  # a person has to do something
STILL = TROUBLE | {_S.WAITING, _S.PAUSED}  # nothing of it runs
MOST_FOLLOWED = 1_000


def explain(reader: StateReader, instance: str) -> str:
    """Return one line about an instance that is not completed."""
    view = reader.instance(instance)
    if view is None:
        return str(no_instance(instance))
    state = view.header.state
    if state is InstanceState.INCIDENT and view.incidents:
        first = view.incidents[0]
        last = first.failures[-1]
        more = f" (and {len(view.incidents) - 1} more)" if len(view.incidents) > 1 else ""
        where = first.transition or "a message"
        problem = f"{where} failed with {last.type}: {last.message}"
        return f"{instance} has an open incident, number {first.number}: {problem}{more}"
    if state is InstanceState.STUCK:
        return f"{instance} is stuck: {lacking(reader, instance)}"
    if state is InstanceState.WAITING:
        reasons = "; ".join(_reasons(reader, view))
        return f"{instance} is waiting{f': {reasons}' if reasons else ''}"
    below = held_up_by(reader, instance) if state is InstanceState.RUNNING else None
    return f"{instance} is {state.value}{f', and waits: {explain(reader, below[0].instance)}' if below else ''}"


def held_up_by(reader: StateReader, instance: str) -> list[Header]:
    """Return the instances below one that keep it waiting, those in trouble first; none while anything moves by itself.

    No more than `MOST_FOLLOWED` are looked at: with more, something is taken to move.
    """
    found: list[Header] = []
    followed = [instance]
    for one in followed:
        header, firings = reader.standing(one, MOST_FOLLOWED)
        children = [firing.child for firing in firings if firing.child]
        if header is None or len(children) < len(firings) or len(followed) + len(children) > MOST_FOLLOWED:
            return []
        if header.state not in (InstanceState.RUNNING, *STILL):  # it ends, or its answer is on its way
            return []
        if header.state in STILL:
            found.append(header)
        elif not children:
            return []
        followed += children
    return sorted(found, key=lambda header: header.state not in TROUBLE)


def _reasons(reader: StateReader, view: InstanceView) -> Iterator[str]:
    """Yield what an instance waits for, as far as it says."""
    for task in view.tasks[:1]:
        several = f", and {len(view.tasks) - 1} more" if len(view.tasks) > 1 else ""
        yield f"a person is to decide on {task.id}{several}"
    if view.paused_parts:
        yield f"{', '.join(view.paused_parts)} paused"
    if view.frozen:
        yield f"{len(view.frozen)} tokens frozen"
    noted = last_of(reader, view.header.instance, "waiting")
    if noted is not None and isinstance(noted.detail, dict) and (reason := noted.detail.get("reason")):
        yield str(reason)


def lacking(reader: StateReader, instance: str) -> str:
    """Return what each transition of a stuck instance lacks, as recorded when it got stuck."""
    stuck = last_of(reader, instance, "stuck")
    if stuck is None or not isinstance(stuck.detail, dict) or not stuck.detail:
        return "no transition takes the tokens it has"
    return "; ".join(f"{transition} {reason}" for transition, reason in stuck.detail.items())


def last_of(reader: StateReader, instance: str, kind: str) -> Record | None:
    """Return the newest history record of a kind, or None; reads no older ones."""
    return next((record for _, record in reader.newest_first(instance) if record.kind == kind), None)
