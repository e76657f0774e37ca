"""What handlers of a simulation send to other instances and note in their own: all of it counts with their result."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from placet.actors.effects import Start
from placet.actors.messages import Delivery, Done, Inject, SpawnNamed, StatePut, decode_delivery, encode_message
from placet.persistence.values import encode
from placet.testing.errors import require
from placet.testing.functions import FUEL, TAGS, World

AttemptKey: TypeAlias = tuple[bytes, int, int]  # (root, firing number, attempt)
Inputs: TypeAlias = dict[bytes, tuple[tuple[int, bytes], ...]]  # tokens by fingerprint


@dataclass(slots=True)
class Letters:
    """Lets some handlers tell others and change state, and checks what came of it."""

    world: World
    written: dict[AttemptKey, Done] = field(default_factory=dict[AttemptKey, Done])
    counted: set[AttemptKey] = field(default_factory=set[AttemptKey])
    states: dict[bytes, dict[str, bytes]] = field(default_factory=dict[bytes, dict[str, bytes]])  # by root

    def also(self, start: Start, done: Done) -> Done:
        """Return an answer with what its handler did beside returning: the same for the same attempt."""
        key = (start.root, start.number, start.attempt)
        known = self.written.get(key)
        if known is None:
            known = self.written[key] = self._write(start, done)
        return known

    def _write(self, start: Start, done: Done) -> Done:
        name = f"{start.instance}#{start.incarnation}.{start.number}.{start.attempt}"
        random = Random(f"{self.world.seed} {name}")
        sent: list[bytes] = []
        if random.random() < 0.05:
            value = encode(random.randrange(TAGS) * FUEL)
            target = random.choice((start.instance, "i0", "i1", "nobody"))
            sent.append(encode_message(Inject(instance=target, by="a handler", why=name, place="p0", value=value)))
        puts: list[StatePut] = []
        if random.random() < 0.2:
            before = dict(start.state).get("n")
            after = None if random.random() < 0.2 else encode(random.randrange(1_000))
            puts.append(StatePut("n", after, compares=random.random() < 0.3, expected=before))
        return Done(
            root=done.root,
            transition=done.transition,
            number=done.number,
            attempt=done.attempt,
            outputs=done.outputs,
            puts=tuple(puts),
            sent=tuple(sent),
        )

    def count(self, key: AttemptKey) -> None:
        """A result counts: what went with it does too."""
        done = self.written.get(key)
        if done is None:
            return
        self.counted.add(key)
        state = self.states.setdefault(key[0], {})
        for put in done.puts:
            require(not put.compares or state.get(put.name) == put.expected, "compare and set", f"{key} {put} {state}")
            if put.value is None:
                state.pop(put.name, None)
            else:
                state[put.name] = put.value

    def check_end(self, undelivered: set[str], accepted: Counter[str]) -> None:
        """What was sent with results that counted has arrived, once, or its sender knows; all else has not."""
        for key, done in self.written.items():
            for data in done.sent:
                message = decode_delivery(data)
                if message.instance not in undelivered:
                    self._check_arrival(message, key in self.counted, accepted)

    def _check_arrival(self, message: Delivery, counts: bool, accepted: Counter[str]) -> None:
        why = "" if isinstance(message, SpawnNamed) else message.why
        require(accepted[why] <= counts, "what a result tells counts once, with it", f"{message} {counts}")
