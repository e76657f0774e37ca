"""What outlives every engine of a simulation: the store, the clock, the executor, people, and those who check."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from placet.actors.catalog import Catalog
from placet.actors.credit import MOST_WAITING
from placet.actors.shards.records import Owned, encode_owner
from placet.persistence.keys import owner_key
from placet.petri.behaviour import Definition
from placet.testing.abroad import draw_abroad
from placet.testing.beats import Beats
from placet.testing.calls import Calls
from placet.testing.checks import AttemptKey, Checks
from placet.testing.clock import ManualClock
from placet.testing.copies import Copies
from placet.testing.executor import SimulatedExecutor
from placet.testing.functions import World
from placet.testing.homes import Homes
from placet.testing.letters import Letters
from placet.testing.nets import Taste, callable_definitions, random_definition
from placet.testing.network import Network, name_of, owner_of
from placet.testing.outcome import Outcome
from placet.testing.people import People
from placet.testing.probes import Probe
from placet.testing.releases import Releases
from placet.testing.store import FaultyStore

WINDOWS = (1, 1, 1, 2, 4, MOST_WAITING)
PORTIONS = (2, 1, 3, 2_000, 2, 5)  # mostly such that instances wake over several batches, and crash meanwhile


class Unrest(NamedTuple):
    """How shards move among several engines."""

    restless: float  # how often, in percent of all steps
    patience_s: float  # after which moves are called off
    chunk_bytes: int  # of what moves at a time

    @classmethod
    def draw(cls, luck: Random) -> "Unrest":
        """Return one of many."""
        restless, patience_s = luck.choice((0.0, 1.0, 3.0, 8.0)), luck.choice((15.0, 300.0, 1e6))
        return cls(restless, patience_s, luck.choice((300, 600, 1_500, 100_000)))


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
    network: Network
    number: int  # of this engine, where there are several
    engine: str  # its name, where there are several
    homes: Homes | None  # where each shard lives, where there are several
    unrest: Unrest
    danger: float  # how often engines crash, in percent of their steps
    portion: int  # entries of a sleeping instance that are read at a time
    window: int  # messages that a shard of another engine may have to take in yet

    def say(self, line: str) -> None:
        """Add a line to the trace."""
        where = f"engine {self.number}: " if self.engine else ""
        self.outcome.trace.append(f"{self.clock.now():.6f} {where}{line}")


def draw_settings(seed: int) -> list[Setting]:
    """Return the world that a seed stands for, as each engine in it sees it.

    Extremes are common, since they find what the middle hides.
    """
    random = Random(seed)
    world = World(seed, failures_permille=random.choice((0, 50, 200, 500, 900)))
    taste = _draw_taste(random, seed)
    definitions = _draw_definitions(random, world, taste)
    catalog = Catalog()
    workflows = [(one, catalog.register(one)) for one in definitions.values()]
    letters, calls = Letters(world, definitions, {}, Random(f"talkative {seed}").choice((0.0, 0.3, 1.0))), Calls()
    slow_s, most_live = random.choice((0.5, 5.0, 20.0)), random.choice((1, 3, 8, 24))
    danger = random.choice((0.0, 0.1, 0.3, 0.6, 1.0, 3.0))
    engines = random.choice((1, 1, 1, 2, 3, 5))
    badness = random.choice((0.0, 0.1, 0.4))
    network = Network(random, engines, badness, random.choice((0.0, 0.3)), luck=Random(f"moves {seed}"))
    homes, unrest = Homes(network) if engines > 1 else None, Unrest.draw(network.luck)
    outcome, clock, probe, abroad = Outcome(seed), ManualClock(), Probe(), draw_abroad(seed)
    beats, copies = Beats(Random(f"beats {seed}"), taste.beating), Copies()
    settings: list[Setting] = []
    released, attempts = set[AttemptKey](), dict[tuple[bytes, int], int]()  # of all engines, as copies: instances move
    for number in range(engines):
        shards = frozenset(shard for shard in range(256) if owner_of(shard, engines) == number)
        store = FaultyStore()
        executor = SimulatedExecutor(random, slow_s=slow_s, also=letters.also, beats=beats, abroad=abroad)
        checks = Checks(store, world, definitions, letters, inputs=letters.inputs, calls=calls, beats=beats)
        checks.released, checks.abroad, checks.copies = released, abroad, copies
        people = People(random, checks, workflows, most_live=most_live, shards=shards)
        _look_at(store, checks, people, homes)
        settings.append(
            Setting(
                random=random,
                outcome=outcome,
                world=world,
                definitions=definitions,
                store=store,
                clock=clock,
                executor=executor,
                checks=checks,
                releases=Releases(checks, executor, attempts),
                people=people,
                probe=probe,
                network=network,
                number=number,
                engine=name_of(number) if homes is not None else "",
                homes=homes,
                unrest=unrest,
                danger=danger,
                portion=PORTIONS[seed % len(PORTIONS)],
                window=Random(f"windows {seed}").choice(WINDOWS),
            )
        )
    return settings


def _draw_taste(random: Random, seed: int) -> Taste:
    beating = Random(f"beating {seed}").choice((0.0, 0.0, 0.0, 0.4, 1.0))
    elsewhere = Random(f"elsewhere {seed}").choice((0.0, 0.0, 0.5, 1.0))
    return replace(Taste.draw(random), beating=beating, elsewhere=elsewhere)


def _draw_definitions(random: Random, world: World, taste: Taste) -> dict[str, Definition]:
    names = ("red", "blue", "green")[: random.choice((1, 1, 2, 3))]
    known = callable_definitions(random, world, taste)
    for name in names:
        known.append(random_definition(random, name, world, taste, known))
    return {one.name: one for one in known}


def _look_at(store: FaultyStore, checks: Checks, people: People, homes: Homes | None) -> None:
    """Have every commit of an engine looked at; one among others owns its shards before it begins."""
    if homes is None:
        store.committed = checks.committed
        return
    store.commit([(owner_key(shard), encode_owner(Owned(epoch=1))) for shard in sorted(people.shards)])
    store.committed = homes.settle(checks, people)
