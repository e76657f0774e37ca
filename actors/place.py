"""The place actor: holds the tokens of one place, and lets its composites see and take them, oldest first."""

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias

from placet.actors.guards import judge, judge_again
from placet.actors.turn import Turn
from placet.persistence.keys import FIRST_PLACE, TOKEN, pack_id
from placet.petri.plan import PlacePlan

if TYPE_CHECKING:
    from placet.actors.workflow import WorkflowActor

TakenToken: TypeAlias = tuple[int, int, bytes]  # (place, token id, value)

_NONE: list[OrderedDict[int, None]] = []  # shared by places without guarded arcs; never added to
_suffixes: dict[int, bytes] = {}


def _suffix(index: int) -> bytes:
    suffix = _suffixes[index] = (FIRST_PLACE + index).to_bytes(2, "big") + bytes((TOKEN,))
    return suffix


class PlaceActor:
    """The tokens of one place, in memory while somebody looks at them; each has a durable entry of its own.

    Durable entries: `TOKEN` | token id -> value bytes. A token's id is its age: one put back keeps it.
    `queues` holds, for each guarded arc out of the place, the tokens its guard let through: a guard is asked
    once a token. Ordered dicts, since plain ones are slow to give up their first key again and again.
    """

    __slots__ = ("_prefix", "_workflow", "plan", "queues", "tokens")

    def __init__(self, plan: PlacePlan, workflow: "WorkflowActor") -> None:
        self.plan = plan
        self._prefix = workflow.root + (_suffixes.get(plan.index) or _suffix(plan.index))
        self._workflow = workflow
        self.tokens: OrderedDict[int, bytes] = OrderedDict()
        self.queues: list[OrderedDict[int, None]] = [OrderedDict() for _ in plan.guarded] if plan.guarded else _NONE

    def deposit(self, turn: Turn, token: int, value: bytes) -> None:
        """Store a new token."""
        turn.born[self._prefix + pack_id(token)] = value
        self.tokens[token] = value
        if self.queues:
            judge(self._workflow, self, token, value)

    def load(self, token: int, value: bytes) -> None:
        """Hold a token that is in the store; tokens come in the order of age."""
        self.tokens[token] = value
        if self.queues:
            judge(self._workflow, self, token, value)

    def restore(self, turn: Turn, token: int, value: bytes) -> None:
        """Put back a token that a firing had taken; it keeps its age."""
        turn.create(self._prefix + pack_id(token), value)
        self.load(token, value)
        _sort_in(self.tokens, token)
        for queue in self.queues:
            _sort_in(queue, token)

    def rejudge(self, position: int, token: int) -> None:
        """Ask a guard again about one token."""
        if token in self.tokens:
            judge_again(self._workflow, self, position, token)
            _sort_in(self.queues[position], token)

    def take_one(self, turn: Turn, queue: int) -> TakenToken:
        """Remove and return the oldest token of a queue (-1: of all)."""
        tokens, queues = self.tokens, self.queues
        if queue < 0:
            token, value = tokens.popitem(False)
            for other in queues:
                other.pop(token, None)
        else:
            token, _ = queues[queue].popitem(False)
            value = tokens.pop(token)
            if len(queues) > 1:
                for other in queues:
                    other.pop(token, None)
        key = self._prefix + pack_id(token)
        if key in turn.born:
            del turn.born[key]
        else:
            turn.changed[key] = None
        return self.plan.index, token, value

    def take(self, turn: Turn, queue: int, weight: int) -> list[TakenToken]:
        """Remove and return the `weight` oldest tokens of a queue (-1: of all)."""
        return [self.take_one(turn, queue) for _ in range(weight)]


def _sort_in(queue: "OrderedDict[int, bytes] | OrderedDict[int, None]", token: int) -> None:
    """Move `token`, just added at the end, to where its age belongs; the front is the common case."""
    if token not in queue:
        return
    if token < next(iter(queue)):
        queue.move_to_end(token, last=False)
        return
    for younger in sorted(other for other in queue if other > token):
        queue.move_to_end(younger)
