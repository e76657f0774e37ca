"""In a few words: why an instance has not completed, or what it waits for."""

from collections.abc import Iterator

from placet.actors.errors import no_instance
from placet.actors.lifecycle import TROUBLE, InstanceState
from placet.actors.reader import InstanceView, StateReader
from placet.actors.records import Header, Phase
from placet.persistence.history import Record

_S = InstanceState
STILL = TROUBLE | {_S.WAITING, _S.PAUSED}  # nothing of it runs
MOST_FOLLOWED = 1_000


def explain(reader: StateReader, instance: str) -> str:
    """Return one line about an instance that is not completed."""
    view = reader.instance(instance)
    if view is None:
        return str(no_instance(instance))
    state = view.header.state
    if state is InstanceState.INCIDENT and view.incidents:
        return f"{instance} has {incident_line(view)}"
    if state is InstanceState.INCIDENT:
        return f"{instance} has an incident below it: {_trouble_below(reader, view)}"
    if state is InstanceState.CANCELLING:
        return f"{instance} is cancelling{_holds_the_end(reader, view)}"
    if state is InstanceState.STUCK:
        return f"{instance} is stuck: {lacking(reader, instance)}"
    if state is InstanceState.WAITING:
        reasons = "; ".join(list(_reasons(reader, view)) or _from_outside(reader, view))
        return f"{instance} is waiting{f': {reasons}' if reasons else ''}"
    if state is InstanceState.FAILED and (cause := view.header.cause) is not None:
        return f"{instance} is failed: {cause.type}: {cause.message}"
    below = held_up_by(reader, instance) if state is InstanceState.RUNNING else None
    return f"{instance} is {state.value}{f', and waits: {explain(reader, below[0].instance)}' if below else ''}"


def incident_line(view: InstanceView) -> str:
    """Return what the first open incident is, and how many more there are."""
    first = view.incidents[0]
    last = first.failures[-1]
    more = f" (and {len(view.incidents) - 1} more)" if len(view.incidents) > 1 else ""
    where = first.transition or first.about
    return f"an open incident, number {first.number}: {where} failed with {last.type}: {last.message}{more}"


def _trouble_below(reader: StateReader, view: InstanceView) -> str:
    """Return what is wrong with the first child that needs a person: named is the one in which that is to be done."""
    children = [firing for firing in view.firings if firing.trouble is not None]
    if not children:
        return "a child that has just told of it"
    more = f" (and {len(children) - 1} more children)" if len(children) > 1 else ""
    first = children[0]
    while True:  # no recursion: calls nest as deep as they please
        child = reader.instance(first.child)
        if child is None:
            return f"{first.child}, in another state, is {first.trouble}{more}"
        below = [firing for firing in child.firings if firing.trouble is not None]
        if child.incidents or not below:
            break
        first = below[0]
    what = "retry it there" if child.incidents else "step in there"
    return f"{explain(reader, first.child)}{more}; {what}"


def _holds_the_end(reader: StateReader, view: InstanceView) -> str:
    """Return what keeps an instance from its end, as far as a person can do something about it."""
    if view.incidents:
        return f", with {incident_line(view)}; retry it, should the end wait for it"
    if any(firing.trouble is not None for firing in view.firings):
        return f", and waits: {_trouble_below(reader, view)}"
    children = [firing.child for firing in view.firings if firing.child]
    if children:
        return f", and waits for {children[0]} to end"
    running = [firing for firing in view.firings if firing.phase is Phase.RUNNING]
    more = f" and {len(running) - 1} more" if len(running) > 1 else ""
    return f", and waits for the handler of {running[0].transition}{more} to end" if running else ""


def held_up_by(reader: StateReader, instance: str) -> list[Header]:
    """Return the instances below one, and perhaps itself, that keep it waiting; none while anything moves by itself.

    Those in trouble come first, and before those who have it from their children.

    No more than `MOST_FOLLOWED` are looked at: with more, something is taken to move.
    """
    found: list[tuple[bool, bool, Header]] = []
    followed = [instance]
    for one in followed:
        header, firings = reader.standing(one, MOST_FOLLOWED)
        children = [firing.child for firing in firings if firing.child]
        if header is None or len(children) < len(firings) or len(followed) + len(children) > MOST_FOLLOWED:
            return []
        if header.state not in (InstanceState.RUNNING, *STILL):  # it ends, or its answer is on its way
            return []
        if header.state in STILL:
            passed_up = any(firing.trouble is not None for firing in firings)
            found.append((header.state not in TROUBLE, passed_up, header))
        elif not children:
            return []
        followed += children
    return [header for *_, header in sorted(found, key=lambda one: one[:2])]


def _reasons(reader: StateReader, view: InstanceView) -> Iterator[str]:
    """Yield what an instance waits for, as far as it says."""
    for task in view.tasks[:1]:
        several = f", and {len(view.tasks) - 1} more" if len(view.tasks) > 1 else ""
        yield f"a person is to decide on {task.id}{several}"
    if view.paused_parts:
        yield f"{', '.join(view.paused_parts)} paused"
    if view.frozen:
        yield f"{number_of(len(view.frozen), 'token')} frozen"
    if view.delayed:
        yield f"{number_of(len(view.delayed), 'token')} delayed"
    again = sorted({firing.transition for firing in view.firings if firing.phase is Phase.BACKOFF})
    if again:
        yield f"{', '.join(again)} failed, to be tried again later"
    reason = waiting_reason(view.header, last_of(reader, view.header.instance, "waiting"))
    if reason:
        yield reason


def _from_outside(reader: StateReader, view: InstanceView) -> Iterator[str]:
    """Yield what may come from outside: that an instance waits for which is not stuck, and has nothing else to do."""
    places = [place.path for place in reader.plan(view.header).places if place.external]
    if places:
        yield f"something is to come from outside, into {' or '.join(places)}"


def number_of(count: int, what: str) -> str:
    """Return how many there are of something."""
    return f"{count} {what}{'s' if count != 1 else ''}"


def waiting_reason(header: Header, noted: Record | None) -> str:
    """Return what an instance that waits has noted as the reason, if that is of now and not of an earlier time, or "".

    `noted` is its last record of that kind.
    """
    if header.state is not InstanceState.WAITING or noted is None or noted.at < header.changed_at:
        return ""
    return str(noted.detail.get("reason", "")) if isinstance(noted.detail, dict) else ""


def lacking(reader: StateReader, instance: str) -> str:
    """Return what each transition of a stuck instance lacks, as recorded when it got stuck."""
    stuck = last_of(reader, instance, "stuck")
    if stuck is None or not isinstance(stuck.detail, dict) or not stuck.detail:
        return "no transition takes the tokens it has"
    return "; ".join(f"{transition} {reason}" for transition, reason in stuck.detail.items())


def last_of(reader: StateReader, instance: str, kind: str) -> Record | None:
    """Return the newest history record of a kind, or None; reads no older ones."""
    return next((record for _, record in reader.newest_first(instance) if record.kind == kind), None)
