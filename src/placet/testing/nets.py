"""Seeded workflows: every construct a net can have, in shapes that always end.

Places are laid out in a row, and transitions lead onward along it, so that tokens run out of places to go; only
a choice may lead back, and each way back burns fuel (`functions`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

from placet.petri.behaviour import INLINE, THREAD, Definition, Guard, Source
from placet.petri.calling import entries_of, exits_of
from placet.petri.errors import DefinitionError
from placet.petri.expression import Flow, PlaceRef, Term
from placet.petri.net import CONSUME, INHIBIT, READ, RESET
from placet.petri.placement import Near, Placement, Spread
from placet.petri.plan import make_plan
from placet.petri.workflow import Workflow
from placet.supervision.retry import Retry
from placet.testing.functions import TAGS, HopelessMisfortune, Step, TagGuard, TagKey, World

_SHAPES = ("step", "step", "join", "choice", "sink", "passing", "gather", "map")
_LOOPING = (*_SHAPES, "loop")
_GROWING = (*_SHAPES, "fork", "weighted")  # more tokens come out than go in: with loops that would have no end


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """What one simulation's nets are like; each is a share from 0.0 to 1.0."""

    inline: float
    guarded: float
    raising: float
    retried: float
    timed: float
    bulky: float
    weighted: float
    nested: float
    special: float  # read, inhibitor and reset arcs
    keyed: float
    capped: float
    delayed: float
    diverted: float  # with an error arc
    limited: float  # with a deadline
    manual: float  # decided by people
    called: float  # that call other workflows
    fed: float  # places fed from outside
    beating: float = 0.0  # whose handlers give signs of life; most of them must
    elsewhere: float = 0.0  # whose children live near some instance that is none of their own

    @staticmethod
    def draw(random: Random) -> "Taste":
        """Return a taste; extremes are common, since they find what the middle hides."""

        def draw() -> float:
            """Return a probability."""
            return random.choice((0.0, 0.1, 0.3, 0.6, 1.0))

        return Taste(
            inline=draw(),
            guarded=draw() * 0.6,
            raising=draw() * 0.3,
            retried=draw(),
            timed=draw(),
            bulky=random.choice((0.0,) * 12 + (0.5,)),
            weighted=draw() * 0.5,
            nested=draw(),
            special=draw() * 0.4,
            keyed=draw(),
            capped=draw() * 0.4,
            delayed=draw() * 0.5,
            diverted=draw() * 0.5,
            limited=draw() * 0.5,
            manual=draw() * 0.4,
            called=random.choice((0.0, 0.0, 0.1, 0.3, 0.6)),
            fed=random.choice((0.03, 0.03, 0.3, 1.0)),
        )


def callable_definitions(random: Random, world: World, taste: Taste) -> list[Definition]:
    """Return what there is to be called in any case: a row of steps, and one that calls itself while there is fuel."""
    if not taste.called:
        return []
    maker = _Maker(random, world, taste, ())
    return [maker.line("line").definition(), maker.deep("deep").definition()]


def random_definition(
    random: Random, name: str, world: World, taste: Taste, known: Sequence[Definition] = ()
) -> Definition:
    """Return a definition that passes all checks, and may call those that are known."""
    return random_workflow(random, name, world, taste, known).definition()


def random_workflow(
    random: Random, name: str, world: World, taste: Taste, known: Sequence[Definition] = ()
) -> Workflow:
    """Return a workflow that passes all checks of definitions, and may call those that are known."""
    while True:
        workflow = _Maker(random, world, taste, known).workflow(name, depth=0)
        try:
            workflow.definition()
        except DefinitionError:  # a net that cannot reach all of itself: draw another
            continue
        return workflow


class _Maker:
    """Draws one workflow and those inside it."""

    def __init__(self, random: Random, world: World, taste: Taste, known: Sequence[Definition]) -> None:
        self._known = [one for one in known if entries_of(make_plan(one.net, {}))]
        self._random = random
        self._world = world
        self._taste = taste
        self._looping = random.random() < 0.3

    def workflow(self, name: str, depth: int) -> Workflow:
        """Return a workflow with composites up to so deep inside it."""
        random = self._random
        workflow = Workflow(name, source=Source(module=__name__, name=name))
        count = random.randint(2, 3) if depth else random.randint(2, 6)
        places = [
            workflow.place(
                f"p{number}",
                entry=random.random() < 0.1 or not (number or depth),  # a loop may lead back to the first
                external=random.random() < self._taste.fed,
                capacity=self._capacity(number),
                category=random.choice(("", "", "", "urgent")),
            )
            for number in range(count)
        ]
        for number in range(count - 1):
            for twin in range(1 if random.random() < 0.7 else 2):
                self._transition(workflow, places, number, f"t{number}{'ab'[twin]}")
        if depth < 2 and count > 2 and random.random() < self._taste.nested / (depth + 1):
            inner = self.workflow(f"{name}i", depth + 1)
            first, last = sorted(random.sample(range(count), 2))
            names = [place for place in inner.declared.places if place.startswith("p")]  # those of maps are their own
            workflow.composite("c", inner, {names[0]: places[first].name, names[-1]: places[last].name})
            if random.random() < 0.2:
                workflow.composite("d", inner, {names[0]: places[first].name})
        return workflow

    def line(self, name: str) -> Workflow:
        """Return a row of one to three steps with one entry and one exit: a call of it mostly fits."""
        workflow = Workflow(name, source=Source(module=__name__, name=name))
        places = [workflow.place(f"p{number}") for number in range(self._random.randint(2, 4))]
        for number, (before, after) in enumerate(pairwise(places)):
            self._declare(workflow, before >> after, f"t{number}", "line", None, None)
        return workflow

    def deep(self, name: str) -> Workflow:
        """Return a workflow that calls itself, while its value has fuel."""
        workflow = Workflow(name, source=Source(module=__name__, name=name))
        start, again, end = workflow.places("p0 again end")
        self._declare(workflow, start >> (again | end), "t0", "loop", again, None)
        workflow.call(again >> end, "down", workflow, retry=self._retry())
        return workflow

    def _placement(self, name: str) -> Placement:
        """Return where the children of a call live; other seeds than before do not change by that."""
        luck = Random(name)
        if luck.random() < 0.3:
            return Near()
        return Near(luck.choice(("i0", "i1", "nobody0"))) if luck.random() < self._taste.elsewhere else Spread()

    def _call(self, workflow: Workflow, places: list[PlaceRef], number: int, name: str) -> None:
        """Declare a call of a workflow that is known; now and then one whose result does not fit."""
        random, taste, later = self._random, self._taste, places[number + 1 :]
        callee = random.choice(self._known)
        plan = make_plan(callee.net, {})
        entries, exits = entries_of(plan), exits_of(plan)
        joined = bool(number) and len(entries) > 1 and random.random() < 0.5
        inputs = [places[number], *([places[random.randrange(number)]] if joined else [])]
        outputs = random.sample(later, random.randint(0, min(2, len(later), len(exits))))
        weight = self._weight() if callee.name not in ("line", "deep") else 1
        workflow.call(
            Flow(
                tuple(Term(place, weight) for place in inputs),
                tuple(Term(place) for place in outputs),
                choice=len(outputs) > 1 and random.random() < 0.7,
            ),
            name,
            callee.name,
            entries=random.sample(entries, len(inputs)),
            exits=random.sample(exits, len(outputs)),
            retry=self._retry() if random.random() < taste.retried else None,
            timeout_s=random.choice((0.5, 8.0, 30.0)) if random.random() < taste.timed else None,
            deadline_s=random.choice((1.0, 4.0, 20.0)) if random.random() < taste.limited else None,
            priority=random.choice((0, 0, 1)),
            placement=self._placement(name),
        )

    def _transition(self, workflow: Workflow, places: list[PlaceRef], number: int, name: str) -> None:
        random = self._random
        if self._known and random.random() < self._taste.called:
            self._call(workflow, places, number, name)
            return
        if random.random() < self._taste.manual:
            self._task(workflow, places, number, name)
            return
        shape = random.choice(_LOOPING if self._looping else _GROWING)
        if shape == "map":
            self._map(workflow, places, number, name)
            return
        inputs, later = [places[number]], places[number + 1 :]
        if shape in ("join", "gather") and number:
            inputs.append(places[random.randrange(number)])
            random.shuffle(inputs)
        outputs = random.sample(later, min(len(later), 2)) if shape in ("fork", "choice") else [random.choice(later)]
        back = random.choice(places[: number + 1]) if shape == "loop" else None
        outputs = [] if shape == "sink" else outputs + ([] if back is None else [back])
        choice = len(outputs) > 1 and shape in ("choice", "loop")
        flow = Flow(
            self._inputs(inputs, places),
            tuple(Term(place, 1 if choice and place is back else self._weight()) for place in outputs),
            choice,
        )
        room = [place for place in later if not workflow.declared.places[place.name].capacity]
        error = random.choice(room) if room and random.random() < self._taste.diverted else None
        self._declare(workflow, flow, name, shape, back, error)

    def _map(self, workflow: Workflow, places: list[PlaceRef], number: int, name: str) -> None:
        """Declare a map onward, behind a step that makes a list."""
        random, taste, later = self._random, self._taste, places[number + 1 :]
        lists = workflow.place(f"{name}_lists")
        inline = random.random() < taste.inline
        burst = replace(self._step(f"{workflow.name}.{name}_burst"), bursts=True)
        workflow.transition(places[number] >> lists, f"{name}_burst", handler=burst, retry=self._retry())
        step = replace(self._step(f"{workflow.name}.{name}"), effects=not inline)
        workflow.map(
            name,
            lists >> random.choice(later),
            step,
            run=INLINE if inline else THREAD,
            retry=self._retry() if random.random() < taste.retried else None,
            timeout_s=random.choice((2.0, 8.0, 30.0)) if not inline and random.random() < taste.timed else None,
            heartbeat_s=None if inline else self._heartbeat_s(step.name),
            priority=random.choice((0, 0, 1)),
        )

    def _step(self, name: str) -> Step:
        """Return a handler of one value, which returns one."""
        return Step(world=self._world, name=name, guards=(None,), weights=(1,), reads=(False,), outputs=())

    def _task(self, workflow: Workflow, places: list[PlaceRef], number: int, name: str) -> None:
        """Declare a manual transition: it leads onward, so that people's work ends too."""
        random, later = self._random, places[number + 1 :]
        outputs = random.sample(later, min(len(later), random.choice((1, 2))))
        flow = Flow((Term(places[number]),), tuple(Term(place) for place in outputs), choice=len(outputs) > 1)
        guard = self._guard() if random.random() < self._taste.guarded else None
        assignees = random.choice(((), (), ("eva", "adam")))
        roles = random.choice(((), (), ("boss",)))
        workflow.task(flow, name, guard=guard, assignees=assignees, roles=roles, category="urgent")

    def _capacity(self, number: int) -> int | None:
        """Return a capacity; where tokens come from outside there is none."""
        random = self._random
        return random.choice((1, 2, 3, 5)) if number and random.random() < self._taste.capped else None

    def _inputs(self, inputs: list[PlaceRef], places: list[PlaceRef]) -> tuple[Term, ...]:
        random, share = self._random, self._taste.special
        terms = [Term(place, self._weight()) for place in inputs]
        for kind in (READ, INHIBIT, RESET):
            rest = [place for place in places if kind != READ or place not in inputs]
            if rest and random.random() < share:
                weight = 1 if kind == RESET else random.choice((1, 1, 2, 3))
                terms.insert(random.randint(0, len(terms)), Term(random.choice(rest), weight, kind))
        return tuple(terms)

    def _weight(self) -> int:
        if self._looping or self._random.random() >= self._taste.weighted * 0.4:
            return 1
        return self._random.choice((2, 2, 3))

    def _declare(
        self,
        workflow: Workflow,
        flow: Flow,
        name: str,
        shape: str,
        back: PlaceRef | None,
        error: PlaceRef | None,
    ) -> None:
        random, taste = self._random, self._taste
        arguments = [term for term in flow.inputs if term.kind in (CONSUME, READ)]
        guards = {term.place: self._guard() for term in arguments if random.random() < taste.guarded}
        mapping: dict[PlaceRef, Guard] = dict(guards)
        priority = random.choice((0, 0, 0, 1, 5))
        delay_s = random.choice((0.5, 3.0, 10.0)) if random.random() < taste.delayed else 0.0
        joined = sum(term.kind == CONSUME for term in flow.inputs) > 1
        key = TagKey(random.choice((1, 2, 3))) if joined and random.random() < taste.keyed else None
        if shape == "passing":
            workflow.transition(flow, name, guard=mapping or None, key=key, priority=priority, delay_s=delay_s)
            return
        inline = random.random() < taste.inline
        outputs = tuple((term.place, term.weight) for term in flow.outputs)
        step = Step(
            world=self._world,
            name=f"{workflow.name}.{name}",
            guards=tuple(guards.get(term.place) for term in arguments),
            weights=tuple(term.weight for term in arguments),
            reads=tuple(term.kind == READ for term in arguments),
            outputs=outputs,
            back=next((output for output in outputs if output[0] is back), None) if flow.choice else None,
            choice=flow.choice,
            bulky=random.random() < taste.bulky,
            effects=not inline,
        )
        workflow.transition(
            flow,
            name,
            handler=step,
            guard=mapping or None,
            key=key,
            run=INLINE if inline else THREAD,
            retry=self._retry() if random.random() < taste.retried else None,
            timeout_s=random.choice((2.0, 8.0, 30.0)) if not inline and random.random() < taste.timed else None,
            deadline_s=random.choice((1.0, 4.0, 20.0)) if not inline and random.random() < taste.limited else None,
            heartbeat_s=None if inline else self._heartbeat_s(step.name),
            delay_s=delay_s,
            error=error,
            priority=priority,
        )

    def _heartbeat_s(self, name: str) -> float | None:
        """Return how long a handler may be silent: drawn so that nets without signs of life stay what they are."""
        roll = self._world.roll("heartbeat", name)
        return (1.0, 4.0, 15.0)[roll % 3] if roll < self._taste.beating * 800 else None

    def _guard(self) -> TagGuard:
        random = self._random
        modulus = random.choice((2, 3, 3, 5, 1_000))
        raises_at = random.randrange(TAGS) if random.random() < self._taste.raising else -1
        return TagGuard(modulus=modulus, refused=random.randrange(modulus), raises_at=raises_at)

    def _retry(self) -> Retry:
        random = self._random
        return Retry(
            attempts=random.choice((1, 2, 3, 5)),
            first_s=random.choice((0.0, 0.5, 3.0)),
            factor=random.choice((1.0, 2.0)),
            most_s=10.0,
            jitter=random.choice((0.0, 0.1, 1.0)),
            never=(HopelessMisfortune,) if random.random() < 0.5 else (),
        )
