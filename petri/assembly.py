"""Makes a checked, immutable definition of what a builder has declared."""

from functools import partial

from placet.petri.behaviour import PARALLEL, PARALLEL_THREADS, Behaviour, Definition, Source
from placet.petri.calling import check_calls
from placet.petri.declaration import TransitionDraft, WorkflowDraft
from placet.petri.hosting import check_has_handler
from placet.petri.location import Site
from placet.petri.net import Composite, Net, net_version
from placet.petri.structure import check_depth, check_net, check_size
from placet.petri.validation import check_return


def assemble(draft: WorkflowDraft, source: Source) -> Definition:
    """Return the finished workflow. Raises `DefinitionError` for the first mistake found."""
    for part in draft.parts().values():
        for transition in part.transitions:
            _check_finished(part, transition)
    check_depth(draft.name, _depth(draft))  # before anything goes down the levels by recursion
    known: dict[int, Net] = {}
    net = _net(draft, known)
    check_size(net)  # before anything is laid out by path
    behaviours: dict[str, Behaviour] = {}
    locations: dict[str, str] = {}
    types: dict[str, object] = {}
    _collect(draft, "", behaviours, locations, types)
    check_net(net, locations)
    check_calls(draft, partial(_net, known=known))
    version = _version(draft, net)
    return Definition(name=draft.name, version=version, net=net, behaviours=behaviours, types=types, source=source)


def _version(draft: WorkflowDraft, net: Net) -> str:
    try:
        return net_version(net, draft.version)
    except (UnicodeError, TypeError, OverflowError) as error:  # it is made of what nets are stored as
        site = Site(workflow=draft.name, location=str(draft.location))
        raise site.error(
            f"it cannot be stored ({error})", "give plain text as categories and names of types"
        ) from error


def _check_finished(workflow: WorkflowDraft, draft: TransitionDraft) -> None:
    """Raise for what can be known only once no decorator will follow."""
    outputs = draft.flow.outputs
    if not draft.name:
        raise draft.site.error("it has no handler and no name", "decorate a function with it, or give it a name")
    check_has_handler(draft.handler is not None, draft.requires, draft.remote, draft.site)
    if draft.handler is None:
        if draft.flow.choice and draft.manual is None and draft.called is None:
            problem = f"nobody chooses: `{draft.flow}` has no handler"
            raise draft.site.error(problem, "decorate a function that returns one of the outputs, as in `a(value)`")
    elif draft.run in (PARALLEL, PARALLEL_THREADS):
        return  # it returns one item of the list that is its result
    elif outputs and all(term.weight == 1 for term in outputs):
        check_return(draft.handler, list(_types(workflow, draft)), draft.site)


def _types(workflow: WorkflowDraft, draft: TransitionDraft) -> tuple[object, ...]:
    return tuple(workflow.places[term.place.name].type for term in draft.flow.outputs)


def _depth(draft: WorkflowDraft) -> int:
    """Return how many levels there are, the outermost included."""
    depth, level = 0, {id(draft): draft}
    while level:
        depth += 1
        level = {id(one.inner): one.inner for outer in level.values() for one in outer.composites}
    return depth


def _net(draft: WorkflowDraft, known: dict[int, Net]) -> Net:
    """Return the net of a draft; one that is used several times is built once."""
    found = known.get(id(draft))
    if found is None:
        composites = tuple(
            Composite(
                name=one.name,
                net=_net(one.inner, known),
                ports=one.ports,
                category=one.category,
                properties=one.properties,
            )
            for one in draft.composites
        )
        found = known[id(draft)] = Net(
            name=draft.name,
            places=tuple(place.place() for place in draft.places.values()),
            transitions=tuple(transition.transition() for transition in draft.transitions),
            composites=composites,
        )
    return found


def _collect(
    draft: WorkflowDraft,
    path: str,
    behaviours: dict[str, Behaviour],
    locations: dict[str, str],
    types: dict[str, object],
) -> None:
    """Fill in behaviours, locations and the declared types of places by path."""
    behaviours.update((path + one.name, one.behaviour(_types(draft, one))) for one in draft.transitions)
    locations.update((path + name, location) for name, location in draft.locations.items())
    types.update((path + name, place.type) for name, place in draft.places.items() if place.type is not None)
    for composite in draft.composites:
        _collect(composite.inner, f"{path}{composite.name}/", behaviours, locations, types)
