"""Shards that move among the engines of a simulation, and the coordinator whose table says who has them."""

from collections.abc import Sequence

from placet.actors.shards.messages import Confirm, Forward
from placet.testing.actions import Actions, named
from placet.testing.network import TABLE, Letter, name_of


class Moves:
    """Has shards move, tells engines of the table, pauses engines, and lets letters arrive."""

    def __init__(self, engines: Sequence[Actions]) -> None:
        self._engines = engines
        self._network = engines[0].setting.network
        self._luck = self._network.luck
        self._restless = engines[0].setting.unrest.restless
        self._moves = 0
        self.paused: set[int] = set()  # engines that are stopped for a while, without knowing

    def step(self) -> bool:
        """Do one of these things now and then; return whether it was done."""
        luck = self._luck.random() * 100
        if luck < self._restless:
            self._move()
        elif luck < self._restless + 4.0:
            self._tell()
        elif luck < self._restless + 4.4:
            self._pause()
        elif luck < self._restless + 4.7:
            self._toggle_table()
        else:
            return False
        return True

    def _move(self) -> None:
        """Begin to move a shard, mostly one with instances."""
        source = self._luck.choice(self._engines)
        engine = source.engine
        if engine is None or engine.kernel.shards is None or source.setting.number in self.paused:
            return
        shards = engine.kernel.shards
        busy = sorted({root[1] for root in source.setting.checks.images} & shards.here)
        known = busy if busy and self._luck.random() < 0.9 else sorted(shards.here)
        known = [shard for shard in known if shard not in shards.departures.leaving]
        if not known:
            return
        shard = self._luck.choice(known)
        others = [one.setting.number for one in self._engines if one is not source]
        target = self._luck.choice(others)
        self._moves += 1
        source.setting.say(f"moves shard {shard} to engine {target}, move {self._moves}")
        shards.move(shard, name_of(target), f"m{self._moves}")

    def _tell(self) -> None:
        """Have an engine hear all of the table."""
        actions = self._luck.choice(self._engines)
        if actions.engine is not None:
            self._network.tell(actions.setting.number, range(256))

    def _pause(self) -> None:
        """Stop an engine, or let all go on."""
        if self.paused:
            self.paused.clear()
        else:
            self.paused.add(self._luck.randrange(len(self._engines)))
        self._engines[0].setting.say(f"paused: {sorted(self.paused) or 'none'}")

    def _toggle_table(self) -> None:
        """Let nobody reach the coordinator, or all again."""
        self._network.cut_off ^= {TABLE}
        self._engines[0].setting.say(f"cut off: {sorted(self._network.cut_off) or 'none'}")

    def arrive(self, target: int, source: int, letter: Letter) -> None:
        """Let a letter arrive; to an engine that is down it is lost, for one that is paused it waits."""
        if target == TABLE:
            assert isinstance(letter, Confirm), letter
            changed = self._network.confirm(source, letter)
            self._engines[0].setting.say(f"the table {'has now' if changed else 'refuses'} {letter.row}")
            return
        actions = self._engines[target]
        if target in self.paused:
            self._network.on_the_way.append((target, source, letter))
        elif actions.engine is not None:
            actions.setting.say(f"arrives {named(letter)}")
            if isinstance(letter, Forward):
                actions.engine.kernel.deliver(letter)
            else:
                assert not isinstance(letter, Confirm), letter
                actions.engine.kernel.receive(letter)

    def mend(self) -> None:
        """Let all go on, and all be told of the table."""
        self.paused.clear()

    def tell_all(self) -> None:
        """Have all engines hear the table."""
        for actions in self._engines:
            if actions.setting.homes is not None:
                self._network.tell(actions.setting.number, range(256))
