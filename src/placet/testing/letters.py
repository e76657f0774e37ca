"""What handlers of a simulation send to other instances and note in their own: all of it counts with their result."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import TypeAlias

from placet.actors.effects import Start
from placet.actors.errors import ShardFull
from placet.actors.executors.answer import failed
from placet.actors.messages import (
    Done,
    Failed,
    Inject,
    Intervention,
    Schedule,
    SpawnNamed,
    StatePut,
    Unschedule,
    Watch,
    decode_delivery,
    encode_message,
)
from placet.actors.notes import check_room
from placet.actors.state import ANSWER
from placet.actors.usercode import failure_of
from placet.persistence.values import encode
from placet.petri.behaviour import Definition
from placet.petri.plan import make_plan
from placet.testing.errors import require
from placet.testing.functions import FUEL, TAGS, World

AttemptKey: TypeAlias = tuple[bytes, int, int]  # (root, firing number, attempt)
Inputs: TypeAlias = dict[bytes, tuple[tuple[int, bytes], ...]]  # tokens by fingerprint
CHILD = ">"  # in the id of what a handler spawned; such an instance's handlers spawn nothing


@dataclass(slots=True)
class Letters:
    """Lets some handlers spawn, tell and change state, and checks what came of it."""

    world: World
    definitions: Mapping[str, Definition]
    inputs: Inputs
    talkative: float = 0.0  # handlers that also tell something to who does not exist: it fills windows, and no more
    written: dict[AttemptKey, Done] = field(default_factory=dict[AttemptKey, Done])
    counted: set[AttemptKey] = field(default_factory=set[AttemptKey])
    states: dict[bytes, dict[str, bytes]] = field(default_factory=dict[bytes, dict[str, bytes]])  # by root

    def also(self, start: Start, done: Done) -> Done | Failed:
        """Return an answer with what its handler did beside returning: the same for the same attempt.

        One that would send to a shard that takes no more gives up.
        """
        key = (start.root, start.number, start.attempt)
        known = self.written.get(key)
        if known is None:
            known = self.written[key] = self._write(start, done)
        for message in map(decode_delivery, known.sent):
            if isinstance(message, SpawnNamed | Intervention):
                try:
                    check_room(message.instance, start.full)
                except ShardFull as error:
                    return failed(start, failure_of(error, start.attempt))
        return known

    def _write(self, start: Start, done: Done) -> Done:
        name = f"{start.instance}#{start.incarnation}.{start.number}.{start.attempt}"
        random = Random(f"{self.world.seed} {name}")
        sent: list[bytes] = []
        if CHILD not in start.instance and random.random() < 0.05:
            sent.append(encode_message(self._spawn(random, f"{start.instance}{CHILD}{start.number}.{start.attempt}")))
        if random.random() < 0.05 and not self.world.calm:  # at the end tokens must run out
            value = encode(random.randrange(TAGS) * FUEL)
            target = random.choice((start.instance, "i0", "i1", "nobody"))
            sent.append(encode_message(Inject(instance=target, by="a handler", why=name, place="p0", value=value)))
        talk = Random(f"talk {self.world.seed} {name}")
        if talk.random() < self.talkative:
            target = f"nobody{talk.randrange(2)}"
            sent.append(encode_message(Inject(instance=target, by="a handler", why=name, place="p0", value=encode(0))))
        sent += map(encode_message, self._requests(random, start.instance, name))
        puts: list[StatePut] = []
        given = dict(start.state)
        require(not any(one.startswith(ANSWER) for one in given), "handlers are given no answers", start.instance)
        if random.random() < 0.1:
            puts.append(StatePut(f"{ANSWER}{random.choice('xyz')}", encode(random.randrange(1_000))))
        if random.random() < 0.2:
            before = given.get("n")
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

    def _requests(self, random: Random, instance: str, name: str) -> Iterator[Watch | Schedule | Unschedule]:
        """Yield what asks for something later: to be told of an end, or a token."""
        if random.random() < 0.08:
            yield Watch(instance=random.choice((instance, "i0", "i1", "i2", "nobody")), watcher=instance, place="p0")
        target, timer = random.choice((instance,) * 6 + ("i0", "nobody")), random.choice("ab")
        if random.random() < 0.15 and not self.world.calm:
            value, after_s = encode(random.randrange(TAGS) * FUEL), random.choice((0.0, 0.5, 5.0, 100.0))
            yield Schedule(instance=target, place="p0", value=value, after_s=after_s, timer=timer, by=f"{name} later")
        if random.random() < 0.05:
            yield Unschedule(instance=target, timer=timer)

    def _spawn(self, random: Random, instance: str) -> SpawnNamed:
        definition = self.definitions[random.choice(sorted(self.definitions))]
        plan = make_plan(definition.net, definition.behaviours)
        entries = [place for place in plan.places if place.is_entry]
        count = random.randint(1, 3) if entries else 0
        tokens = [(random.choice(entries), encode(random.randrange(TAGS) * FUEL)) for _ in range(count)]
        inputs = blake2b(instance.encode(), digest_size=16).digest()
        self.inputs[inputs] = tuple((place.index, value) for place, value in tokens)
        return SpawnNamed(
            instance=instance,
            workflow=definition.name,
            tokens=tuple((place.path, value) for place, value in tokens),
            inputs=inputs,
            incarnation=random.getrandbits(32),
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

    def check_end(self, instances: set[str], excused: set[str], deaf: set[bytes], accepted: Counter[str]) -> None:
        """What was sent with results that counted has arrived, once, or somebody knows; all else has not.

        `excused` has the ids of targets that a sender was told of, and the reasons given in parked messages, `deaf`
        the roots of senders that had ended and could not be told.
        """
        for key, done in self.written.items():
            for data in done.sent:
                message = decode_delivery(data)
                counts = key in self.counted
                if isinstance(message, SpawnNamed):
                    arrived = int(message.instance in instances)
                    known = message.instance in excused
                elif isinstance(message, Intervention):
                    arrived = accepted[message.why]
                    known = message.instance in excused or message.why in excused
                elif isinstance(message, Schedule):
                    arrived = accepted[message.by]
                    known = message.instance in excused or message.by in excused
                elif isinstance(message, Watch | Unschedule):
                    continue  # see `Watches`; what asks for nothing to come may come when nothing would
                else:
                    raise AssertionError(message)  # handlers call nothing
                require(arrived <= counts, "what a result sends counts once, with it", f"{message} {counts}")
                known = known or key[0] in deaf
                require(arrived or known or not counts, "what a counted result sends arrives", f"{message}")
