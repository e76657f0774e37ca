"""What a parent knows of the troubles of its children: a child that needs a person says so, and when it no longer does.

A firing whose child has an open incident or is stuck counts as an incident of the parent, which tells its own caller.
"""

from typing import TYPE_CHECKING

from placet.actors.lifecycle import TROUBLE
from placet.actors.messages import Trouble, encode_message
from placet.actors.records import Caller, Condition, Firing, Header, Phase
from placet.actors.turn import Turn
from placet.persistence.history import RecordKind

if TYPE_CHECKING:
    from placet.actors.workflow import WorkflowActor


def is_in_trouble(firing: Firing) -> bool:
    """Return whether the child that a firing waits for needs a person, as far as it has told."""
    return firing.heard is not None and firing.heard.state is not None


# -- the parent --------------------------------------------------------------------------------------------------


def troubled(workflow: "WorkflowActor", turn: Turn, message: Trouble) -> None:
    """Remember how a child is; of one that nobody waits for any more, and of what is no news, nothing is kept."""
    composite, firing = workflow.firing(message.transition, message.number)
    if firing is None or firing.phase is not Phase.CALLED or firing.attempt != message.attempt:
        return
    if firing.heard is not None and firing.heard.order >= message.condition.order:
        return  # it had been parked, and comes after later ones
    workflow.troubled -= is_in_trouble(firing)
    firing.heard = message.condition
    workflow.troubled += is_in_trouble(firing)
    turn.firings.setdefault(firing.number, (composite, firing, False))
    state = message.condition.state
    path = workflow.plan.transitions[firing.transition].path
    detail = {"child": message.child, **({"state": state.value} if state is not None else {"over": True})}
    workflow.record(turn, RecordKind.TROUBLE, path, firing.number, firing.attempt, detail=detail)
    workflow.header.awake = False  # so that this turn ends with a look at the state, which sets it


def forget_trouble(workflow: "WorkflowActor", firing: Firing) -> None:
    """Forget how the child of a firing was: it has ended."""
    workflow.troubled -= is_in_trouble(firing)
    firing.heard = None


# -- the child ---------------------------------------------------------------------------------------------------


def tell_caller(header: Header, turn: Turn) -> None:
    """Tell the caller of an instance whose state has just changed, if that is news to it."""
    caller, told = header.caller, header.told
    state = header.state if header.state in TROUBLE else None
    if caller is None or state is (told.state if told is not None else None):
        return
    header.told = Condition(told.order + 1 if told is not None else 1, state)
    _tell(caller, header, header.told, turn)


def tell_caller_again(header: Header, turn: Turn) -> None:
    """Tell the caller of an instance once more what it was told last, if that was anything."""
    if header.caller is not None and header.told is not None:
        _tell(header.caller, header, header.told, turn)


def _tell(caller: Caller, header: Header, condition: Condition, turn: Turn) -> None:
    message = Trouble(
        instance=caller.instance,
        transition=caller.transition,
        number=caller.number,
        attempt=caller.attempt,
        child=header.instance,
        condition=condition,
    )
    turn.rare().sent.append(encode_message(message))
