"""Called composites: which places of a child's net a call gives values to, and takes results from."""

from collections.abc import Callable, Sequence

from placet.petri.declaration import TransitionDraft, WorkflowDraft
from placet.petri.net import CONSUME, READ, Net
from placet.petri.plan import Plan, make_plan


def entries_of(plan: Plan) -> list[str]:
    """Return the outermost entry places of a net, in the order in which they are declared."""
    return [place.path for place in plan.places if place.is_entry and "/" not in place.path]


def exits_of(plan: Plan) -> list[str]:
    """Return the outermost exit places of a net, in the order in which they are declared."""
    return [place.path for place in plan.places if place.is_exit and "/" not in place.path]


def check_calls(draft: WorkflowDraft, net_of: Callable[[WorkflowDraft], Net]) -> None:
    """Raise `DefinitionError` for a call that does not fit the workflow it calls, where that is known."""
    plans: dict[int, Plan] = {}
    for part in draft.parts().values():
        for transition in part.transitions:
            if transition.callee is not None:
                plan = plans.get(id(transition.callee))
                if plan is None:
                    plan = plans[id(transition.callee)] = make_plan(net_of(transition.callee), {})
                _check_call(transition, plan)


def _check_call(draft: TransitionDraft, callee: Plan) -> None:
    called = draft.called
    assert called is not None, draft.name
    arguments = sum(term.kind in (CONSUME, READ) for term in draft.flow.inputs)
    entries = [place.path for place in callee.places if place.is_entry]
    exits = [place.path for place in callee.places if place.is_exit]
    _check_side(draft, "entries", called.entries, entries_of(callee), entries, arguments)
    _check_side(draft, "exits", called.exits, exits_of(callee), exits, len(draft.flow.outputs))


def _check_side(
    draft: TransitionDraft, side: str, named: Sequence[str], inferred: Sequence[str], known: Sequence[str], count: int
) -> None:
    """Check one side of a call: the places it names, or those it takes in order, are there and are as many."""
    assert draft.called is not None, draft.name
    for name in named:
        if name not in known:
            problem = f"`{name}` is none of the {side} of `{draft.called.workflow}`, which are {_listed(known)}"
            raise draft.site.error(problem, "mend the name")
    found = named or inferred
    if len(found) != count:
        what = "arguments" if side == "entries" else "outputs"
        problem = f"`{draft.flow}` has {count} {what}, and `{draft.called.workflow}` the {side} {_listed(found)}"
        raise draft.site.error(problem, f"name one for each with `{side}=`")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
