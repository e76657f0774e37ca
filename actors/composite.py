"""The composite actor: its firings. It takes tokens for them, starts them, and counts what came of them."""

from collections.abc import Container, Iterable
from math import inf
from typing import TYPE_CHECKING, Final

from placet.actors import deadlines
from placet.actors.calls import TOOK_TOO_LONG, call, cancel_child
from placet.actors.congestion import number_of_call
from placet.actors.effects import Expire, ExpireReason, Start
from placet.actors.failed_firing import FailedFiring
from placet.actors.guards import forget_taken
from placet.actors.lifecycle import ENDING
from placet.actors.phases import check_phase
from placet.actors.place import TakenToken
from placet.actors.records import (
    CRASH_SUSPECT,
    DEADLINE_PASSED,
    KEPT_FAILURES,
    LOST,
    RUNNING,
    Failure,
    Firing,
    LastBeat,
    Phase,
)
from placet.actors.turn import Turn
from placet.actors.usercode import Outputs, failure_of, pass_through, run_handler
from placet.persistence.blobs import REF
from placet.persistence.history import Detail, RecordKind
from placet.persistence.keys import FIRING, kind_prefix
from placet.persistence.values import encode
from placet.petri.behaviour import INLINE
from placet.petri.net import MANY
from placet.petri.plan import CompositePlan, TransitionPlan, shares
from placet.supervision.losses import ALONE_FROM, LossVerdict, after_loss

if TYPE_CHECKING:
    from placet.actors.workflow import WorkflowActor

# A member of an enum costs a look-up each time: those of every firing are looked up once.
BORN: Final = Phase.RUNNING
FIRED: Final = RecordKind.FIRED
ASK_AGAIN_S = 0.25  # an executor that has not answered for an expired firing is asked again


class CompositeActor:
    """The firings of one composite; index 0 is the root's own.

    Durable entries: `FIRING` | slot -> `records.Firing`. A slot is the number of the firing that had it first; the
    one chosen in the turn in which another ends overwrites its record, which is cheaper than a delete and a put.
    """

    __slots__ = ("firings", "plan", "prefix", "workflow")

    def __init__(self, plan: CompositePlan, workflow: "WorkflowActor") -> None:
        self.plan = plan
        self.workflow = workflow
        self.prefix = kind_prefix(workflow.root, plan.index, FIRING)
        self.firings: dict[int, Firing] = {}

    # -- choosing ------------------------------------------------------------------------------------------

    def fire(self, turn: Turn, transition: TransitionPlan) -> bool:
        """Take the tokens of an enabled transition and fire it; return whether it may be enabled again."""
        workflow = self.workflow
        places = workflow.places
        arc = transition.single
        tokens: tuple[TakenToken, ...]
        if arc is not None:
            place = places[arc.place] or workflow.place(arc.place)
            tokens = (place.take_one(turn, arc.queue),)
            again = bool(place.tokens)
            if not again and place.frozen is None:
                places[arc.place] = None  # an empty place is made anew when a token comes: it need not be kept
        else:
            tokens, again = self._take(turn, transition)
        workflow.inner -= len(tokens)
        if workflow.guard_incidents:
            forget_taken(workflow, turn, tokens)
        number = workflow.serial + 1 if transition.called is None else number_of_call(workflow, transition)
        workflow.serial = number
        firing = Firing(number, transition.index, tokens, BORN)
        firing.since = turn.now
        if transition.reads:
            firing.seen = workflow.seen(turn, transition)
        if transition.executor == INLINE:
            self._run_inline(turn, firing, transition, born=True)
        else:
            self.firings[number] = firing
            workflow.counts[RUNNING] += 1
            if transition.bounds:
                workflow.reserve(transition.index, 1)
            self._enter(turn, firing)
            self._start(turn, firing, transition)
        return again

    def _take(self, turn: Turn, transition: TransitionPlan) -> tuple[tuple[TakenToken, ...], bool]:
        """Return the tokens of a join or a weighted arc, and whether each place may have enough left."""
        workflow = self.workflow
        taken: list[TakenToken] = []
        again = True
        matched = iter(workflow.matched(transition))
        for arc in transition.inputs:
            place = workflow.place(arc.place)
            if arc.keyed:
                taken += [place.remove(turn, token) for token in next(matched)]
            else:
                taken += place.take(turn, arc.queue, arc.weight)
            if len(place.tokens) < (arc.weight or 1):
                again = again and arc.weight == MANY  # there may be a group without members
                if not place.count:
                    workflow.places[arc.place] = None
        return tuple(taken), again

    def start_again(self, turn: Turn, firing: Firing) -> None:
        """Start a firing that was chosen before: after a back-off, a loss or an intervention."""
        transition = self.workflow.plan.transitions[firing.transition]
        if turn.now >= deadlines.latest(firing, transition.behaviour):
            late = Failure(type=DEADLINE_PASSED, message="no attempt of it had counted by then", attempt=firing.attempt)
            note_failure(firing, _dated(late, firing.attempt, turn.now))
            self._give_up(turn, firing, late)
            return
        firing.attempt += 1
        if transition.executor == INLINE:
            self._run_inline(turn, firing, transition, born=False)
        else:
            self.set_phase(turn, firing, Phase.RUNNING)
            self._start(turn, firing, transition)

    def _start(self, turn: Turn, firing: Firing, transition: TransitionPlan) -> None:
        behaviour = transition.behaviour
        assert behaviour is not None, transition.path
        if transition.called is not None:
            self.set_phase(turn, firing, Phase.CALLED)
        timeout_s = behaviour.timeout_s
        if behaviour.deadline_s is not None or behaviour.heartbeat_s is not None:
            if behaviour.deadline_s is not None:
                firing.chosen = firing.chosen or turn.now
            firing.due = deadlines.due(firing, behaviour, turn.now)
            turn.timers.append((firing.number, 0.0, firing.due, transition.index))
        elif timeout_s is not None:
            firing.due = turn.now + timeout_s
            turn.timers.append((firing.number, 0.0, firing.due, transition.index))
        workflow = self.workflow
        tokens = firing.tokens
        if transition.single is None or tokens[0][2][0] == REF:
            tokens = self.arguments(firing, transition)
        if transition.called is not None:
            turn.inline_left -= 1
            problem = call(workflow, turn, firing, transition, [value for _, _, value in tokens])
            if problem is not None:
                self.fail(turn, firing, problem)
            return
        if turn.shares:
            turn.shares[transition.executor] = turn.shares.get(transition.executor, 0) - 1
        turn.starts.append(
            Start(
                root=workflow.root,
                instance=workflow.header.instance,
                incarnation=workflow.header.incarnation,
                transition=transition,
                number=firing.number,
                attempt=firing.attempt,
                tokens=tokens,
                state=tuple(workflow.state.values.items()) if behaviour.takes_context else (),
                progress=firing.beat.progress if firing.beat is not None else None,
                full=workflow.services.credit.full,
            )
        )
        if turn.observed:
            workflow.progress(turn, RecordKind.STARTED, transition.path, firing.number, firing.attempt)

    def _run_inline(self, turn: Turn, firing: Firing, transition: TransitionPlan, *, born: bool) -> None:
        turn.inline_left -= 1
        result = self._inline_result(firing, transition)
        if not isinstance(result, Failure):
            self.finish(turn, firing, transition, result, born=born)
            return
        if born:
            self.firings[firing.number] = firing
            self.workflow.counts[firing.phase] += 1
            self.workflow.reserve(firing.transition, 1)
            self._enter(turn, firing)
        self.fail(turn, firing, result)

    def _inline_result(self, firing: Firing, transition: TransitionPlan) -> Outputs | Failure:
        workflow = self.workflow
        behaviour = transition.behaviour
        assert behaviour is not None, transition.path
        tokens = firing.tokens
        if transition.single is None or tokens[0][2][0] == REF:
            tokens = self.arguments(firing, transition)
        if behaviour.handler is None and len(transition.arguments) == len(tokens) == 1:
            return pass_through(transition, tokens)  # nobody looks into the value
        header, services = workflow.header, workflow.services
        if services.suspects.known and services.suspects.is_guilty(header.instance, transition.path):
            return Failure(type=CRASH_SUSPECT, message="its process ended twice while this handler ran in the kernel")
        services.marker.enter(workflow.mark, transition.path, services.slots.accompanied)
        if behaviour.handler is None:
            result = pass_through(transition, tokens)
        else:
            result = run_handler(transition, tokens, header.instance, header.incarnation, firing.number, firing.attempt)
        services.marker.leave()
        if services.suspects.known:
            services.suspects.clear(header.instance, transition.path)  # the process has outlived it
        return result

    def arguments(self, firing: Firing, transition: TransitionPlan) -> tuple[TakenToken, ...]:
        """Return the tokens taken and read, in the order in which the arcs are written, large values read."""
        if not firing.seen:
            return self.workflow.loaded(firing.tokens)
        taken, seen, arcs = iter(firing.tokens), iter(firing.seen), transition.arguments
        counts = shares(arcs, len(firing.tokens) + len(firing.seen))
        return self.workflow.loaded(
            tuple(
                next(seen if arc.reads else taken)
                for arc, count in zip(arcs, counts, strict=True)
                for _ in range(count)
            )
        )

    # -- what came of it -----------------------------------------------------------------------------------

    def finish(
        self, turn: Turn, firing: Firing, transition: TransitionPlan, outputs: Outputs, *, born: bool = False
    ) -> None:
        """Count a result: the firing and its tokens go, the outputs are deposited."""
        workflow = self.workflow
        if not born:
            self._drop(turn, firing)
        tokens, targets = firing.tokens, transition.outputs
        for _, _, value in tokens:
            if value[0] == REF:
                workflow.discard(turn, value)
        consumed = [token for _, token, _ in tokens] if len(tokens) != 1 else tokens[0][1:2]
        if transition.leaves:
            consumed = [*consumed, *self._conclude(turn, firing, transition)]
        produced = [workflow.deposit(turn, targets[position][0], value) for position, value in outputs]
        workflow.fired += 1
        turn.fired += 1
        workflow.record(turn, FIRED, transition.path, firing.number, firing.attempt, consumed, produced)

    def _conclude(self, turn: Turn, firing: Firing, transition: TransitionPlan) -> list[int]:
        """Let go of what a firing had read and of its tokens' delays; return the tokens it removes by reset arcs."""
        workflow = self.workflow
        workflow.discard_seen(turn, firing)
        for _, token, _ in firing.tokens:
            workflow.delays.forget(turn, token)
        return [token for place in transition.resets for token in workflow.clear(turn, place)]

    def fail(self, turn: Turn, firing: Firing, failure: Failure, retry_after_s: float | None = None) -> None:
        """Count a failed attempt: back off and try again if the policy says so, else it is an incident."""
        firing.failed += 1
        failure = _dated(failure, firing.attempt, turn.now)
        note_failure(firing, failure)
        transition = self.workflow.plan.transitions[firing.transition]
        detail: Detail = {"type": failure.type, "message": failure.message}
        kind, path = RecordKind.ATTEMPT_FAILED, transition.path
        self.workflow.record(turn, kind, path, firing.number, firing.attempt, detail=detail)
        if failure.type == CRASH_SUSPECT:
            self.raise_incident(turn, firing)
            return
        delay_s = self._delay_s(turn, firing, transition, failure)
        again = None if delay_s is None else turn.now + max(delay_s, retry_after_s or 0.0)
        if again is None or again >= deadlines.latest(firing, transition.behaviour):
            self._give_up(turn, firing, firing.failures[-1])
            return
        self.set_phase(turn, firing, Phase.BACKOFF)
        firing.due = again
        turn.timers.append((firing.number, 0.0, firing.due, firing.transition))

    def _delay_s(self, turn: Turn, firing: Firing, transition: TransitionPlan, failure: Failure) -> float | None:
        """Ask the retry policy how long to wait; one that raises, or answers nonsense, has given up."""
        policy = transition.behaviour.retry if transition.behaviour else None
        if policy is None:
            return None
        marker = self.workflow.services.marker
        marker.enter(self.workflow.mark, transition.path, self.workflow.services.slots.accompanied)
        try:
            delay_s = policy.delay_s(firing.failed, failure.types, firing.number)
            if not _is_answer(delay_s):
                raise ValueError(f"the retry policy said to wait {delay_s!r} seconds")
        except BaseException as error:  # a policy may be user code, which may raise anything
            broken = failure_of(error, firing.attempt, turn.now)
            note_failure(firing, broken)
            delay_s = None
        marker.leave()
        return delay_s

    def _give_up(self, turn: Turn, firing: Firing, failure: Failure) -> None:
        """A firing has failed for good: it goes to the place of its error arc, or to a person."""
        transition = self.workflow.plan.transitions[firing.transition]
        if transition.error >= 0:
            self._divert(turn, firing, transition, failure)
        else:
            self.raise_incident(turn, firing)

    def _divert(self, turn: Turn, firing: Firing, transition: TransitionPlan, failure: Failure) -> None:
        """Give a firing that failed for good, and its tokens' values, to the place of its error arc."""
        workflow = self.workflow
        failed = FailedFiring(
            transition=transition.path,
            type=failure.type,
            message=failure.message,
            attempts=firing.attempt,
            encoded=tuple(value for _, _, value in workflow.loaded(firing.tokens)),
        )
        self._drop(turn, firing)
        for _, token, value in firing.tokens:
            workflow.delays.forget(turn, token)
            if value[0] == REF:
                workflow.discard(turn, value)
        workflow.discard_seen(turn, firing)
        produced = [workflow.deposit(turn, transition.error, encode(failed))]
        consumed = [token for _, token, _ in firing.tokens]
        detail: Detail = {"type": failure.type, "message": failure.message}
        kind, path = RecordKind.ERROR, transition.path
        workflow.record(turn, kind, path, firing.number, firing.attempt, consumed, produced, detail)

    def raise_incident(self, turn: Turn, firing: Firing) -> None:
        """Leave a firing to a person; its tokens stay with it."""
        self.set_phase(turn, firing, Phase.INCIDENT)
        last = firing.failures[-1]
        path = self.workflow.plan.transitions[firing.transition].path
        detail = {"type": last.type, "message": last.message}
        self.workflow.record(turn, RecordKind.INCIDENT, path, firing.number, firing.attempt, detail=detail)

    def lost(
        self, turn: Turn, firing: Firing, *, clean: bool, reason: str = "the engine ended while this attempt ran"
    ) -> None:
        """The engine went while this firing ran, or another host did: what next depends on how often that was so."""
        if clean:
            self.make_ready(turn, firing)
            return
        firing.losses += 1
        failure = Failure(type=LOST, message=reason, attempt=firing.attempt)
        note_failure(firing, _dated(failure, firing.attempt, turn.now))
        path = self.workflow.plan.transitions[firing.transition].path
        detail = {"losses": firing.losses}
        self.workflow.record(turn, RecordKind.LOST, path, firing.number, firing.attempt, detail=detail)
        verdict = after_loss(firing.losses)
        if verdict is LossVerdict.INCIDENT:
            self.raise_incident(turn, firing)
        else:
            self.set_phase(turn, firing, Phase.SUSPECT if verdict is LossVerdict.ALONE else Phase.READY)

    def due(self, turn: Turn, firing: Firing) -> None:
        """A timer of a firing has come."""
        if firing.due > turn.now:
            return  # of an earlier attempt: it was on its way when that attempt's answer came
        if firing.phase is Phase.BACKOFF:
            self.make_ready(turn, firing)
        elif firing.phase is Phase.RUNNING and firing.due:
            behaviour = self.workflow.plan.transitions[firing.transition].behaviour
            end = -inf if behaviour is None else deadlines.end(firing, behaviour)
            self._expire(turn, firing, ExpireReason.TIME if end <= turn.now else ExpireReason.SILENCE)
            again = turn.now + ASK_AGAIN_S
            turn.timers.append((firing.number, 0.0, min(again, end) if end > turn.now else again, firing.transition))
        elif firing.phase is Phase.CALLED and firing.due:
            cancel_child(self.workflow, turn, firing, TOOK_TOO_LONG)

    def call_off(self, turn: Turn, reason: ExpireReason, transitions: Container[int] | None = None) -> None:
        """Take back what was handed to executors and has not begun: of some transitions, or of all."""
        for firing in self.firings.values():
            if firing.phase is Phase.RUNNING and (transitions is None or firing.transition in transitions):
                self._expire(turn, firing, reason)

    def _expire(self, turn: Turn, firing: Firing, reason: ExpireReason) -> None:
        executor, root = self.workflow.plan.transitions[firing.transition].executor, self.workflow.root
        expire = Expire(executor=executor, root=root, number=firing.number, attempt=firing.attempt, reason=reason)
        turn.rare().expires.append(expire)

    def beat(self, turn: Turn, firing: Firing, progress: bytes | None) -> None:
        """The handler of a running firing has given a sign of life; one in an instance that is to end is told so."""
        if progress is None and firing.beat is not None:
            progress = firing.beat.progress
        firing.beat = LastBeat(turn.now, firing.attempt, progress)
        behaviour = self.workflow.plan.transitions[firing.transition].behaviour
        if behaviour is not None and behaviour.heartbeat_s is not None:
            before, firing.due = firing.due, deadlines.due(firing, behaviour, turn.now)
            turn.timers.append((firing.number, before, firing.due, firing.transition))
        if firing.number not in turn.firings:
            turn.firings[firing.number] = (self, firing, False)
        if self.workflow.header.intent in ENDING:
            self._expire(turn, firing, ExpireReason.CANCELLED)

    def end_idle(self, turn: Turn, firing: Firing) -> None:
        """Put back a firing that no longer runs, in an instance that is to end."""
        if self.workflow.header.intent in ENDING and firing.number in self.firings:
            self.put_back(turn, [firing])

    def put_back(self, turn: Turn, firings: Iterable[Firing]) -> None:
        """Undo the choice of firings that do not run: their tokens return to their places with their age."""
        for firing in sorted(firings, key=_youngest, reverse=True):
            if firing.phase is Phase.SUSPECT:
                turn.rare().acquitted.append(firing.number)
            self._drop(turn, firing)
            self.workflow.discard_seen(turn, firing)
            for place, token, value in reversed(firing.tokens):  # the youngest first: each then goes to the front
                self.workflow.restore(turn, place, token, value)
            path = self.workflow.plan.transitions[firing.transition].path
            self.workflow.record(turn, RecordKind.PUT_BACK, path, firing.number, firing.attempt)

    def make_ready(self, turn: Turn, firing: Firing) -> None:
        """Let a firing be started as soon as there is a slot: alone, if it was lost too often."""
        self.set_phase(turn, firing, Phase.SUSPECT if firing.losses >= ALONE_FROM else Phase.READY)

    def set_phase(self, turn: Turn, firing: Firing, phase: Phase) -> None:
        """Move a firing to another phase: counted, timed and written. Raises `IllegalPhase`."""
        check_phase(firing.phase, phase)
        workflow = self.workflow
        workflow.counts[firing.phase] -= 1
        workflow.counts[phase] += 1
        workflow.forget_ready(firing)
        if phase is Phase.READY:
            workflow.note_ready(firing, self)
        if firing.phase is Phase.SUSPECT:
            turn.rare().acquitted.append(firing.number)
        if phase is Phase.SUSPECT:
            turn.rare().suspects.append(firing)
        firing.phase = phase
        firing.since = turn.now
        if firing.due:
            turn.timers.append((firing.number, firing.due, 0.0, firing.transition))
            firing.due = 0.0
        if firing.number not in turn.firings:
            turn.firings[firing.number] = (self, firing, False)

    def _drop(self, turn: Turn, firing: Firing) -> None:
        del self.firings[firing.number]
        workflow = self.workflow
        workflow.counts[firing.phase] -= 1
        if workflow.ready:
            workflow.forget_ready(firing)
        if workflow.reserved:
            workflow.reserve(firing.transition, -1)
        if firing.due:
            turn.timers.append((firing.number, firing.due, 0.0, firing.transition))
        if turn.firings:
            turn.firings.pop(firing.number, None)
        turn.freed.append((self.plan.index, firing.slot))

    def _enter(self, turn: Turn, firing: Firing) -> None:
        """Give a new firing its record: one that is free in this turn, or its own."""
        freed = turn.freed
        born = not freed or freed[-1][0] != self.plan.index
        firing.slot = firing.number if born else freed.pop()[1]
        turn.firings[firing.number] = (self, firing, born)


def note_failure(firing: Firing, failure: Failure) -> None:
    """Keep a failure with its firing; of many, the last."""
    firing.failures = (*firing.failures, failure)[-KEPT_FAILURES:]


def _is_answer(value: object) -> bool:
    """Return whether a retry policy may answer this: a user's may return anything, whatever its annotations say."""
    return value is None or (isinstance(value, float | int) and 0.0 <= value < inf)


def _youngest(firing: Firing) -> int:
    return max(token for _, token, _ in firing.tokens)


def _dated(failure: Failure, attempt: int, now: float) -> Failure:
    return Failure(
        type=failure.type,
        message=failure.message,
        traceback=failure.traceback,
        attempt=attempt,
        at=now,
        types=failure.types,
    )
