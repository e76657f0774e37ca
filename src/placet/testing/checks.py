"""What must hold of every committed state, found by reading the store: never by asking the kernel."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from placet.actors.calls import CHILD_CANCELLED, CHILD_FAILED, NOT_CALLED, WRONG_RESULT
from placet.actors.catalog import decode_stored_net, net_key
from placet.actors.lifecycle import ENDING, InstanceState, Intent
from placet.actors.messages import Intervention, KernelMessage, Schedule, Undelivered, Watch, decode_message
from placet.actors.records import Firing, Phase
from placet.actors.shards.records import Staged, read_owner
from placet.actors.stamp import read_stamp
from placet.persistence.history import Record, decode_record, walk
from placet.persistence.keys import CHANNEL, HISTORY, LIVE, OUTBOX, split_channel, tasks_key
from placet.persistence.store import View, Write
from placet.persistence.type_name import qualified_name
from placet.petri.behaviour import CALL, INLINE, PERSON, Behaviour, Definition
from placet.petri.errors import MapError
from placet.petri.invariants import place_invariants
from placet.petri.mapping import gather, spread
from placet.petri.matching import count_of
from placet.petri.net import MANY
from placet.petri.plan import Plan, TransitionPlan, forget_callees, make_plan, shares
from placet.testing.abroad import Abroad
from placet.testing.beats import Beats
from placet.testing.calls import Calls
from placet.testing.copies import Copies, ends_of_copied
from placet.testing.errors import require, required
from placet.testing.functions import TagGuard, World
from placet.testing.image import Image, Outlook, outlook_of, read_image, value_of
from placet.testing.ledger import InstanceLedger, open_sums
from placet.testing.letters import Letters
from placet.testing.watches import check_watches, pair
from placet.testing.windows import Windows

ROOT_BYTES = 10
MOST_LOSSES = 6  # three, and three alone, as promised: not as the code under test has it
FAULTS_OF_ACTORS = {"placet.testing.probes.ActorFault"}
FAILURES_OF_HANDLERS = {
    qualified_name(MapError),  # people put tokens where maps have pieces
    "TimedOut",
    "HeartbeatLost",
    "DeadlinePassed",
    "StateConflict",
    NOT_CALLED,
    CHILD_FAILED,
    CHILD_CANCELLED,
    WRONG_RESULT,
    "placet.testing.functions.Misfortune",
    "placet.testing.functions.HopelessMisfortune",
    "placet.petri.errors.OutputError",
}
AttemptKey = tuple[bytes, int, int]  # (root, firing number, attempt)


@dataclass(slots=True)
class Checks:
    """Looks at every commit. `images` and `outlooks` are what the last one left, for other checks to use."""

    view: View
    world: World
    definitions: Mapping[str, Definition]  # by workflow, as this process knows them today
    letters: Letters
    inputs: dict[bytes, tuple[tuple[int, bytes], ...]] = field(
        default_factory=dict[bytes, tuple[tuple[int, bytes], ...]]
    )  # tokens of every spawn asked for, by the fingerprint of its inputs
    images: dict[bytes, Image] = field(default_factory=dict[bytes, Image])
    ledgers: dict[bytes, InstanceLedger] = field(default_factory=dict[bytes, InstanceLedger])
    released: set[AttemptKey] = field(default_factory=set[AttemptKey])  # starts handed to an executor
    doomed: set[AttemptKey] = field(default_factory=set[AttemptKey])  # lost in a crash, and not yet counted so
    spared: set[AttemptKey] = field(default_factory=set[AttemptKey])  # ended by a clean stop: never to be counted
    forgiven: set[AttemptKey] = field(default_factory=set[AttemptKey])  # lost, and not told: counted or not
    visiting: bool = False
    history: int = 0  # newest record of all
    trimmed: set[int] = field(default_factory=set[int])  # records that were deleted
    fired: int = 0
    copies: Copies = field(default_factory=Copies)
    calls: Calls = field(default_factory=Calls)
    beats: Beats = field(default_factory=Beats)
    abroad: Abroad = field(default_factory=Abroad)
    windows: Windows = field(default_factory=Windows)
    lacks_hosts: bool = False  # nobody can run a handler, and the engine knows
    broken: set[bytes] = field(default_factory=set[bytes])  # instances that were past help in some engine
    set_aside: set[str] = field(default_factory=set[str])  # targets and reasons of messages people see parked
    is_home: Callable[[int], bool] = field(default=lambda _shard: True)  # of a shard, among several engines
    _plans: dict[bytes, Plan] = field(default_factory=dict[bytes, Plan])
    _outlooks: dict[bytes, Outlook] = field(default_factory=dict[bytes, Outlook])

    def __post_init__(self) -> None:
        self.calls.engines.append(self)

    # -- what is known today ---------------------------------------------------------------------------------

    def know(self, definitions: Mapping[str, Definition], *, visiting: bool = False) -> None:
        """Another process runs now, which knows these workflows; `visiting`: for one message, and leaves again."""
        self.definitions = definitions
        self.visiting = visiting
        self._plans.clear()
        self._outlooks.clear()

    def look_for_hosts(self, lack: str) -> None:
        """The engine has been told that nobody can run a handler, or that somebody can again: ""."""
        self.lacks_hosts = bool(lack)
        self._outlooks.clear()

    def plan(self, image: Image) -> Plan:
        """Return the plan of an instance's stored net with the code this process knows."""
        digest = image.header.net
        plan = self._plans.get(digest)
        if plan is None:
            found = self.view.get(net_key(digest))
            stored = required(found, "the net is stored with its first instance", image.header.instance)
            definition = self.definitions.get(image.header.workflow)
            behaviours: Mapping[str, Behaviour] = definition.behaviours if definition else {}
            planned = make_plan(decode_stored_net(stored).net, behaviours)
            plan = self._plans[digest] = forget_callees(planned, self.definitions)
        return plan

    def outlook(self, root: bytes) -> Outlook:
        """Return what an instance could do next."""
        found = self._outlooks.get(root)
        if found is None:
            image = self.images[root]
            found = self._outlooks[root] = outlook_of(
                self.view, image, self.plan(image), lacks=self.lacks_hosts, visiting=self.visiting
            )
        return found

    # -- a commit --------------------------------------------------------------------------------------------

    def committed(self, writes: list[Write]) -> None:
        """Check all that a commit touched."""
        roots = sorted({key[:ROOT_BYTES] for key, _ in writes if key[:1] == LIVE and self.is_home(key[1])})
        before = {root: self.images.get(root) for root in roots}
        for root in roots:
            self.images[root] = required(read_image(self.view, root), "an instance keeps its header", root.hex())
            self._outlooks.pop(root, None)
        self._read_history(writes)
        for root in roots:
            self._check(root, before[root])

    def _read_history(self, writes: list[Write]) -> None:
        self.trimmed |= {
            int.from_bytes(key[1:], "big") for key, value in writes if key[:1] == HISTORY and value is None
        }
        records: list[tuple[int, Record]] = []
        for key in sorted(key for key, value in writes if key[:1] == HISTORY and value is not None):
            sequence = int.from_bytes(key[1:], "big")
            require(sequence == self.history + 1, "history is one log", f"{sequence} follows {self.history}")
            self.history = sequence
            record = decode_record(self.view.get(key) or b"")
            if self.is_home(record.root[1]):  # else it comes with its shard
                records.append((sequence, record))
        copied = ends_of_copied(records)
        for sequence, record in records:
            end = copied.get(record.root, 0)
            if sequence > end:
                self._enter(sequence, record)
                continue
            ledger = self.ledgers.setdefault(record.root, InstanceLedger(record.root))
            if sequence < end:
                ledger.inherit(sequence, record)
            else:
                self.copies.begin(ledger, sequence, record, self.images[record.root])

    def _enter(self, sequence: int, record: Record) -> None:
        root = record.root
        require(root in self.images, "history belongs to an instance", record)
        ledger = self.ledgers.setdefault(root, InstanceLedger(root))
        image = self.images[root]
        plan = self.plan(image)
        ledger.enter(sequence, record, plan)
        key = (root, record.firing, record.attempt)
        if record.kind == "fired":
            self.fired += 1
            if not ledger.firing(record.firing).is_skipped:
                self.letters.count((record.root, record.firing, record.attempt))
            self._check_ran(record, image, plan, ledger)
            self.doomed.discard(key)
        elif record.kind == "attempt_failed":
            self.doomed.discard(key)
        elif record.kind == "lost":
            require(key not in self.spared, "a clean stop counts nothing", record)
            interrupted = self.doomed | self.forgiven | self.abroad.lost
            require(key in interrupted, "P2: only what a crash interrupted is lost, or another host's", record)
            self.doomed.discard(key)
            self.forgiven.discard(key)
            self.abroad.lost.discard(key)  # it counts once
        elif record.kind == "incident" and record.firing in image.firings:
            if any(parked.firing == record.firing for parked in image.parked):
                self.doomed.discard(key)  # its result came before its loss was known, and could not be counted
            self._check_gave_up(image.firings[record.firing], ledger, plan)

    def _check_ran(self, record: Record, image: Image, plan: Plan, ledger: InstanceLedger) -> None:
        """P2: a counted result comes from a handler that has run, for an attempt that was let go."""
        transition = plan.transitions[plan.transition_index[record.transition]]
        if transition.executor in (INLINE, PERSON) or ledger.firing(record.firing).is_skipped:
            return
        if transition.executor == CALL:
            self.calls.check_returned(image, record)
            return
        key = (record.root, record.firing, record.attempt)
        require(key in self.released, "P2: no result without a start", record)
        if transition.behaviour is not None and transition.behaviour.handler in (spread, gather):
            return  # the map's own, which tell nobody that they ran
        identity = f"{image.header.instance}#{image.header.incarnation:08x}.{record.firing}"
        require((identity, record.attempt) in self.world.begun, "P2: no result without a handler", record)

    def _check_gave_up(self, firing: Firing, ledger: InstanceLedger, plan: Plan) -> None:
        """A firing becomes an incident when its policy gives up, not before."""
        account = ledger.firing(firing.number)
        last = firing.failures[-1]
        if firing.phase is not Phase.INCIDENT or last.type not in FAILURES_OF_HANDLERS:
            return
        behaviour = plan.transitions[firing.transition].behaviour
        policy = behaviour.retry if behaviour else None
        delay_s = policy.delay_s(account.failed, last.types, firing.number) if policy else None
        deadline_s = behaviour.deadline_s if behaviour else None
        late = deadline_s is not None and firing.since + (delay_s or 0.0) >= firing.chosen + deadline_s
        require(delay_s is None or late, "Retry is used up before an incident", f"{firing} after {account}")

    # -- one instance ----------------------------------------------------------------------------------------

    def _check(self, root: bytes, before: Image | None) -> None:
        image = self.images[root]
        ledger = required(self.ledgers.get(root), "every instance has a history", image.header.instance)
        plan = self.plan(image)
        if ledger.sums is None:
            ledger.sums = open_sums(place_invariants(plan), self._first_tokens(image))
        ledger.check_marking(image)
        self._check_named_values(image, before)
        to_come = {one.timer: (one.by, one.due) for one in image.scheduled.values()}
        booked = {} if image.is_over else ledger.scheduled
        require(to_come == booked, "what is to come is known", f"{image.header.instance}: {to_come} {booked}")
        require(not (image.is_over and image.watchers), "who watches is told of the end", image.header.instance)
        ledger.check_invariants(image)
        chunks = image.needed_chunks()
        require(image.chunks == chunks, "large values are whole, and leave nothing behind", image.header.instance)
        for firing in image.firings.values():
            self._check_firing(image, firing, ledger, plan)
        self.beats.check(image, before, plan)
        if before is not None and before.is_over:
            require(image.places == before.places, "what has ended stays as it is", image.header.instance)
        self._check_places(image, plan)
        self._check_state(image)
        self.calls.check(image, is_new=before is None)
        self._check_reasons(image)

    def _first_tokens(self, image: Image) -> Sequence[tuple[int, bytes]]:
        return self.calls.first_tokens(image) if image.header.caller else self.inputs[image.header.inputs]

    def _check_reasons(self, image: Image) -> None:
        """Only users' functions and planted faults fail here: anything else is an error of the engine's own."""
        for parked in image.parked:
            require(parked.failure.type in FAULTS_OF_ACTORS, "no faults but planted ones", parked.failure.traceback)
            self._excuse(decode_message(parked.message))
        failures = [incident.failure for incident in image.guard_incidents]
        failures += [failure for firing in image.firings.values() for failure in firing.failures]
        for failure in failures:
            known = failure.type in FAILURES_OF_HANDLERS or failure.type in FAULTS_OF_ACTORS or failure.type == "Lost"
            require(known, "no failures but users' own", failure.traceback)

    def _check_firing(self, image: Image, firing: Firing, ledger: InstanceLedger, plan: Plan) -> None:
        transition = plan.transitions[firing.transition]
        what = f"{image.header.instance} {transition.path} {firing.number}"
        for tokens, arcs in ((firing.tokens, transition.inputs), (firing.seen, transition.reads)):
            position = 0
            for arc, count in zip(arcs, shares(arcs, len(tokens)), strict=True):
                taken = tokens[position : position + count]
                position += count
                require(len(taken) == count >= 0, "weights of inputs", what)
                require(all(place == arc.place for place, _, _ in taken), "weights of inputs", what)
                if isinstance(arc.guard, TagGuard):
                    values = [value_of(self.view, image.root, stored) for _, _, stored in taken]
                    require(all(arc.guard.lets(value) for value in values), "guards are respected", what)
            require(position == len(tokens), "weights of inputs", what)
        self._check_keys(image, firing, transition, what)
        self.windows.held_up[image.root, firing.number, firing.attempt] = firing.held_up
        account = ledger.firing(firing.number)
        require(firing.failed == account.failed, "P2: failures are counted", f"{what}: {firing.failed}, {account}")
        require(firing.losses == account.losses, "P2: losses are counted", f"{what}: {firing.losses}, {account}")
        require(firing.number not in ledger.fired, "P2: a firing counts once", f"{what} goes on after it fired")
        is_at_rest = firing.phase not in (Phase.READY, Phase.RUNNING, Phase.SUSPECT)
        require(firing.losses < MOST_LOSSES or is_at_rest, "P2: no crash loop", f"{what}: lost {firing.losses} times")

    def _check_keys(self, image: Image, firing: Firing, transition: TransitionPlan, what: str) -> None:
        """Tokens of keyed inputs have equal keys."""
        keys = {arc.place: arc.key for arc in transition.inputs if arc.key is not None}
        found = {
            key(value_of(self.view, image.root, stored))
            for place, _, stored in firing.tokens
            if (key := keys.get(place)) is not None
        }
        require(len(found) <= 1, "join keys are respected", f"{what}: {found}")
        many = next((arc for arc in transition.inputs if arc.weight == MANY and arc.key is not None), None)
        if many is not None:
            members = sum(place == many.place for place, _, _ in firing.tokens)
            require({count_of(key) for key in found} == {members}, "groups are whole", f"{what}: {members} of {found}")

    def _check_places(self, image: Image, plan: Plan) -> None:
        """Capacities hold, and every token knows when it came where somebody has to know."""
        for index, tokens in image.places.items():
            place = plan.places[index]
            put_back = image.header.intent in ENDING
            full = len(tokens) <= place.capacity or not place.capacity or place.is_entry or put_back
            require(full, "capacities are respected", f"{image.header.instance} {place.path}: {len(tokens)}")
            if place.delayed:
                require(set(tokens) <= set(image.delays), "arrivals are noted", f"{image.header.instance} {place.path}")
        for index, frozen in image.frozen.items():
            require(frozen <= set(image.places.get(index, ())), "frozen tokens are there", image.header.instance)
        self._check_tasks(image, plan)
        everywhere = {token for tokens in image.places.values() for token in tokens}
        everywhere |= {token for firing in image.firings.values() for _, token, _ in firing.tokens}
        require(set(image.delays) <= everywhere, "arrivals are forgotten with their tokens", image.header.instance)

    def _excuse(self, message: KernelMessage) -> None:
        """A message parked in an instance, where people can see it, need not arrive."""
        if isinstance(message, Undelivered):
            self.set_aside.add(message.target)
        elif isinstance(message, Intervention):
            self.set_aside |= {message.why, pair(message.instance, message.by)}  # it may tell of an end
        elif isinstance(message, Schedule):
            self.set_aside.add(message.by)
        elif isinstance(message, Watch):
            self.set_aside.add(pair(message.watcher, message.instance))

    def _check_named_values(self, image: Image, before: Image | None) -> None:
        """The state of an instance is what the results that counted made of it."""
        known = self.letters.states.setdefault(image.root, {} if before else dict(image.state))
        require(image.state == known, "state counts with its result", f"{image.header.instance}: {image.state} {known}")

    def _check_tasks(self, image: Image, plan: Plan) -> None:
        """An open task is for a token that is there; that there are some can be found without looking at all."""
        noted = self.view.get(tasks_key(image.root)) is not None
        require(noted == bool(image.tasks), "waiting tasks are noted", f"{image.header.instance}: {image.tasks}")
        require(not (image.is_over and image.tasks), "what has ended asks nobody", image.header.instance)
        for task in image.tasks.values():
            stored = image.places.get(task.place, {}).get(task.token)
            free = stored is not None and task.token not in image.frozen.get(task.place, ())
            require(free, "a task is for a free token", f"{image.header.instance} {task}")
            (arc,) = plan.transitions[task.transition].inputs
            if isinstance(arc.guard, TagGuard) and stored is not None:
                value = value_of(self.view, image.root, stored)
                require(arc.guard.lets(value), "guards are respected", f"{image.header.instance} {task}")

    def _check_state(self, image: Image) -> None:
        header = image.header
        outlook = self.outlook(image.root)
        if image.is_over:
            require(not image.firings, "what has ended has no firings", header.instance)
            if header.intent is Intent.RUN:
                idle = not (outlook.enabled or outlook.inner or image.incidents)
                require(idle, "completed is true", header.instance)
        else:
            # Shards may have filled up in this batch, before the instance was looked at last or after.
            expected, otherwise = outlook.state(self.windows.full), outlook.state(self.windows.least)
            vague = self.visiting and {header.state, expected} == {InstanceState.RUNNING, InstanceState.WAITING}
            require(
                vague or header.state in (expected, otherwise),
                f"the state {expected.value} is told",
                f"{header.instance}: {header.state}",
            )
            seen = header.awake or not outlook.moves
            require(seen, "a start finds what can move", f"{header.instance} is {header.state} and marked as idle")

    def adopt(self, other: "Checks", image: Image) -> None:
        """Take over an instance, as it is here, from the engine its shard was moved from."""
        root, ledger = image.root, other.ledgers.pop(image.root)
        chain = [record for _, record in walk(other.view, ledger.last)]
        ledger.is_cut = ledger.is_cut or (bool(chain) and chain[-1].link in other.trimmed)
        ledger.last = image.last_link
        self.images[root], self.ledgers[root] = image, ledger
        del other.images[root]
        other._outlooks.pop(root, None)
        self.forgiven |= {key for key in other.doomed | other.forgiven if key[0] == root}
        self.spared |= {key for key in other.spared if key[0] == root}
        for keys in (other.doomed, other.forgiven, other.spared):
            keys.difference_update([key for key in keys if key[0] == root])

    # -- crashes ---------------------------------------------------------------------------------------------

    def running(self) -> set[AttemptKey]:
        """Return the attempts that are running, as the store shows it."""
        return {
            (root, firing.number, firing.attempt)
            for root, image in self.images.items()
            for firing in image.firings.values()
            if firing.phase is Phase.RUNNING
        }

    def crashed(self) -> None:
        """The engine ended: what ran must be counted as lost, unless it ran elsewhere, or may have."""
        running = self.running()
        self.spared &= running
        self.forgiven &= running
        self.forgiven |= {key for key in running - self.doomed - self.spared if self._ran_elsewhere(key)}
        self.doomed = (self.doomed | running) - self.spared - self.forgiven

    def _ran_elsewhere(self, key: AttemptKey) -> bool:
        """Return whether an attempt came here with its shard: it has begun by a clean stop of this engine, or the
        shard is not open yet.
        """
        firing = self.images[key[0]].firings[key[1]]
        return firing.since <= read_stamp(self.view).stopped_s or isinstance(read_owner(self.view, key[0][1]), Staged)

    def stopped(self, is_closed: Callable[[int], bool]) -> None:
        """The engine ended cleanly: nothing may be counted as lost.

        Where an instance could not even be told of an earlier crash, that crash may be forgiven with the rest; so it
        is where its shard is closed.
        """
        deaf = {
            root
            for root, image in self.images.items()
            if is_closed(root[1]) or any(one.kind == "Recover" for one in image.parked)
        }
        self.forgiven |= {key for key in self.doomed if key[0] in deaf}
        self.spared |= self.running() - self.doomed - self.forgiven
        self.doomed -= self.forgiven

    def check_letters(self) -> None:
        """What instances sent to each other has arrived, once, whichever engine they live in."""
        accepted = Counter[str]()
        known, excused = set[str](), set[str]()
        for checks in self.calls.engines:
            left = [key for key, _ in checks.view.scan(OUTBOX)]
            left += [key for key, _ in checks.view.scan(CHANNEL) if split_channel(key)[1]]
            require(not left, "what was sent arrives", left)
            known |= {image.header.instance for image in checks.images.values()}
            excused |= checks.set_aside
            for ledger in checks.ledgers.values():
                accepted.update(ledger.accepted)
                excused |= ledger.undelivered
        deaf = {root for checks in self.calls.engines for root, one in checks.ledgers.items() if one.is_deaf}
        deaf = deaf.union(*(checks.broken for checks in self.calls.engines))
        self.letters.check_end(known, excused, deaf, accepted)
        check_watches(self.calls, self.letters, excused, deaf)

    def check_histories(self) -> None:
        """Every history leads back to its `spawned`, and tells as many results as were counted."""
        for root, ledger in self.ledgers.items():
            records = [record for _, record in walk(self.view, ledger.last)]
            kinds = [record.kind for record in records]
            is_whole = kinds[-1:] == ["spawned"] or (ledger.is_copy and bool(records) and not records[-1].link)
            is_cut = ledger.is_cut or (bool(records) and records[-1].link in self.trimmed)
            require(is_whole or is_cut, "history leads back to spawned, or to where it was trimmed", root.hex())
            counted = kinds.count("fired")
            require(counted <= len(ledger.fired), "P2: a firing counts once", root.hex())
            require(is_cut or counted == len(ledger.fired), "P2: a firing counts once", root.hex())
