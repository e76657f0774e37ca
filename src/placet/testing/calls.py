"""Parents and called children: whichever engine each lives in, none forgets the other."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from placet.actors.calls import placed_child_id
from placet.actors.lifecycle import ENDING, InstanceState
from placet.actors.messages import (
    Call,
    Cancel,
    Delivery,
    KernelMessage,
    Return,
    Sent,
    Trouble,
    decode_delivery,
    decode_message,
    decode_parcel,
)
from placet.actors.records import Caller, Condition, Firing, Phase
from placet.persistence.history import Record
from placet.persistence.keys import CHANNEL, OUTBOX, address_key, shard_of, split_channel
from placet.petri.calling import entries_of
from placet.petri.plan import Plan, TransitionPlan
from placet.testing.errors import require, required
from placet.testing.image import Image, told, value_of

if TYPE_CHECKING:
    from placet.testing.checks import Checks


def trouble(image: Image) -> InstanceState | None:
    """Return why an instance needs a person: its state, as it is shown."""
    state = image.header.state
    return state if state in (InstanceState.INCIDENT, InstanceState.STUCK) else None


def _parked(image: Image) -> list[KernelMessage]:
    return [decode_message(one.message) for one in image.parked]


@dataclass(slots=True)
class Calls:
    """Looks at all engines of a simulation at once."""

    engines: "list[Checks]" = field(default_factory=list["Checks"])

    def find(self, instance: str) -> "tuple[Checks, Image] | None":
        """Return an instance with the checks of the engine it lives in."""
        for checks in self.engines:
            root = checks.view.get(address_key(instance))
            if root is not None and root in checks.images:
                return checks, checks.images[root]
        return None

    def image(self, root: bytes) -> Image | None:
        """Return an instance, whichever engine it lives in."""
        return next((checks.images[root] for checks in self.engines if root in checks.images), None)

    def under_way(self) -> Iterator[Delivery]:
        """Yield every message of one instance to another that is on disk somewhere."""
        for checks in self.engines:
            for _, value in checks.view.scan(OUTBOX):
                sent = decode_message(value)
                assert isinstance(sent, Sent), sent
                if checks.is_home(shard_of(sent.instance)):
                    yield decode_delivery(sent.message)
            for key, value in checks.view.scan(CHANNEL):
                if split_channel(key)[1] and checks.is_home(key[1]):
                    yield decode_delivery(decode_parcel(value).message)

    def first_tokens(self, child: Image) -> list[tuple[int, bytes]]:
        """Return (place, b"") for each token that the call of a child gave it."""
        caller = required(child.header.caller, "a child has a parent", child.header.instance)
        found = required(self.find(caller.instance), "a child has a parent", child.header.instance)
        plan = self._plan(child)
        transition = self._transition(found, caller)
        names = (transition.called.entries if transition.called else ()) or entries_of(plan)
        arcs = zip(transition.arguments, names, strict=True)
        return [(plan.place_index[name], b"") for arc, name in arcs for _ in range(arc.weight)]

    def check(self, image: Image, *, is_new: bool) -> None:
        """Check an instance that a commit touched: as a parent, and as a child."""
        for firing in image.phases(Phase.CALLED):
            self._check_waits(image, firing)
        caller = image.header.caller
        if caller is None:
            return
        found = required(self.find(caller.instance), "a child has a parent", image.header.instance)
        waiting = found[1].firings.get(caller.number)
        waits = waiting is not None and waiting.phase is Phase.CALLED and waiting.attempt == caller.attempt
        require(waits or image.is_over, "a parent waits for its child", f"{image.header.instance} has {waiting}")
        if waiting is not None and waits and image.is_over:
            self._check_waits(found[1], waiting)
        elif waiting is not None and waits:
            self._check_trouble(found[1], waiting, image)
        if waiting is not None and waits and is_new:
            self._check_values(image, found, waiting)

    def _check_waits(self, parent: Image, firing: Firing) -> None:
        """What a called firing waits for is there: a child that lives, its call, or its return."""
        child = self._child(parent, firing)
        found = self.find(child)
        if found is not None and not found[1].is_over:
            self._check_trouble(parent, firing, found[1])
            return
        there = self._is_answered(parent, firing) or any(
            isinstance(one, Call) and one.instance == child for one in self.under_way()
        )
        require(there, "a call is answered", f"{parent.header.instance} waits for {child}, which does not exist")

    def _check_trouble(self, parent: Image, firing: Firing, child: Image) -> None:
        """A parent knows whether its child needs a person, or what tells it so is on its way."""
        if told(firing) is trouble(child):
            return
        on_the_way = [*self._tidings(parent, firing, self.under_way()), *self._tidings(parent, firing, _parked(parent))]
        last = max(on_the_way, key=lambda one: one.order, default=None)
        seen = firing.heard.order if firing.heard is not None else 0
        there = last is not None and last.order > seen and last.state is trouble(child)
        what = f"{parent.header.instance} {firing.heard}, {child.header.instance} is {child.header.state}"
        require(there, "a parent knows of its child's trouble", f"{what}: {on_the_way}")

    def _tidings(self, parent: Image, firing: Firing, messages: Iterable[object]) -> Iterator[Condition]:
        """Yield what some messages say to a firing of its child."""
        key = (parent.header.instance, firing.number, firing.attempt)
        for one in messages:
            if isinstance(one, Trouble) and (one.instance, one.number, one.attempt) == key:
                yield one.condition

    def check_rest(self, deaf: Set[bytes]) -> None:
        """At rest a parent's view of its children is true; `deaf` are those that cannot be told."""
        for checks in self.engines:
            for image in checks.images.values():
                for firing in image.phases(Phase.CALLED):
                    found = self.find(self._child(image, firing))
                    is_deaf = image.root in deaf or any(self._tidings(image, firing, _parked(image)))
                    if found is None or found[1].is_over or is_deaf:
                        continue
                    what = f"{image.header.instance} {firing.heard}, {found[1].header.instance}"
                    same = told(firing) is trouble(found[1])
                    require(same, "at rest a parent's view of its child is true", f"{what} is {found[1].header.state}")

    def is_called_off(self, parent: Image, firing: Firing) -> bool:
        """Return whether a called child is to end, has, or will be told to."""
        child = self._child(parent, firing)
        found = self.find(child)
        if found is not None and (found[1].is_over or found[1].header.intent in ENDING):
            return True
        if found is not None and any(one.kind == "Cancel" for one in found[1].parked):
            return True
        return self._is_answered(parent, firing) or any(
            isinstance(one, Cancel) and one.instance == child for one in self.under_way()
        )

    def _is_answered(self, parent: Image, firing: Firing) -> bool:
        """Return whether the answer to a call is on its way, or has been parked."""
        key = (parent.header.instance, firing.number, firing.attempt)
        return any(
            isinstance(one, Return) and (one.instance, one.number, one.attempt) == key
            for one in (*self.under_way(), *_parked(parent))
        )

    def _check_values(self, child: Image, parent: "tuple[Checks, Image]", firing: Firing) -> None:
        """A child begins with the values that its caller took."""
        found = self.find(child.header.instance)
        assert found is not None, child.header.instance
        if child.firings or found[0].ledgers[child.root].consumed:
            return  # some of them have gone on already
        mine = [value_of(parent[0].view, parent[1].root, value) for _, _, value in (*firing.tokens, *firing.seen)]
        held = [value for tokens in child.places.values() for value in tokens.values()]
        given = [value_of(found[0].view, child.root, value) for value in held]
        same = sorted(map(repr, mine)) == sorted(map(repr, given))
        require(same, "a call gives what was taken", child.header.instance)

    def check_returned(self, parent: Image, record: Record) -> None:
        """A call counts as done only when its child has completed."""
        plan = self._plan(parent)
        transition = next(one for one in plan.transitions if one.path == record.transition)
        child = placed_child_id(parent.header.instance, transition, record.firing, record.attempt)
        found = self.find(child)
        completed = found is not None and found[1].header.state is InstanceState.COMPLETED
        require(completed, "P2: no result of a call without a child that completed", record)

    def _child(self, parent: Image, firing: Firing) -> str:
        transition = self._plan(parent).transitions[firing.transition]
        return placed_child_id(parent.header.instance, transition, firing.number, firing.attempt)

    def _plan(self, image: Image) -> Plan:
        found = self.find(image.header.instance)
        assert found is not None, image.header.instance
        return found[0].plan(image)

    def _transition(self, parent: "tuple[Checks, Image]", caller: Caller) -> TransitionPlan:
        return parent[0].plan(parent[1]).transitions[caller.transition]
