"""From the keywords of a declaration to its draft: every one is checked where it was written."""

import msgspec

from placet.petri.behaviour import PERSON
from placet.petri.declaration import TransitionDraft, WorkflowDraft
from placet.petri.expression import Flow
from placet.petri.hosting import check_placed, checked_requires, split_run
from placet.petri.location import Site, caller
from placet.petri.net import Manual
from placet.petri.options import TaskOptions, TransitionOptions, check_options
from placet.petri.validation import (
    check_flow,
    check_policies,
    check_times,
    checked_properties,
    checked_texts,
    guards_of,
    keys_of,
)


def site_of(workflow: WorkflowDraft, node: str = "") -> Site:
    """Return what an error about a node of `workflow` names, with the line of the user's code that is at work."""
    return Site(workflow=workflow.name, node=node, location=str(caller()))


def transition_draft(workflow: WorkflowDraft, flow: Flow, options: TransitionOptions, site: Site) -> TransitionDraft:
    """Return the draft of a transition that has neither name nor handler yet. Raises `DefinitionError`."""
    check_options(options, TransitionOptions.__optional_keys__, site)
    _check_own(workflow, flow, site)
    run, is_remote = split_run(options.get("run"))
    requires = checked_requires(options.get("requires"), site)
    retry, priority = options.get("retry"), options.get("priority", 0)
    timeout_s, deadline_s, delay_s = options.get("timeout_s"), options.get("deadline_s"), options.get("delay_s", 0.0)
    heartbeat_s, error = options.get("heartbeat_s"), options.get("error")
    check_policies(run, retry, priority, site)
    check_placed(run, requires, is_remote, site)
    check_times(run, timeout_s, deadline_s, heartbeat_s, delay_s, site)
    return TransitionDraft(
        workflow=workflow.name,
        flow=flow,
        guards=guards_of(flow, options.get("guard"), site),
        keys=keys_of(flow, options.get("key"), site),
        run=run or "",
        requires=requires,
        remote=is_remote,
        retry=retry,
        timeout_s=timeout_s,
        deadline_s=deadline_s,
        heartbeat_s=heartbeat_s,
        delay_s=float(delay_s),
        error="" if error is None else workflow.own_place(error, site),
        priority=priority,
        category=options.get("category", ""),
        properties=checked_properties(options.get("properties"), site),
        location=site.location,
    )


def task_draft(workflow: WorkflowDraft, flow: Flow, name: str, options: TaskOptions, site: Site) -> TransitionDraft:
    """Return the draft of a manual transition. Raises `DefinitionError`."""
    check_options(options, TaskOptions.__optional_keys__, site)
    _check_own(workflow, flow, site)
    if len(flow.inputs) != 1 or flow.inputs[0].weight != 1:
        raise site.error(f"`{flow}` takes more than one token", "a task is offered for one token: write `a >> b`")
    if any(term.weight != 1 for term in flow.outputs):
        raise site.error(f"`{flow}` gives several tokens to a place", "a task gives one to each: leave weights out")
    return TransitionDraft(
        workflow=workflow.name,
        name=name,
        flow=flow,
        guards=guards_of(flow, options.get("guard"), site),
        keys=(None,),
        run=PERSON,
        category=options.get("category", ""),
        properties=checked_properties(options.get("properties"), site),
        location=site.location,
        manual=Manual(
            roles=checked_texts(options.get("roles", ()), "roles", site),
            assignees=checked_texts(options.get("assignees", ()), "assignees", site),
        ),
    )


def as_approval(draft: TransitionDraft, site: Site) -> None:
    """Make a manual transition one that people say yes or no to. Raises `DefinitionError` if it is no choice of two."""
    assert draft.manual is not None, draft.name
    if not draft.flow.choice or len(draft.flow.outputs) != len(("yes", "no")):
        raise site.error("an approval gives to one of two places", "name one for yes, and one for no")
    draft.manual = msgspec.structs.replace(draft.manual, approval=True)


def _check_own(workflow: WorkflowDraft, flow: Flow, site: Site) -> None:
    check_flow(flow, site)
    for term in (*flow.inputs, *flow.outputs):
        workflow.own_place(term.place, site)
