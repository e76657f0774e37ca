"""What outlives every engine of a simulation: the store, the clock, the executor, people, and those who check."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from placet.actors.catalog import Catalog
from placet.petri.behaviour import Definition
from placet.testing.checks import Checks
from placet.testing.clock import ManualClock
from placet.testing.executor import SimulatedExecutor
from placet.testing.functions import World
from placet.testing.letters import Letters
from placet.testing.nets import Taste, callable_definitions, random_definition
from placet.testing.outcome import Outcome
from placet.testing.people import People
from placet.testing.probes import Probe
from placet.testing.releases import Releases
from placet.testing.store import FaultyStore


@dataclass(slots=True, kw_only=True)
class Setting:
    """One seed's world."""

    random: Random
    outcome: Outcome
    world: World
    definitions: Mapping[str, Definition]  # by workflow
    store: FaultyStore
    clock: ManualClock
    executor: SimulatedExecutor
    checks: Checks
    releases: Releases
    people: People
    probe: Probe
    danger: float  # how often engines crash, in percent of their steps

    def say(self, line: str) -> None:
        """Add a line to the trace."""
        self.outcome.trace.append(f"{self.clock.now():.6f} {line}")


def draw_setting(seed: int) -> Setting:
    """Return the world that a seed stands for; extremes are common, since they find what the middle hides."""
    random = Random(seed)
    world = World(seed, failures_permille=random.choice((0, 50, 200, 500, 900)))
    taste = Taste.draw(random)
    names = ("red", "blue", "green")[: random.choice((1, 1, 2, 3))]
    known = callable_definitions(random, world, taste)
    for name in names:
        known.append(random_definition(random, name, world, taste, known))
    definitions = {one.name: one for one in known}
    catalog = Catalog()
    store = FaultyStore()
    letters = Letters(world, definitions, {})
    executor = SimulatedExecutor(random, slow_s=random.choice((0.5, 5.0, 20.0)), also=letters.also)
    checks = Checks(store, world, definitions, letters)
    letters.inputs = checks.inputs
    store.committed = checks.committed
    workflows = [(one, catalog.register(one)) for one in definitions.values()]
    return Setting(
        random=random,
        outcome=Outcome(seed),
        world=world,
        definitions=definitions,
        store=store,
        clock=ManualClock(),
        executor=executor,
        checks=checks,
        releases=Releases(checks, executor),
        people=People(random, checks, workflows, most_live=random.choice((1, 3, 8, 24))),
        probe=Probe(),
        danger=random.choice((0.0, 0.1, 0.3, 0.6, 1.0, 3.0)),
    )
