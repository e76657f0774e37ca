"""The clients of a simulation: what they ask for, and whether what they are told is true."""

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random

import msgspec

from placet.actors.effects import Reply
from placet.actors.messages import (
    Cancel,
    Claim,
    ClientMessage,
    Decide,
    DropToken,
    EditToken,
    FailIncident,
    FreezeToken,
    ImportTokens,
    Inject,
    Inspect,
    MoveToken,
    Pause,
    Put,
    Restart,
    Resume,
    RetryIncident,
    SkipIncident,
    Sleep,
    Spawn,
    ThawToken,
    Trim,
    Unclaim,
)
from placet.actors.shards.visible import Visible
from placet.persistence.history import walk
from placet.persistence.keys import address_key, shard_of
from placet.persistence.values import encode
from placet.petri.behaviour import Definition
from placet.petri.plan import Plan, make_plan
from placet.testing.answers import check_answer, image_of, is_moved
from placet.testing.checks import Checks
from placet.testing.copies import part_of
from placet.testing.errors import require
from placet.testing.functions import BULK_BYTES, FUEL, TAGS
from placet.testing.image import Image


@dataclass(slots=True)
class People:
    """Makes requests, remembers them, and checks the answers."""

    random: Random
    checks: Checks
    workflows: list[tuple[Definition, bytes]]  # with the digest of its net
    most_live: int  # instances at a time that have not ended
    shards: Set[int]  # at home in the engine that is asked
    name: str = ""  # told apart by it from the people of other engines, who may ask for the same instance later
    send_on: Callable[[ClientMessage], None] | None = None  # to those who ask the engine an instance has moved to
    requests: dict[int, ClientMessage] = field(default_factory=dict[int, ClientMessage])  # not answered, by number
    sent: list[ClientMessage] = field(default_factory=list[ClientMessage])  # all so far, for repetitions
    lost: list[ClientMessage] = field(default_factory=list[ClientMessage])  # unanswered when their engine crashed
    instances: list[str] = field(default_factory=list[str])
    numbers: int = 0
    names: int = 0  # ids made up so far

    # -- asking --------------------------------------------------------------------------------------------

    def spawn(self) -> ClientMessage:
        """Ask for an instance: mostly a new one, sometimes one that exists, with the same inputs or others."""
        random = self.random
        known = self.instances and (self.live >= self.most_live or random.random() < 0.2)
        instance = self._instance() if known else self._new_id()
        if not known:
            self.instances.append(instance)
        definition, digest = random.choice(self.workflows)
        plan = make_plan(definition.net, definition.behaviours)
        tokens = self._tokens(plan)
        inputs = blake2b(repr((instance, tokens)).encode(), digest_size=16).digest()
        self.checks.inputs[inputs] = tokens
        return self._send(
            Spawn(
                instance=instance,
                reply=self._number(),
                workflow=definition.name,
                version=definition.version,
                net=digest,
                tokens=tokens,
                inputs=inputs,
                incarnation=random.getrandbits(32),
            )
        )

    def _instance(self) -> str:
        """Return an instance, mostly one of the latest."""
        children = self.children
        if children and self.random.random() < 0.25:
            return self.random.choice(children)
        recent = self.instances[-2 * self.most_live :] if self.random.random() < 0.9 else self.instances
        return self.random.choice(recent)

    def _new_id(self) -> str:
        """Return an id that nobody has, of an instance that lives in this engine."""
        while True:
            self.names += 1
            if shard_of(f"i{self.names - 1}") in self.shards:
                return f"i{self.names - 1}"

    @property
    def children(self) -> list[str]:
        """The children of calls, mostly those that go on."""
        found = [image for image in self.checks.images.values() if image.header.caller]
        going = [image for image in found if not image.is_over]
        return [image.header.instance for image in (found if self.random.random() < 0.1 else going)]

    def _tokens(self, plan: Plan) -> tuple[tuple[int, bytes], ...]:
        random = self.random
        entries = [place.index for place in plan.places if place.is_entry]
        count = random.choice((0, 1, 2, 3, 5, 8, 12)) if entries else 0
        return tuple((random.choice(entries), encode(self._value())) for _ in range(count))

    def _value(self) -> int:
        return self.random.randrange(TAGS) * FUEL + self.random.choice((0, 0, 0, 1, 1, 2))

    def intervene(self) -> ClientMessage | None:
        """Ask for something to be done to an instance."""
        if not self.instances:
            return None
        random = self.random
        instance = self._instance() if random.random() < 0.97 else "nobody"
        make = random.choice(
            (
                self._pause,
                self.resume,
                *(self._settle,) * 3,
                self._cancel,
                self._hold,
                *(self._token,) * 3,
                *(self._task,) * 4,
            )
        )
        return self._send(make(instance))

    def _words(self, instance: str) -> dict[str, str]:
        number = f"{self.name}{self.numbers + 1}"
        words = {"instance": instance, "by": "eva", "why": f"why {number}"}
        return words | ({"request_id": f"request {number}"} if self.random.random() < 0.5 else {})

    def _pause(self, instance: str) -> ClientMessage:
        return Pause(**self._words(instance), reply=self._number())

    def resume(self, instance: str) -> ClientMessage:
        """Return the message that undoes a pause."""
        return Resume(**self._words(instance), reply=self._number())

    def _hold(self, instance: str) -> ClientMessage:
        """Pause or resume a part of an instance."""
        image, random = self.image(instance), self.random
        targets = ["nothing", "#urgent"]
        if image is not None:
            plan = self.checks.plan(image)
            targets += [
                *plan.place_index,
                *plan.transition_index,
                *filter(None, plan.composite_index),
                *image.header.held * 5,
            ]
        kind = random.choice((Pause, Resume, Resume))
        return kind(**self._words(instance), reply=self._number(), target=random.choice(targets))

    def _token(self, instance: str) -> ClientMessage:
        """Lay hands on a token, mostly one that is free."""
        image, random = self.image(instance), self.random
        words, places = self._words(instance), ["nowhere"]
        tokens = [random.randint(1, 40)]
        if image is not None:
            places += [*self.checks.plan(image).place_index] * 3
            tokens += [token for held in image.places.values() for token in held] * 3
            tokens += [token for firing in image.firings.values() for _, token, _ in firing.tokens]
        place, token, value = random.choice(places), random.choice(tokens), encode(self._value())
        match random.randrange(9):
            case 0:
                return Put(**words, reply=self._number(), place=place, value=value)
            case 1:
                return Inject(**words, reply=self._number(), place=place, value=value)
            case 2:
                return EditToken(**words, reply=self._number(), token=token, value=self._sized(value))
            case 3:
                return MoveToken(**words, reply=self._number(), token=token, place=place)
            case 4:
                return DropToken(**words, reply=self._number(), token=token)
            case 5:
                return FreezeToken(**words, reply=self._number(), token=token)
            case 6 if image is not None and self._is_here(image):
                return self._import_part(words, image)
            case _:
                return ThawToken(**words, reply=self._number(), token=token)

    def _import_part(self, words: dict[str, str], image: Image) -> ClientMessage:
        """Put the tokens of a place or composite into it once more, or into another instance, which may have none."""
        plan = self.checks.plan(image)
        filled = [plan.places[index].path for index, tokens in image.places.items() if tokens]
        composites = [path for path in plan.composite_index if path]
        parts = composites if composites and self.random.random() < 0.5 else filled or [*plan.place_index]
        found = part_of(self.checks.view, image, plan, self.random.choice(parts))
        told = words if self.random.random() < 0.7 else {**words, "instance": self._instance()}
        tokens = tuple(one.tokens for one in found.places)
        return ImportTokens(**told, reply=self._number(), places=tokens, origin=found.origin)

    def _is_here(self, image: Image) -> bool:
        """Return whether an instance can be seen: it is not on its way here."""
        return Visible(self.checks.view).get(address_key(image.header.instance)) is not None

    def _sized(self, value: bytes) -> bytes:
        """Return a value, now and then one that is too large to stay where it is."""
        return encode((self._value(), b"x" * BULK_BYTES)) if self.random.random() < 0.1 else value

    def _task(self, instance: str) -> ClientMessage:
        """Decide, claim or give back a task, mostly one that is open."""
        offering = [
            one
            for one in self.instances[-3 * self.most_live :] + self.children
            if (seen := self.image(one)) and seen.tasks
        ]
        if offering and self.random.random() < 0.9:
            instance = self.random.choice(offering)
        image = self.image(instance)
        number = self.random.choice([*(image.tasks if image else ())] or [self.random.randint(1, 40)])
        by = self.random.choice(("eva", "eva", "adam", "mallory"))
        roles = self.random.choice((("boss",), ("boss",), ("clerk",), ()))
        words = {**self._words(instance), "by": by}
        kind = self.random.choice((Claim, Unclaim, None, None, None))
        if kind is not None:
            return kind(**words, reply=self._number(), task=number, roles=roles)
        return self._decide(words, image, number, roles)

    def _decide(self, words: dict[str, str], image: Image | None, number: int, roles: tuple[str, ...]) -> ClientMessage:
        """Return a decision; now and then one that does not fit."""
        task = image.tasks.get(number) if image else None
        output = ""
        outputs: tuple[tuple[str, bytes], ...] = ()
        if image is not None and task is not None:
            transition = self.checks.plan(image).transitions[task.transition]
            output = self.random.choice(transition.output_names) if transition.choice else ""
            if self.random.random() < 0.5:
                names = [output] if transition.choice else transition.output_names
                outputs = tuple((name, encode(self._value())) for name in names)
        if self.random.random() < 0.05:
            output = "nowhere"
        return Decide(**words, reply=self._number(), task=number, roles=roles, output=output, outputs=outputs)

    def helping(self, instance: str, image: Image, *, patient: bool) -> list[ClientMessage]:
        """Return what lets an instance go on: parts resumed, tokens thawed, tasks decided, or their tokens dropped."""
        words = self._words(instance)
        help_it: list[ClientMessage] = [
            Resume(**words | {"request_id": ""}, reply=self._number(), target=target) for target in image.header.held
        ]
        help_it += [
            ThawToken(**words | {"request_id": ""}, reply=self._number(), token=token)
            for tokens in image.frozen.values()
            for token in tokens
        ]
        for number, task in image.tasks.items():
            people = {**words, "request_id": "", "by": task.claimed_by or "eva"}
            if not patient:
                drop = DropToken(instance=instance, by="eva", why=people["why"], reply=self._number(), token=task.token)
                help_it.append(drop)
            elif task.claimed_by == "mallory":
                help_it.append(
                    Unclaim(instance=instance, by="eva", why=people["why"], reply=self._number(), task=number)
                )
            else:
                help_it.append(self._decide(people, image, number, ("boss",)))
        return help_it

    def _cancel(self, instance: str) -> ClientMessage:
        if self.random.random() < 0.7:
            return self.resume(instance)
        return self.cancel(instance)

    def cancel(self, instance: str) -> ClientMessage:
        """Return the message that ends an instance."""
        return Cancel(**self._words(instance), reply=self._number())

    def _settle(self, instance: str) -> ClientMessage:
        troubled = [one for one in self.instances + self.children if (seen := self.image(one)) and seen.incidents]
        if troubled and self.random.random() < 0.8:
            instance = self.random.choice(troubled)
        image = self.image(instance)
        incidents = image.incidents if image else []
        number = self.random.choice(incidents) if incidents else self.random.randint(0, 30)
        return self.settle(instance, number, self.random.choice(("retry", "retry", "skip", "skip", "fail")))

    def settle(self, instance: str, incident: int, how: str) -> ClientMessage:
        """Return the message that settles an incident by "retry", "skip" or "fail"."""
        words = self._words(instance)
        if how == "retry":
            return RetryIncident(**words, reply=self._number(), incident=incident)
        if how == "fail":
            return FailIncident(**words, reply=self._number(), incident=incident)
        outputs = self._outputs(instance, incident)
        return SkipIncident(**words, reply=self._number(), incident=incident, outputs=outputs)

    def _outputs(self, instance: str, incident: int) -> tuple[tuple[str, bytes], ...]:
        image = self.image(instance)
        firing = image.firings.get(incident) if image else None
        if image is None or firing is None or self.random.random() < 0.1:
            return (("nowhere", encode(0)),)
        transition = self.checks.plan(image).transitions[firing.transition]
        named = list(zip(transition.output_names, transition.outputs, strict=True))
        if transition.choice:
            named = [self.random.choice(named)]
        return tuple((name, encode(self._value())) for name, (_, weight) in named for _ in range(weight))

    def handle_actor(self) -> ClientMessage | None:
        """Ask for one actor to be looked at, restarted or put to sleep."""
        if not self.instances:
            return None
        random = self.random
        instance = self._instance()
        image = self.image(instance)
        paths = ["", "nobody"]
        if image is not None:
            plan = self.checks.plan(image)
            paths += [*plan.place_index] * 3 + [*plan.composite_index]
        if image is not None and random.random() < 0.25:
            return self._trim(image)
        kind = random.choice((Inspect, Restart, Sleep))
        return self._send(kind(instance=instance, path=random.choice(paths), reply=self._number()))

    def _trim(self, image: Image) -> ClientMessage:
        """Ask to delete old history: oldest first, with some that is not this instance's or is the newest."""
        keep = self.random.choice((1, 1, 3, 10))
        last = self.checks.ledgers[image.root].last
        records = tuple(sequence for sequence, _ in walk(self.checks.view, last))[keep:][::-1]
        strangers = (last, self.random.randint(0, self.checks.history + 5))
        return self._send(Trim(instance=image.header.instance, records=records + strangers, reply=self._number()))

    def copy(self) -> ClientMessage | None:
        """Ask for a copy of an instance under a new id, or, by mistake, under one that exists."""
        original = self.image(self._instance()) if self.instances else None
        if original is None or self.live >= self.most_live + 1:
            return None
        if not self._is_here(original):
            return None
        is_new = self.random.random() < 0.9
        instance = self._new_id() if is_new else self._instance()
        if is_new:
            self.instances.append(instance)
        ledger = self.checks.ledgers[original.root]
        message = self.checks.copies.message(self.random, self.checks.view, original, ledger, instance)
        return self._send(msgspec.structs.replace(message, reply=self._number()))

    @property
    def live(self) -> int:
        """How many instances have not ended."""
        return sum(1 for image in self.checks.images.values() if not image.is_over)

    def repeat(self) -> ClientMessage | None:
        """Ask again for what was asked before: what a client does that has had no answer, or doubts it."""
        pool = self.lost or self.sent
        if not pool:
            return None
        message = self.random.choice(pool)
        return self._send(msgspec.structs.replace(message, reply=self._number()))

    def _send(self, message: ClientMessage) -> ClientMessage:
        self.requests[message.reply] = message
        self.sent.append(message)
        return message

    def send(self, message: ClientMessage) -> ClientMessage:
        """Count a message made elsewhere as asked."""
        return self._send(message)

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

    def crashed(self) -> None:
        """Nobody will answer any more."""
        self.lost += self.requests.values()
        self.requests.clear()

    def image(self, instance: str) -> Image | None:
        """Return what the store holds of an instance."""
        return image_of(self.checks, instance)

    # -- being answered ------------------------------------------------------------------------------------

    def answered(self, reply: Reply, *, alone: bool) -> None:
        """Check one answer; `alone`: its batch did nothing else."""
        message = self.requests.pop(reply.reply, None)
        require(message is not None, "a request is answered once", reply)
        if message is not None and is_moved(reply.answer):
            require(self.send_on is not None, "what does not move is here", reply)
            if self.send_on is not None:
                self.send_on(message)
            return
        if message is not None:
            check_answer(self.checks, message, reply.answer, alone=alone)
