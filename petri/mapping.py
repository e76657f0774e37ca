"""`Workflow.map`: a token that holds a list becomes one firing an item, and one token again when all are done.

A map is three transitions and three places of the ordinary kind. The first gives a piece an item, which knows its
group, its index and how many there are; the second runs the user's function on the item of a piece; the third
joins the pieces of one group, all of them, by a key that says how many they are. So pieces of several lists
do not mix, and whatever holds of firings, such as retries, holds of each item by itself.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from placet.petri.behaviour import ASYNC, PARALLEL, PARALLEL_THREADS, Guard, Handler
from placet.petri.errors import MapError
from placet.petri.expression import Flow
from placet.petri.hosting import split_run
from placet.petri.location import Site, caller
from placet.petri.options import HandlerOptions, Tags, check_options
from placet.petri.output import Branches
from placet.petri.validation import check_flow, check_handler, check_heartbeat, check_name, chosen_executor

if TYPE_CHECKING:
    from placet.petri.workflow import Workflow

Piece: TypeAlias = Mapping[str, object]  # `group`, `index`, `count` and `item`; plain, so that people can edit it
_GROUP, _INDEX, _COUNT, _ITEM = "group", "index", "count", "item"
_PARTS = frozenset((_GROUP, _INDEX, _COUNT, _ITEM))
_REMEDY = "a piece has a group, an index, a count and an item, as the others of its group"


class FiringContext(Protocol):
    """What a handler's context says that spreading needs."""

    @property
    def firing_id(self) -> str:
        """The same for every attempt of a firing, and for no other."""
        ...


def spread(values: Sequence[object], context: FiringContext) -> Branches:
    """Return a piece for each value of a list, and what there is to know of the group; a handler."""
    if not isinstance(cast("object", values), list | tuple):
        raise MapError(f"a map takes a list, not {type(values).__name__}", "let the step before return a list")
    group = {_GROUP: context.firing_id, _COUNT: len(values)}
    return Branches(([{**group, _INDEX: index, _ITEM: value} for index, value in enumerate(values)], group))


def gather(_group: object, pieces: Sequence[Piece]) -> list[object]:
    """Return the items of a whole group in their order; a handler. Raises `MapError` unless each index is once."""
    items = {checked_piece(piece)[_INDEX]: piece[_ITEM] for piece in pieces}
    if len(items) < len(pieces) or any(index not in range(len(pieces)) for index in items):
        raise MapError("the pieces of a map do not have one index each, from 0 on", _REMEDY)
    return [items[index] for index in sorted(items, key=lambda index: cast("int", index))]


def group_of(piece: object) -> tuple[object, object]:
    """Return the join key of a piece, or of a group: which one, and how many pieces there are."""
    try:
        given = cast("Piece", piece)
        return given[_GROUP], given[_COUNT]
    except (TypeError, LookupError) as error:
        raise MapError(f"{piece!r:.80} is no piece of a map", _REMEDY) from error


def checked_piece(piece: object) -> Piece:
    """Return a piece as it is. Raises `MapError` for anything else."""
    given = cast("Piece", piece)
    if not isinstance(piece, dict) or type(given.get(_INDEX)) is not int or not given.keys() >= _PARTS:
        raise MapError(f"{piece!r:.80} is no piece of a map", _REMEDY)
    return given


@dataclass(frozen=True, slots=True)
class Each:
    """A handler of pieces: has `func` handle the item of each. Its identity is that of `func`."""

    func: Handler
    takes_context: bool

    def __call__(self, piece: Piece, context: object) -> dict[str, object]:
        """Handle one piece."""
        return {**checked_piece(piece), _ITEM: _handled(self, piece, context)}


@dataclass(frozen=True, slots=True)
class AwaitedEach:
    """`Each` for an `async def`."""

    func: Handler
    takes_context: bool

    async def __call__(self, piece: Piece, context: object) -> dict[str, object]:
        """Handle one piece."""
        return {**checked_piece(piece), _ITEM: await cast("Awaitable[object]", _handled(self, piece, context))}


def _handled(each: Each | AwaitedEach, piece: Piece, context: object) -> object:
    item = piece[_ITEM]
    return each.func(item, context=context) if each.takes_context else each.func(item)


def handler_of_pieces(each: object, run: str | None, site: Site) -> Each | AwaitedEach:
    """Return the handler that has `each` handle the items of pieces. Raises `DefinitionError` if it cannot."""
    takes_context = check_handler(each, 1, site)
    handler = cast("Handler", each)
    if run in (PARALLEL, PARALLEL_THREADS):
        problem = f"run={run!r} splits a list, and a map has done so"
        raise site.error(problem, "use run='process' or run='thread', or no map")
    executor = chosen_executor(run, handler, site)
    return AwaitedEach(handler, takes_context) if executor == ASYNC else Each(handler, takes_context)


# -- declaring -----------------------------------------------------------------------------------------------------


def declare_map(
    workflow: "Workflow", name: str, flow: Flow, each: Handler, guard: Guard | None, options: HandlerOptions
) -> None:
    """Declare the places and transitions of a map. Raises `DefinitionError` for what is no map."""
    site = Site(workflow=workflow.name, node=f"map `{name}`", location=str(caller()))
    check_name(name, site)
    check_options(options, HandlerOptions.__optional_keys__, site)
    check_flow(flow, site)
    terms = (*flow.inputs, *flow.outputs)
    if len(flow.inputs) != 1 or len(flow.outputs) != 1 or any(term.weight != 1 for term in terms):
        raise site.error(f"`{flow}` is no map", "a map goes from one place to another: write `a >> b`")
    handler = handler_of_pieces(each, split_run(options.get("run"))[0], site)
    check_heartbeat(options.get("heartbeat_s"), handler.takes_context, site)
    todo, done, groups = (workflow.place(f"{name}_{part}") for part in ("items", "results", "groups"))
    tags = Tags(category=options.get("category", ""), properties=options.get("properties"))
    source, target = flow.inputs[0].place, flow.outputs[0].place
    workflow.transition(source >> (todo.many() & groups), f"{name}_spread", handler=spread, guard=guard, **tags)
    workflow.transition(todo >> done, name, handler=handler, **options)
    workflow.transition((groups & done.many()) >> target, f"{name}_gather", handler=gather, key=group_of, **tags)
