"""The end of a simulation: faults stop, people do what they must, and everything must come to rest rightly."""

from placet.actors.lifecycle import ENDING, InstanceState, Intent
from placet.actors.messages import KernelMessage
from placet.testing.actions import Actions, named
from placet.testing.errors import Violation
from placet.testing.image import Image

_MOST_ROUNDS = 100  # tokens may come to people one by one
_MOST_CYCLES = 4_000  # until nothing moves by itself


class Ending:
    """Drives everything to where nothing moves any more."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions
        self._setting = actions.setting

    def finish(self) -> None:
        """Let faults stop, and drive everything to where nothing moves any more."""
        self._setting.world.calm = True
        self._actions.capacity = max(1, self._actions.capacity)
        self._setting.danger = 0.0
        self._settle_down()
        for turn in range(_MOST_ROUNDS):
            self._drive()
            if not self._help(turn):
                break
        else:
            raise Violation("everything ends", "instances go on for ever")
        self._actions.liveness.ended()
        self._setting.checks.check_letters()
        self._setting.checks.check_histories()
        self._setting.say(f"end: {self._setting.checks.fired} fired, {self._setting.outcome.crashes} crashes")

    def _settle_down(self) -> None:
        if self._actions.engine is not None and self._setting.random.random() < 0.5:
            self._actions.crash()
        elif self._actions.engine is not None:
            self._actions.finish_batch(self._actions.engine)
        self._setting.probe.disarm()
        if (
            self._actions.engine is None
            or set(self._setting.checks.definitions) != set(self._setting.definitions)
            or self._actions.engine.kernel.broken()
        ):
            if self._actions.engine is not None:
                self._actions.crash()
            self._actions.start_with(self._setting.definitions)
        self._actions.up.set_capacity(self._actions.capacity)

    def _drive(self) -> None:
        """Go on until nothing moves by itself."""
        engine = self._actions.up
        for _ in range(_MOST_CYCLES):
            self._actions.fetch()
            while self._actions.inbox:
                engine.kernel.deliver(self._actions.inbox.pop(0))
            self._actions.whole_cycle(engine)
            if engine.kernel.has_work or self._setting.executor.has_answers:
                continue
            due = self._actions.due()
            if not due:
                return
            self._setting.clock.advance_to(min(due) + 0.001)
        raise Violation("everything ends", f"{_MOST_CYCLES} cycles were not enough")

    def _waits_in_vain(self, image: Image) -> bool:
        """Return whether a child will never end by itself; its parent waits for it."""
        state = image.header.state
        external = self._setting.checks.plan(image).external
        return state is InstanceState.STUCK or (state is InstanceState.WAITING and external and not image.tasks)

    def _help(self, turn: int) -> bool:
        """Do what people must do; False: there is nothing to do."""
        messages: list[KernelMessage] = []
        for image in list(self._setting.checks.images.values()):
            instance = image.header.instance
            if image.is_over:
                continue
            if image.header.intent is Intent.PAUSE:
                messages.append(self._setting.people.send(self._setting.people.resume(instance)))
            if image.header.caller is not None and self._waits_in_vain(image):
                messages.append(self._setting.people.send(self._setting.people.cancel(instance)))
            if image.header.intent is Intent.RUN:
                messages += map(
                    self._setting.people.send, self._setting.people.helping(instance, image, patient=turn < 4)
                )
            how = "fail" if turn > 3 else self._setting.random.choice(("retry", "skip", "fail"))
            ending = image.header.intent in ENDING
            for number in [parked.number for parked in image.parked] if ending else image.incidents:
                messages.append(
                    self._setting.people.send(self._setting.people.settle(instance, number, "retry" if ending else how))
                )
        for message in messages:
            self._setting.say(f"ask {named(message)}")
            self._actions.up.kernel.deliver(message)
        return bool(messages)
