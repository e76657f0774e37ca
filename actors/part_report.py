"""In a few words: what goes on in a place or composite of an instance, or what it waits for."""

from collections.abc import Iterator

from placet.actors.lifecycle import InstanceState
from placet.actors.part import OF_ALL, Part
from placet.actors.reader import InstanceView
from placet.actors.records import Phase
from placet.actors.report import incident_line, number_of

_S = InstanceState


def explain_part(part: Part, view: InstanceView) -> str:
    """Return one line about a part of an instance, which shows `view`."""
    own, state = part.narrowed(view), part.state(view)
    said = f"{view.header.instance}/{part.path} is {state.value}"
    if state in OF_ALL:
        return f"{said}, as its instance is"
    if state is _S.INCIDENT and own.incidents:
        return f"{view.header.instance}/{part.path} has {incident_line(own)}"
    troubled = [firing for firing in own.firings if firing.trouble is not None]
    if state is _S.INCIDENT:
        return f"{said}: {troubled[0].child} is {troubled[0].trouble}; step in there"
    reasons = "; ".join(_reasons(own) if state is _S.WAITING else _under_way(own) if state is _S.RUNNING else ())
    return f"{said}: {reasons}" if reasons else said


def _under_way(own: InstanceView) -> Iterator[str]:
    for firing in own.firings:
        yield f"{firing.child} is called" if firing.child else f"{firing.transition} fires"


def _reasons(own: InstanceView) -> Iterator[str]:
    """Yield what it waits for, as far as it says."""
    for task in own.tasks[:1]:
        several = f", and {len(own.tasks) - 1} more" if len(own.tasks) > 1 else ""
        yield f"a person is to decide on {task.id}{several}"
    if own.frozen:
        yield f"{number_of(len(own.frozen), 'token')} frozen"
    if own.delayed:
        yield f"{number_of(len(own.delayed), 'token')} delayed"
    if any(firing.phase is Phase.BACKOFF for firing in own.firings):
        yield "what failed is tried again later"
    if not own.tokens and not own.firings:
        yield "nothing is in it"
