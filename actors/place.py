"""The place actor: holds the tokens of one place, and lets its composites see and take them, oldest first."""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

from placet.actors.turn import Turn
from placet.persistence.keys import FIRST_PLACE, TOKEN, kind_prefix, pack_id
from placet.petri.plan import PlacePlan

# (position among the place's guarded arcs, token, value, turn) -> may the token be taken through that arc?
Judge: TypeAlias = Callable[[PlacePlan, int, int, bytes, Turn], bool]


class PlaceActor:
    """The tokens of one place, in memory while somebody looks at them; each has a durable entry of its own.

    Durable entries: `TOKEN` | token id -> value bytes. A token's id is its age: one put back keeps it.
    `queues` holds, for each guarded arc out of the place, the tokens its guard let through: a guard is asked
    once a token.
    """

    __slots__ = ("_judge", "_prefix", "plan", "queues", "tokens")

    def __init__(self, plan: PlacePlan, root: bytes, judge: Judge) -> None:
        self.plan = plan
        self._prefix = kind_prefix(root, FIRST_PLACE + plan.index, TOKEN)
        self._judge = judge
        self.tokens: OrderedDict[int, bytes] = OrderedDict()
        self.queues: tuple[OrderedDict[int, None], ...] = tuple(OrderedDict() for _ in plan.guarded)

    def deposit(self, turn: Turn, token: int, value: bytes) -> None:
        """Store a new token."""
        turn.create(self._prefix + pack_id(token), value)
        self.load(turn, token, value)

    def load(self, turn: Turn, token: int, value: bytes) -> None:
        """Hold a token that is in the store (or will be with this turn); tokens come in the order of age."""
        self.tokens[token] = value
        for position, queue in enumerate(self.queues):
            if self._judge(self.plan, position, token, value, turn):
                queue[token] = None

    def restore(self, turn: Turn, token: int, value: bytes) -> None:
        """Put back a token that a firing had taken; it keeps its age."""
        self.deposit(turn, token, value)
        for queue in (self.tokens, *self.queues):
            _sort_in(queue, token)

    def rejudge(self, turn: Turn, position: int, token: int) -> None:
        """Ask a guard again about one token."""
        if token in self.tokens and self._judge(self.plan, position, token, self.tokens[token], turn):
            self.queues[position][token] = None
            _sort_in(self.queues[position], token)

    def take(self, turn: Turn, queue: int, weight: int) -> list[tuple[int, int, bytes]]:
        """Remove and return the `weight` oldest tokens of a queue (-1: of all) as (place, token, value)."""
        source = self.tokens if queue < 0 else self.queues[queue]
        taken: list[tuple[int, int, bytes]] = []
        for _ in range(weight):
            token = next(iter(source))
            value = self.tokens.pop(token)
            for other in self.queues:
                other.pop(token, None)
            turn.delete(self._prefix + pack_id(token))
            taken.append((self.plan.index, token, value))
        return taken


def _sort_in(queue: "OrderedDict[int, bytes] | OrderedDict[int, None]", token: int) -> None:
    """Move `token`, just added at the end, to where its age belongs; the front is the common case."""
    if token not in queue:
        return
    if token < next(iter(queue)):
        queue.move_to_end(token, last=False)
        return
    younger = [other for other in queue if other > token]
    for other in sorted(younger):
        queue.move_to_end(other)
