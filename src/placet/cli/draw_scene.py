"""What goes on in an instance, as pictures show it: its tokens, and how its transitions stand."""

from collections.abc import Iterator, Mapping
from typing import cast

from placet.actors.lifecycle import InstanceState
from placet.actors.reader import FiringView, InstanceView
from placet.actors.records import Phase
from placet.cli.text import duration
from placet.persistence.history import Record
from placet.petri.net import CONSUME, Net
from placet.petri.picture import Picture, Shape, make_picture
from placet.petri.scene import Mark, Scene, Standing

_STANDINGS: Mapping[Phase, Standing] = {
    Phase.RUNNING: Standing.RUNNING,
    Phase.READY: Standing.WAITING,
    Phase.BACKOFF: Standing.WAITING,
    Phase.SUSPECT: Standing.WAITING,
    Phase.CALLED: Standing.RUNNING,
    Phase.INCIDENT: Standing.INCIDENT,
}


def scene_of(view: InstanceView, net: Net, stuck: Record | None, now: float) -> Scene:
    """Return an instance's moment; `stuck` is the record that says what it lacks, `now` is engine time."""
    found: dict[str, dict[Standing, list[str]]] = {}
    for transition, standing, detail in _findings(view, net, stuck, now):
        found.setdefault(transition, {}).setdefault(standing, []).append(detail)
    return Scene(
        title=view.header.instance,
        state=view.header.state.value,
        tokens={place: len(values) for place, values in view.marking.items()},
        marks={transition: tuple(_mark(*one) for one in standings.items()) for transition, standings in found.items()},
    )


def _mark(standing: Standing, details: list[str]) -> Mark:
    return Mark(standing=standing, count=len(details), detail=details[0])


def _findings(view: InstanceView, net: Net, stuck: Record | None, now: float) -> Iterator[tuple[str, Standing, str]]:
    """Yield how transitions stand, one entry a firing, the oldest first."""
    for firing in sorted(view.firings, key=lambda firing: firing.number):
        if firing.phase is not Phase.INCIDENT:
            standing = _STANDINGS[firing.phase] if firing.trouble is None else Standing.INCIDENT
            yield firing.transition, standing, _told(firing, now)
    for incident in view.incidents:
        last = incident.failures[-1] if incident.failures else None
        error = f", {last.type}: {last.message}" if last else ""
        if incident.transition:
            yield incident.transition, Standing.INCIDENT, f"number {incident.number}{error}"
    if view.header.state is InstanceState.STUCK:
        detail = stuck.detail if stuck is not None and isinstance(stuck.detail, dict) else {}
        for transition, reason in cast("dict[str, str]", detail).items():
            yield transition, Standing.STUCK, str(reason)
    elif view.header.state is InstanceState.PAUSED:
        for transition in _held_back(make_picture(net), view):
            yield transition, Standing.PAUSED, ""


def _told(firing: FiringView, now: float) -> str:
    due = f", next in {duration(firing.due - now)}" if firing.phase is Phase.BACKOFF else ""
    trouble = f" ({firing.trouble})" if firing.trouble is not None else ""
    child = f", child {firing.child}{trouble}" if firing.child else ""
    return f"attempt {firing.attempt}, for {duration(now - firing.since)}{due}{child}"


def _held_back(picture: Picture, view: InstanceView) -> Iterator[str]:
    """Yield the transitions with tokens enough in all places they take from; whether guards let them is not asked."""
    counts = picture.counts({place: len(values) for place, values in view.marking.items()})
    for node in picture.nodes:
        taken = [line for line in picture.lines if line.target == node.key and line.kind == CONSUME]
        if node.shape is not Shape.PLACE and all(counts.get(line.source, 0) >= (line.weight or 1) for line in taken):
            yield node.path
