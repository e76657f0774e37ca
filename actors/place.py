"""The place actor: holds the tokens of one place, and lets its composites see and take them, oldest first."""

from collections import OrderedDict
from collections.abc import Iterable, Set
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final, TypeAlias

from placet.actors.guards import judge, judge_again
from placet.actors.lifecycle import TERMINAL
from placet.actors.turn import Turn
from placet.persistence.errors import StoreDamaged
from placet.persistence.keys import FIRST_PLACE, FROZEN, TOKEN, kind_prefix, pack_id
from placet.petri.matching import JoinKey
from placet.petri.plan import PlacePlan

if TYPE_CHECKING:
    from placet.actors.workflow import WorkflowActor

TakenToken: TypeAlias = tuple[int, int, bytes]  # (place, token id, value)

UNHELD: Final = b""  # stands for a value that is on disk only; no value is stored as nothing
_NONE: list[OrderedDict[int, JoinKey]] = []  # shared by places without gates; never added to
_suffixes: dict[int, bytes] = {}


def _suffix(index: int) -> bytes:
    suffix = _suffixes[index] = (FIRST_PLACE + index).to_bytes(2, "big") + bytes((TOKEN,))
    return suffix


class PlaceActor:
    """The tokens of one place, in memory while somebody looks at them; each has a durable entry of its own.

    Durable entries: `TOKEN` | token id -> value bytes, `FROZEN` | token id for those nothing may take. A token's id is
    its age: one put back keeps it.
    `queues` holds, for each gate of the place, the tokens it let through, with their join keys: a guard or a key
    is asked once a token. Ordered dicts, since plain ones are slow to give up their first key again and again.
    All tokens are in memory, and small values; of larger ones so many as `Services.room` says, the others being read
    when they are taken: a place may hold more than fits in memory, and what can fire is known all the same.
    """

    __slots__ = ("_early", "_prefix", "_workflow", "frozen", "plan", "queues", "tokens")

    def __init__(self, plan: PlacePlan, workflow: "WorkflowActor") -> None:
        self.plan = plan
        self._prefix = workflow.root + (_suffixes.get(plan.index) or _suffix(plan.index))
        self._workflow = workflow
        self.tokens: OrderedDict[int, bytes] = OrderedDict()  # those that may be taken
        self.frozen: dict[int, bytes] | None = None
        self.queues: list[OrderedDict[int, JoinKey]] = [OrderedDict() for _ in plan.gates] if plan.gates else _NONE
        # tokens that passed a gate but for its delay: (key) by (gate, token)
        self._early: dict[tuple[int, int], JoinKey] | None = {} if plan.delayed else None

    def deposit(self, turn: Turn, token: int, value: bytes) -> None:
        """Store a new token."""
        turn.born[self._prefix + pack_id(token)] = value
        if len(value) <= self._workflow.services.room.small_bytes:
            self.tokens[token] = value
        else:
            self._hold(self.tokens, token, value)
        if self._early is not None:
            self._workflow.delays.arrive(turn, self.plan.index, token)
            judge(self._workflow, self, token, value)
            self._await(turn, token)
        elif self.queues:
            judge(self._workflow, self, token, value)

    def load(self, token: int, value: bytes) -> None:
        """Hold a token that is in the store; tokens come in the order of age."""
        self._hold(self.tokens, token, value)
        if self.queues and self._workflow.header.state not in TERMINAL:  # what has ended asks no guards any more
            judge(self._workflow, self, token, value)

    def restore(self, turn: Turn, token: int, value: bytes) -> None:
        """Put back a token that a firing had taken; it keeps its age."""
        turn.create(self._prefix + pack_id(token), value)
        if self.plan.delayed:
            self._workflow.delays.expire(turn, token)
        self.load(token, value)
        self.sort_in(token)
        if self.plan.delayed:
            self._await(turn, token)

    def load_all(self, entries: Iterable[tuple[int, int, int, bytes]], frozen: Set[int]) -> None:
        """Hold what is in the store: entries (actor, kind, token, value) in the order of keys, some tokens frozen."""
        workflow, tokens = self._workflow, self.tokens
        values, small_bytes = workflow.services.room
        asks = bool(self.queues) and workflow.header.state not in TERMINAL  # what has ended asks no guards any more
        for _, kind, token, value in entries:
            if kind == TOKEN and token in frozen:
                self.load_frozen(token, value)
            elif kind == TOKEN:  # as `load`, without its calls: there may be a million
                tokens[token] = value if len(value) <= small_bytes or len(tokens) < values else UNHELD
                if asks:
                    judge(workflow, self, token, value)

    # -- values --------------------------------------------------------------------------------------------

    def _hold(self, tokens: dict[int, bytes], token: int, value: bytes) -> None:
        """Keep a token in memory, and its value if it is small or there is room."""
        room = self._workflow.services.room
        tokens[token] = value if len(value) <= room.small_bytes or len(tokens) < room.values else UNHELD

    def value(self, turn: Turn, token: int) -> bytes:
        """Return the value of a free token as it is stored, from memory or from the store."""
        held = self.tokens.get(token)
        if held is None and self.frozen is not None:
            held = self.frozen.get(token)
        return held or self._read(turn, token)

    def _read(self, turn: Turn, token: int) -> bytes:
        value = turn.get(self._prefix + pack_id(token), self._workflow.services.get)
        if value is None:
            raise StoreDamaged(f"token {token} in {self.plan.path} of {self._workflow.header.instance} has no value")
        return value

    # -- gates ---------------------------------------------------------------------------------------------

    def rejudge(self, position: int, token: int) -> None:
        """Ask a gate again about one token."""
        if token in self.tokens:
            judge_again(self._workflow, self, position, token)
            _sort_in(self.queues[position], token)

    def admit(self, position: int, token: int, key: JoinKey) -> None:
        """Let a token through a gate, as soon as its delay is over."""
        gate, workflow = self.plan.gates[position], self._workflow
        early, delay_s = self._early, gate.delay_s
        if early is not None and delay_s and not workflow.delays.is_open(token, delay_s, workflow.turn.now):
            early[position, token] = key
            return
        self.queues[position][token] = key
        if gate.key is not None:
            workflow.matches_of(gate.transition).add(gate.match, key, token)
        if gate.manual:
            workflow.tasks.offer(gate.transition, token, self.plan.index)

    def mature(self, turn: Turn, token: int) -> None:
        """Let a token through the gates whose delay is over, and wait for the next."""
        early = self._early or {}
        for position, gate in enumerate(self.plan.gates):
            if (position, token) in early:
                self.admit(position, token, early.pop((position, token)))
                _sort_in(self.queues[position], token)
                self._workflow.dirty.append(gate.transition)
        self._await(turn, token)

    def _await(self, turn: Turn, token: int) -> None:
        """Set a timer for the next delay to end, whatever guards say: they may be known only at a later start."""
        delays = self._workflow.delays
        if token in delays.held:
            dues = [delays.due(token, gate.delay_s) for gate in self.plan.gates if gate.delay_s]
            delays.wait(turn, token, min((due for due in dues if due > turn.now), default=0.0))

    def forget_matches(self) -> None:
        """Take the tokens out of all join indexes: the place goes to sleep."""
        for gate, queue in zip(self.plan.gates, self.queues, strict=True):
            if gate.key is not None:
                for token, key in queue.items():
                    self._workflow.matches_of(gate.transition).remove(gate.match, key, token)

    @property
    def count(self) -> int:
        """How many free tokens are here, frozen ones included."""
        return len(self.tokens) + len(self.frozen or ())

    @property
    def early(self) -> list[tuple[int, int]]:
        """The (gate, token) that wait only for a delay."""
        return sorted(self._early or ())

    # -- taking --------------------------------------------------------------------------------------------

    def take_one(self, turn: Turn, queue: int) -> TakenToken:
        """Remove and return the oldest token of a queue (-1: of all)."""
        tokens, queues = self.tokens, self.queues
        if self.plan.special:
            return self.remove(turn, next(iter(tokens if queue < 0 else queues[queue])))
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
        if not value:
            value = self._read(turn, token)
        key = self._prefix + pack_id(token)
        if key in turn.born:
            del turn.born[key]
        else:
            turn.changed[key] = None
        return self.plan.index, token, value

    def remove(self, turn: Turn, token: int) -> TakenToken:
        """Remove and return one token."""
        self._leave(token)
        value = self.value(turn, token)
        del self.tokens[token]
        turn.delete(self._prefix + pack_id(token))
        self._workflow.dirty += self.plan.watchers
        return self.plan.index, token, value

    # -- in the hands of people ----------------------------------------------------------------------------

    def replace(self, turn: Turn, token: int, value: bytes) -> None:
        """Give a token another value; guards and keys are asked anew."""
        turn.put(self._prefix + pack_id(token), value)
        if self.frozen is not None and token in self.frozen:
            self._hold(self.frozen, token, value)
            return
        self._leave(token)
        self._hold(self.tokens, token, value)  # a value takes the place of the old one in the order of age
        self._offer(token, value)

    def sort_in(self, token: int) -> None:
        """Move a token, just added, to where its age belongs."""
        _sort_in(self.tokens, token)
        for queue in self.queues:
            _sort_in(queue, token)

    def freeze(self, turn: Turn, token: int) -> None:
        """Let nothing take a token until it thaws."""
        turn.born[self._frozen_key(token)] = b""
        self._leave(token)
        value = self.value(turn, token)
        del self.tokens[token]
        self.load_frozen(token, value)

    def load_frozen(self, token: int, value: bytes) -> None:
        """Hold a token that nothing may take."""
        if self.frozen is None:
            self.frozen = {}
        self._hold(self.frozen, token, value)

    def thaw(self, turn: Turn, token: int) -> None:
        """Let a token be taken again."""
        turn.delete(self._frozen_key(token))
        value = self._pop_frozen(turn, token)
        self._hold(self.tokens, token, value)
        _sort_in(self.tokens, token)
        if self._early is not None:
            self._workflow.delays.expire(turn, token)
        self._offer(token, value)
        if self._early is not None:
            self._await(turn, token)

    def remove_frozen(self, turn: Turn, token: int) -> TakenToken:
        """Remove and return a frozen token."""
        value = self._pop_frozen(turn, token)
        turn.delete(self._frozen_key(token))
        turn.delete(self._prefix + pack_id(token))
        self._workflow.dirty += self.plan.watchers
        return self.plan.index, token, value

    def _pop_frozen(self, turn: Turn, token: int) -> bytes:
        value = self.value(turn, token)
        frozen = self.frozen or {}
        del frozen[token]
        self.frozen = frozen or None
        return value

    def _frozen_key(self, token: int) -> bytes:
        return self.prefix_of(FROZEN) + pack_id(token)

    def prefix_of(self, kind: int) -> bytes:
        """Return the prefix of the entries of one kind."""
        return kind_prefix(self._workflow.root, FIRST_PLACE + self.plan.index, kind)

    def _offer(self, token: int, value: bytes) -> None:
        """Ask all gates about a token that is here, and sort it in."""
        if self.queues:
            judge(self._workflow, self, token, value)
            for queue in self.queues:
                _sort_in(queue, token)

    def _leave(self, token: int) -> None:
        """Take a token out of all queues and join indexes."""
        for position, queue in enumerate(self.queues):
            gate = self.plan.gates[position]
            if gate.manual:  # also where its guard is not known today, but was when the task was offered
                self._workflow.tasks.withdraw(gate.transition, token)
            if token in queue:
                key = queue.pop(token)
                if gate.key is not None:
                    self._workflow.matches_of(gate.transition).remove(gate.match, key, token)
            elif self._early:
                self._early.pop((position, token), None)

    def take(self, turn: Turn, queue: int, weight: int) -> list[TakenToken]:
        """Remove and return the `weight` oldest tokens of a queue (-1: of all)."""
        return [self.take_one(turn, queue) for _ in range(weight)]

    def see(self, turn: Turn, queue: int, weight: int) -> list[TakenToken]:
        """Return the `weight` oldest tokens of a queue (-1: of all), which stay."""
        tokens = self.tokens if queue < 0 else self.queues[queue]
        return [(self.plan.index, token, self.value(turn, token)) for token in islice(tokens, weight)]


def _sort_in(queue: "OrderedDict[int, bytes] | OrderedDict[int, JoinKey]", token: int) -> None:
    """Move `token`, just added at the end, to where its age belongs; the front is the common case."""
    if token not in queue:
        return
    if token < next(iter(queue)):
        queue.move_to_end(token, last=False)
        return
    for younger in reversed(list(takewhile(token.__lt__, islice(reversed(queue), 1, None)))):
        queue.move_to_end(younger)
