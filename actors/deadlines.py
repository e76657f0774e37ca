"""When the attempts of a firing must be over, or must have given a sign of life. Pure."""

from math import inf

from placet.actors.records import Firing
from placet.petri.behaviour import Behaviour


def latest(firing: Firing, behaviour: Behaviour | None) -> float:
    """Return when all attempts of a firing must be over."""
    deadline_s = behaviour.deadline_s if behaviour else None
    return inf if deadline_s is None or not firing.chosen else firing.chosen + deadline_s


def end(firing: Firing, behaviour: Behaviour) -> float:
    """Return when the present attempt of a firing must be over, whatever signs of life it gives."""
    timeout_s = behaviour.timeout_s
    return min(latest(firing, behaviour), inf if timeout_s is None else firing.since + timeout_s)


def due(firing: Firing, behaviour: Behaviour, heard: float) -> float:
    """Return when the present attempt must be over, or be heard of again."""
    heartbeat_s = behaviour.heartbeat_s
    return min(end(firing, behaviour), inf if heartbeat_s is None else heard + heartbeat_s)
