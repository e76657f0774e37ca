"""What must hold of an engine at rest: nothing that could move has been forgotten."""

from collections.abc import Mapping, Set

from placet.actors.lifecycle import InstanceState, Intent
from placet.actors.messages import ExecutorAnswer, Grant, KernelMessage, Recover, Request
from placet.actors.place import PlaceActor
from placet.actors.records import Firing, Phase, encode
from placet.actors.turn import Turn
from placet.actors.waking import wake
from placet.actors.workflow import WorkflowActor
from placet.persistence.keys import address_key
from placet.petri.behaviour import IN_KERNEL
from placet.testing.beats import has_time
from placet.testing.engine import SimulatedEngine
from placet.testing.errors import require
from placet.testing.image import Image, Outlook, unoffered
from placet.testing.setting import Setting

THREAD = "thread"
ALONE_FROM = 3  # losses after which a firing runs alone, as promised: not as the code under test has it


class Liveness:
    """Looks at an engine between two batches."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def idle(self, engine: SimulatedEngine, inbox: list[KernelMessage]) -> None:
        """Check an engine whose batch is done: if it has nothing more to do, that must be true."""
        hungry = self._hungry(engine)
        if engine.faulted or engine.batch.moves:  # a frozen shard goes on, with its instances at the end of the queue
            self._setting.releases.forget_waiting()  # turns are taken again, out of order
        else:
            self._setting.releases.granted(engine.kernel.granted)
        granted = {
            one.root for one in engine.kernel.waiting_messages() if isinstance(one, Grant | Recover)
        }  # once more
        waking = set(engine.kernel.being_read())  # these wait for nothing but themselves
        self._setting.releases.wants(hungry - granted - waking, self._setting.clock.now())
        if engine.kernel.has_work or engine.kernel.draining:
            return
        self._check_forgotten(engine, hungry, inbox)
        self._check_timers(engine)
        held = {request.instance for request in engine.kernel.waiting_messages() if isinstance(request, Request)}
        unanswered = [one for one in self._setting.people.requests.values() if one.instance not in held]
        require(not unanswered, "every request is answered", unanswered)

    def _hungry(self, engine: SimulatedEngine) -> set[bytes]:
        """Return the instances that could start something, had they a slot."""
        checks, full = self._setting.checks, engine.full()
        found: set[bytes] = set()
        for root, image in checks.images.items():
            if root in engine.kernel.broken() or not engine.runs(root[1]):
                continue  # left alone until the next start, as its incident says
            if (
                image.header.intent is Intent.RUN
                and not image.is_over
                and THREAD in checks.outlook(root).executors(full)
            ):
                found.add(root)
        return found

    def _check_forgotten(self, engine: SimulatedEngine, hungry: set[bytes], inbox: list[KernelMessage]) -> None:
        setting, full = self._setting, engine.full()
        alone = self._suspects()
        waiting = sum(isinstance(one, ExecutorAnswer) for one in engine.kernel.waiting_messages())  # of frozen shards
        free = engine.capacity - len(setting.executor.live) - len(inbox) - waiting
        if free > 0 and not alone and not setting.executor.has_answers:
            require(not hungry, "no wake-up is lost", f"{self._names(hungry)} wait while {free} slots are free")
        for root, image in setting.checks.images.items():
            if not engine.runs(root[1]):
                continue
            if image.header.intent is Intent.RUN and not image.is_over and root not in engine.kernel.broken():
                outlook = setting.checks.outlook(root)
                require(not outlook.inline(full), "no wake-up is lost", f"{image.header.instance} could go on inline")
                self._check_held_up(image, outlook, full)

    def _check_held_up(self, image: Image, outlook: Outlook, full: Set[int]) -> None:
        """Who waits for a full shard says so, and nobody does so for one that has room.

        Who waits for a slot, too, is not looked at before it has one.
        """
        kinds = {one.executor in IN_KERNEL for one, shard in outlook.targets if shard >= 0}
        told, true = image.header.state, outlook.state(full)
        if kinds and not (False in kinds and told is InstanceState.RUNNING):
            what = f"{image.header.instance} is {told}, and not {true}: {full}"
            require(told is true, "at rest who is held up says so", what)

    def _suspects(self) -> list[Image]:
        """Return the instances with a firing that runs alone, or waits to."""
        return [
            image
            for image in self._setting.checks.images.values()
            if any(
                firing.losses >= ALONE_FROM and firing.phase is not Phase.INCIDENT for firing in image.firings.values()
            )
        ]

    def _names(self, roots: set[bytes]) -> list[str]:
        return [self._setting.checks.images[root].header.instance for root in sorted(roots)]

    def _check_timers(self, engine: SimulatedEngine) -> None:
        now = engine.batch_at
        for (root, number, attempt), job in self._setting.executor.live.items():
            if not engine.runs(root[1]):
                continue
            image = self._setting.checks.images[root]
            firing = image.firings.get(number)
            mine = firing is not None and firing.attempt == attempt and root not in engine.kernel.broken()
            if firing is not None and mine and firing.phase is Phase.RUNNING and firing.due:
                behaviour = self._setting.checks.plan(image).transitions[firing.transition].behaviour
                in_time = firing.due >= now or (behaviour is not None and has_time(firing, behaviour, job.last_s, now))
                require(in_time or self._deaf(root), "deadlines are kept", f"{number} was due at {firing.due}")
        for root, image in self._setting.checks.images.items():
            if not engine.runs(root[1]):
                continue
            for backing_off in image.phases(Phase.BACKOFF):
                late = backing_off.due < now and not self._deaf(root)
                require(not late, "timers fire", f"{image.header.instance} {backing_off}")
            for called in image.phases(Phase.CALLED):
                late = 0 < called.due < now and not self._deaf(root) and root not in engine.kernel.broken()
                is_kept = not late or self._setting.checks.calls.is_called_off(image, called)
                require(is_kept, "deadlines are kept", f"{image.header.instance} {called}")
            for coming in image.scheduled.values():
                late = coming.due < now and not self._deaf(root) and root not in engine.kernel.broken()
                require(not late, "timers fire", f"{image.header.instance} {coming}")

    def _deaf(self, root: bytes) -> bool:
        """Return whether an instance could not be told that a time has come: that is an incident of its own."""
        return any(parked.kind in ("Due", "Recover") for parked in self._setting.checks.images[root].parked)

    # -- memory against store --------------------------------------------------------------------------------

    def compare(self, engine: SimulatedEngine) -> None:
        """What an engine holds in memory is what a fresh one would read."""
        for root, workflow in engine.kernel.in_memory().items():
            turn = Turn(root, self._setting.clock.now(), 0, False)
            with self._setting.probe.quiet():
                twin = wake(root, self._setting.store.scan, turn, engine.kernel)
            twin.offer_dirty()
            require(not turn.born and not turn.changed, "waking changes nothing", workflow.header.instance)
            for name, ours, fresh in _aspects(workflow, twin, turn):
                require(
                    ours == fresh,
                    "memory is what the store holds",
                    f"{workflow.header.instance} {name}: {ours} {fresh}",
                )

    # -- the end ---------------------------------------------------------------------------------------------

    def ended(self) -> None:
        """Every instance has ended, or is truly stuck; every id that was ever answered for is still known."""
        checks = self._setting.checks
        for image in checks.images.values():
            if image.is_over:
                continue
            name, state = image.header.instance, image.header.state
            waits = state.value == "waiting" and checks.plan(image).external
            require(state.value == "stuck" or waits, "everything ends", f"{name} is {state} at rest")
            missed = unoffered(self._setting.store, image, checks.plan(image))
            require(not missed, "what people must decide is offered", f"{name}: {missed}")
            require(not image.firings, "stuck is true", f"{name} has firings")
        for root, image in checks.images.items():
            require(self._setting.store.get(address_key(image.header.instance)) == root, "addresses", root.hex())
        require(not checks.doomed, "P2: losses are counted", checks.doomed)
        require(not self._setting.executor.live, "everything ends", "handlers run for nobody")
        require(not checks.world.complaints, "guards are respected", checks.world.complaints[:1])


def _aspects(ours: WorkflowActor, fresh: WorkflowActor, turn: Turn) -> list[tuple[str, object, object]]:
    pairs: list[tuple[str, object, object]] = []
    for name in ("serial", "link", "fired", "inner", "outer", "counts", "troubled"):
        pairs.append((name, getattr(ours, name), getattr(fresh, name)))
    pairs.append(("delays", _sorted(ours.delays.held), _sorted(fresh.delays.held)))
    pairs.append(("scheduled", _sorted(ours.scheduled), _sorted(fresh.scheduled)))
    pairs.append(("watchers", _sorted(ours.watchers), _sorted(fresh.watchers)))
    pairs.append(("tasks", _sorted(ours.tasks.open), _sorted(fresh.tasks.open)))
    pairs.append(("held", (ours.held, ours.frozen), (fresh.held, fresh.frozen)))
    pairs.append(("reserved", ours.reserved, fresh.reserved))
    asleep = {index for index, place in enumerate(ours.places) if place is None}
    pairs.append(("matches", _matches(ours, asleep), _matches(fresh, asleep)))
    for name in ("state", "intent", "awake", "instance", "net", "told", "cause"):
        pairs.append((name, getattr(ours.header, name), getattr(fresh.header, name)))
    for mine, theirs in zip(ours.composites, fresh.composites, strict=True):
        pairs.append(("firings", _encoded(mine.firings), _encoded(theirs.firings)))
    for mine_place, their_place in zip(ours.places, fresh.places, strict=True):
        if mine_place is None:
            continue  # asleep, or empty
        tokens = [] if their_place is None else [(one, their_place.value(turn, one)) for one in their_place.tokens]
        pairs.append(("tokens", [(one, mine_place.value(turn, one)) for one in mine_place.tokens], tokens))
        if their_place is not None:
            pairs.append(("queues", [*map(list, mine_place.queues)], [*map(list, their_place.queues)]))
            pairs.append(("early", mine_place.early, their_place.early))
            pairs.append(("frozen", _frozen(mine_place, turn), _frozen(their_place, turn)))
    pairs.append(("incidents", sorted(ours.guard_incidents), sorted(fresh.guard_incidents)))
    pairs.append(("parked", sorted(ours.parked), sorted(fresh.parked)))
    if not ours.services.credit.roomy:  # else it may have its turn yet, to look again
        pairs.append(("wants", sorted(ours.wants()), sorted(fresh.wants())))
    ready = [{name: sorted(numbers) for name, numbers in one.ready.items() if numbers} for one in (ours, fresh)]
    pairs.append(("ready", ready[0], ready[1]))
    return pairs


def _frozen(place: PlaceActor, turn: Turn) -> list[tuple[int, bytes]]:
    return [(token, place.value(turn, token)) for token in sorted(place.frozen or ())]


def _matches(workflow: WorkflowActor, asleep: set[int]) -> dict[int, object]:
    """Return what comes first by join key, where all places are awake: those asleep are in no index."""
    found = {
        index: matches.best()
        for index, matches in sorted(workflow.matches.items())
        if not any(arc.place in asleep for arc in workflow.plan.transitions[index].inputs)
    }
    return {index: best for index, best in found.items() if best is not None}


def _sorted(entries: Mapping[int, object]) -> bytes:
    return encode(sorted(entries.items()))


def _encoded(firings: Mapping[int, Firing]) -> dict[int, bytes]:
    return {number: encode(firing) for number, firing in sorted(firings.items())}
