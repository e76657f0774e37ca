"""The end of a simulation: faults stop, people do what they must, and everything must come to rest rightly."""

from collections.abc import Sequence

from placet.actors.lifecycle import ENDING, InstanceState, Intent
from placet.actors.messages import KernelMessage
from placet.testing.actions import Actions, named
from placet.testing.errors import Violation
from placet.testing.image import Image
from placet.testing.moves import Moves

_MOST_ROUNDS = 100  # tokens may come to people one by one
_MOST_CYCLES = 4_000  # until nothing moves by itself


class Ending:
    """Drives everything to where nothing moves any more."""

    def __init__(self, engines: Sequence[Actions], moves: Moves) -> None:
        self._engines = engines
        self._moves = moves
        self._setting = engines[0].setting

    def finish(self) -> None:
        """Let faults stop, and drive everything to where nothing moves any more."""
        self._setting.world.calm = self._setting.checks.beats.is_calm = self._setting.checks.abroad.is_calm = True
        self._setting.network.mend()
        self._moves.mend()
        for actions in self._engines:
            actions.capacity = max(1, actions.capacity)
            actions.setting.danger = 0.0
            self._settle_down(actions)
        self._moves.tell_all()
        for turn in range(_MOST_ROUNDS):
            self._drive()
            deaf = {root for actions in self._engines for root in actions.up.kernel.broken()}
            self._setting.checks.calls.check_rest(deaf)
            helped = [self._help(actions, turn) for actions in self._engines]  # each of them, before the question
            if not any(helped):
                break
        else:
            raise Violation("everything ends", "instances go on for ever")
        for actions in self._engines:
            actions.liveness.ended()
            actions.setting.checks.check_histories()
        self._setting.checks.check_letters()
        if self._setting.homes is not None:
            self._setting.homes.check_end()
        self._setting.say(f"end: {self._setting.checks.fired} fired, {self._setting.outcome.crashes} crashes")

    def _settle_down(self, actions: Actions) -> None:
        setting = actions.setting
        if actions.engine is not None and setting.random.random() < 0.5:
            actions.crash()
        elif actions.engine is not None:
            actions.finish_batch(actions.engine)
        setting.probe.disarm()
        if (
            actions.engine is None
            or set(setting.checks.definitions) != set(setting.definitions)
            or actions.engine.kernel.broken()
        ):
            if actions.engine is not None:
                actions.crash()
            actions.start_with(setting.definitions)
        actions.up.set_capacity(actions.capacity)

    def _drive(self) -> None:
        """Go on until nothing moves by itself."""
        is_said = False  # once more, what nobody has acknowledged, since time has gone on
        for _ in range(_MOST_CYCLES):
            self._carry()
            busy = [self._cycle(actions) for actions in self._engines]
            if any(busy) or self._setting.network.on_the_way:
                continue
            waiting = [actions.up.kernel for actions in self._engines if actions.up.kernel.outbox.unacknowledged]
            for kernel in waiting:
                kernel.send_again()
            if waiting and not is_said:
                is_said = True
                continue
            is_said = False
            due = [time for actions in self._engines for time in actions.due()]
            if not due:
                return
            self._setting.clock.advance_to(min(due) + 0.001)
        raise Violation("everything ends", f"{_MOST_CYCLES} cycles were not enough")

    def _carry(self) -> None:
        """Let everything arrive that is on its way between engines."""
        letters = self._setting.network.on_the_way
        while letters:
            self._moves.arrive(*letters.pop(0))

    def _cycle(self, actions: Actions) -> bool:
        """Let one engine handle what has come; return whether it has more to do."""
        engine = actions.up
        actions.fetch()
        while actions.inbox:
            engine.kernel.deliver(actions.inbox.pop(0))
        actions.whole_cycle(engine)
        return engine.kernel.has_work or actions.setting.executor.has_answers

    def _waits_in_vain(self, actions: Actions, image: Image) -> bool:
        """Return whether a child will never end by itself; its parent waits for it."""
        state = image.header.state
        external = actions.setting.checks.plan(image).external
        return state is InstanceState.STUCK or (state is InstanceState.WAITING and external and not image.tasks)

    def _help(self, actions: Actions, turn: int) -> bool:
        """Do what people must do; False: there is nothing to do."""
        setting = actions.setting
        people = setting.people
        messages: list[KernelMessage] = []
        for image in list(setting.checks.images.values()):
            instance = image.header.instance
            if image.is_over:
                continue
            if image.header.intent is Intent.PAUSE:
                messages.append(people.send(people.resume(instance)))
            if image.header.caller is not None and self._waits_in_vain(actions, image):
                messages.append(people.send(people.cancel(instance)))
            if image.header.intent is Intent.RUN:
                messages += map(people.send, people.helping(instance, image, patient=turn < 4))
            how = setting.random.choice(("retry", "skip", "fail"))
            if turn > 3:  # a child that fails is called again, down to every depth: what can be skipped is
                how = "skip" if image.header.caller and turn < 20 else "fail"
            ending = image.header.intent in ENDING
            for number in [parked.number for parked in image.parked] if ending else image.incidents:
                messages.append(people.send(people.settle(instance, number, "retry" if ending else how)))
        for message in messages:
            setting.say(f"ask {named(message)}")
            actions.up.kernel.deliver(message)
        return bool(messages)
