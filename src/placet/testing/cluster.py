"""The engines of a simulation and the network between them: one of them takes a step, or a letter arrives."""

from placet.testing.actions import Actions
from placet.testing.ending import Ending
from placet.testing.moves import Moves
from placet.testing.network import Network
from placet.testing.scheduler import Scheduler
from placet.testing.setting import Setting


class Cluster:
    """Plays one seed: one engine, or several that know of each other by messages alone."""

    def __init__(self, settings: list[Setting]) -> None:
        self._random = settings[0].random
        self._network: Network = settings[0].network
        self.actions = [Actions(setting) for setting in settings]
        self._schedulers = [Scheduler(actions) for actions in self.actions]
        self._moves = Moves(self.actions)

    def play(self, steps: int) -> None:
        """Take so many steps."""
        for _ in range(steps):
            if self._network.on_the_way and self._random.random() < 0.4:
                self._arrive()
            elif len(self.actions) > 1 and self._random.random() < 0.01:
                self._network.partition()
                self.actions[0].setting.say(f"cut off: {sorted(self._network.cut_off) or 'none'}")
            elif len(self.actions) > 1 and self._moves.step():
                continue
            else:
                number = self._random.randrange(len(self._schedulers))
                if number not in self._moves.paused:
                    self._schedulers[number].step()

    def _arrive(self) -> None:
        picked = self._network.pick()
        if picked is None:
            self.actions[0].setting.say("a letter is lost")
            return
        self._moves.arrive(*picked)

    def finish(self) -> None:
        """Let faults stop, and drive everything to where nothing moves any more."""
        Ending(self.actions, self._moves).finish()
