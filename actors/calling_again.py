"""Calls that are said once more, after shards were brought back from a backup: see `shards/restoring.py`.

What one side was told may be gone with what happened after the backup was made. So the caller forgets what it has heard
and calls again; a child that exists is not made anew, but says how it is, or returns again if it has ended. One that
the caller waits for no longer is answered by nobody, as ever.
"""

from placet.actors.calls import TOOK_TOO_LONG, answer_caller, call, called_values, cancel_child, child_shard
from placet.actors.composite import CompositeActor
from placet.actors.lifecycle import ENDING, TERMINAL
from placet.actors.messages import CallAgain, CalledAgain
from placet.actors.records import Firing, Phase
from placet.actors.troubles import forget_trouble, tell_caller_again
from placet.actors.turn import Turn
from placet.actors.workflow import WorkflowActor


def call_again(workflow: WorkflowActor, turn: Turn, message: CallAgain) -> None:
    """Say the calls again that went to some shards, or all."""
    for composite in workflow.composites:
        for firing in list(composite.firings.values()):
            transition = workflow.plan.transitions[firing.transition]
            if firing.phase is Phase.CALLED and (
                not message.shards
                or child_shard(workflow.header.instance, transition, firing.number, firing.attempt) in message.shards
            ):
                _call(workflow, turn, composite, firing)


def _call(workflow: WorkflowActor, turn: Turn, composite: CompositeActor, firing: Firing) -> None:
    """Say a call once more, and that the child is to end where that was said, or was to be."""
    transition = workflow.plan.transitions[firing.transition]
    forget_trouble(workflow, firing)
    turn.firings.setdefault(firing.number, (composite, firing, False))
    values = called_values(composite, firing, transition)
    problem = call(workflow, turn, firing, transition, values, is_again=True)
    if problem is not None:
        composite.fail(turn, firing, problem)
    elif workflow.header.intent in ENDING:
        cancel_child(workflow, turn, firing, f"{workflow.header.instance} is to end")
    elif 0.0 < firing.due <= turn.now:
        cancel_child(workflow, turn, firing, TOOK_TOO_LONG)
    workflow.header.awake = False  # so that this turn ends with a look at the state, which sets it


def called_again(workflow: WorkflowActor, turn: Turn, _message: CalledAgain) -> None:
    """Tell the caller how this instance is: its call has come once more."""
    if workflow.header.state in TERMINAL:
        answer_caller(workflow, turn)
    else:
        tell_caller_again(workflow.header, turn)
