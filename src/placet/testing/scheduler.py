"""What happens next, as the seed says: of all that is possible now, by weights that differ from seed to seed."""

from collections.abc import Callable

from placet.testing.actions import Actions
from placet.testing.engine import SimulatedEngine, Stage

ACTIONS: dict[str, Callable[[Actions], None]] = {
    "pass_time": Actions.pass_time,
    "deliver": Actions.deliver,
    "deliver_late": Actions.deliver_late,
    "ask": Actions.ask,
    "start": Actions.start,
    "run": Actions.run,
    "commit": Actions.commit,
    "release": Actions.release,
    "cycle": Actions.cycle,
    "stop": Actions.stop,
    "visit": Actions.visit,
    "change_capacity": Actions.change_capacity,
    "plant_fault": Actions.plant_fault,
    "compare": Actions.compare,
    "send_again": Actions.send_again,
}
_WEIGHTS: dict[str, float] = {
    "pass_time": 10,
    "deliver": 20,
    "deliver_late": 1,
    "ask": 10,
    "start": 20,
    "run": 30,
    "commit": 30,
    "release": 30,
    "cycle": 20,
    "stop": 0.5,
    "visit": 5,
    "change_capacity": 1,
    "plant_fault": 2,
    "compare": 3,
    "send_again": 4,
}
_OPTIONAL = frozenset({"deliver_late", "stop", "visit", "change_capacity", "plant_fault"})
_WHEN_DOWN = ("start", "pass_time", "visit")
_WHEN_IDLE = (
    "pass_time",
    "deliver",
    "deliver_late",
    "ask",
    "run",
    "cycle",
    "stop",
    "change_capacity",
    "plant_fault",
    "compare",
    "send_again",
)
_WHEN_AT_REST = ("pass_time", "ask", "stop", "change_capacity", "plant_fault", "compare", "deliver_late", "send_again")
_WHEN_RAN = ("commit", "pass_time", "ask")
_WHEN_COMMITTED = ("release", "pass_time", "ask")


class Scheduler:
    """Picks one action after another. Some are left out for a whole seed: what is rare is found where it is common."""

    def __init__(self, actions: Actions) -> None:
        random = actions.setting.random
        self._actions = actions
        self._weights = {name: random.choice((1, 2, 4)) * weight for name, weight in _WEIGHTS.items()}
        for name in random.sample(sorted(_OPTIONAL), random.randint(0, len(_OPTIONAL) - 1)):
            self._weights[name] = 0

    def play(self, steps: int) -> None:
        """Take `steps` steps."""
        for _ in range(steps):
            self.step()

    def step(self) -> None:
        """Take one step."""
        actions, setting = self._actions, self._actions.setting
        engine = actions.engine
        if engine is None:
            self._choose(_WHEN_DOWN)
        elif setting.random.random() * 100 < setting.danger * actions.peril(engine):
            actions.crash()
        elif engine.stage is Stage.IDLE:
            self._choose(_WHEN_IDLE if self._has_work(engine) else _WHEN_AT_REST)
        elif engine.stage is Stage.RAN:
            self._choose(_WHEN_RAN)
        else:
            self._choose(_WHEN_COMMITTED)

    def _has_work(self, engine: SimulatedEngine) -> bool:
        """Return whether an engine has something to do; sometimes it looks although it has not."""
        setting = self._actions.setting
        waits = engine.kernel.has_work or self._actions.inbox or setting.executor.has_answers
        return bool(waits) or setting.random.random() < 0.1

    def _choose(self, names: tuple[str, ...]) -> None:
        weights = [self._weights[name] for name in names]
        name = self._actions.setting.random.choices(names, weights)[0]
        ACTIONS[name](self._actions)
