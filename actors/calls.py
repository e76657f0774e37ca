"""Called composites: a firing that a child instance works on, and what the child gives back.

The two sides speak by messages alone, `Call`, `Return` and `Cancel`, each on disk until it has had its effect, so that
it does not matter where the child lives. The firing keeps its tokens until the child has returned.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import count, islice
from typing import TYPE_CHECKING

from placet.actors.arguments import LONGEST_ID
from placet.actors.catalog import registered
from placet.actors.declared_types import Given, misfit
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import (
    MOST_MESSAGE_BYTES,
    Call,
    Cancel,
    Return,
    Spawn,
    decode_message,
    encode_message,
)
from placet.actors.records import TIMED_OUT, Caller, Failure, Firing, Header, Phase, encode
from placet.actors.services import Services
from placet.actors.spawn_named import spawn_of
from placet.actors.troubles import forget_trouble
from placet.actors.turn import Turn
from placet.actors.usercode import Outputs
from placet.persistence.history import Detail, RecordKind
from placet.persistence.keys import shard_of
from placet.petri.behaviour import Definition
from placet.petri.calling import entries_of
from placet.petri.plan import TransitionPlan

if TYPE_CHECKING:
    from placet.actors.composite import CompositeActor
    from placet.actors.workflow import WorkflowActor

NOT_CALLED = "NotCalled"  # the child could not begin
CHILD_FAILED = "ChildFailed"
CHILD_CANCELLED = "ChildCancelled"
WRONG_RESULT = "WrongResult"  # what the child left in its exits is not what the outputs take
TOOK_TOO_LONG = "it took too long"
_SALT = re.compile(r"(?<=[0-9])\+[0-9]+$")  # what places a child
MOST_CAUSE = 1_000  # characters of the message of what failed in a child
MOST_TYPES = 32  # classes of the exception that failed there


def child_id(instance: str, transition: str, number: int, attempt: int) -> str:
    """Return the id of the child that an attempt of a firing calls, such as `order-17/fulfil.41`."""
    return f"{instance}/{transition}{_call_number(number, attempt)}"


def placed_child_id(instance: str, transition: TransitionPlan, number: int, attempt: int) -> str:
    """Return the id of a child where its transition wants it: with the first number that gives it the right shard.

    Such as `order-17/fulfil.41+23`: an id says where its instance lives, so that nobody has to look that up.
    """
    plain = child_id(instance, transition.path, number, attempt)
    near = transition.called.near if transition.called is not None else None
    if near is None:
        return plain
    shard = shard_of(near or instance)
    if shard_of(plain) == shard:
        return plain
    return next(placed for placed in (f"{plain}+{salt}" for salt in count(1)) if shard_of(placed) == shard)


def child_shard(instance: str, transition: TransitionPlan, number: int, attempt: int) -> int:
    """Return the shard in which that child lives, without looking for its id."""
    near = transition.called.near if transition.called is not None else None
    return shard_of(child_id(instance, transition.path, number, attempt) if near is None else near or instance)


def _call_number(number: int, attempt: int) -> str:
    return f".{number}.{attempt}" if attempt > 1 else f".{number}"


# -- the parent --------------------------------------------------------------------------------------------------


def call(
    workflow: "WorkflowActor",
    turn: Turn,
    firing: Firing,
    transition: TransitionPlan,
    values: list[bytes],
    *,
    is_again: bool = False,
) -> Failure | None:
    """Send the `Call` of a firing's attempt, `values` being those of its arguments; return why it cannot be sent."""
    assert transition.called is not None, transition.path
    header = workflow.header
    child = placed_child_id(header.instance, transition, firing.number, firing.attempt)
    message = Call(
        instance=child,
        workflow=transition.called.workflow,
        caller=_caller(header, firing),
        entries=transition.called.entries,
        arguments=_arguments(transition, values),
        incarnation=int.from_bytes(_digest(f"{child}#{header.incarnation}".encode(), 4), "big"),
    )
    encoded = encode_message(message)
    if len(child) > LONGEST_ID:
        return _failure(NOT_CALLED, f"calls nest too deep: {child[:80]}… is longer than {LONGEST_ID} characters")
    if len(encoded) > MOST_MESSAGE_BYTES:
        return _failure(NOT_CALLED, f"its arguments have {len(encoded)} bytes, {MOST_MESSAGE_BYTES} is the limit")
    aside = turn.rare()
    aside.sent.append(encoded)
    if not workflow.services.credit.is_unlimited:
        shard = shard_of(child)
        aside.promised[shard] = aside.promised.get(shard, 0) + 1
    detail: Detail = {"child": child, "again": True} if is_again else {"child": child}
    workflow.record(turn, RecordKind.CALLED, transition.path, firing.number, firing.attempt, detail=detail)
    return None


def _caller(header: Header, firing: Firing) -> Caller:
    return Caller(header.instance, firing.transition, firing.number, firing.attempt)


def _arguments(transition: TransitionPlan, values: Iterable[bytes]) -> tuple[tuple[bytes, ...], ...]:
    left = iter(values)
    return tuple(tuple(islice(left, arc.weight)) for arc in transition.arguments)


def _inputs(caller: Caller, arguments: tuple[tuple[bytes, ...], ...]) -> bytes:
    """Return what tells a call from another one of the same number, which was made before a restore from a backup."""
    return _digest(encode((caller, arguments)), 16)


def cancel_child(workflow: "WorkflowActor", turn: Turn, firing: Firing, why: str) -> None:
    """Ask the child of a firing to end; the firing waits until it has answered."""
    header = workflow.header
    transition = workflow.plan.transitions[firing.transition]
    child = placed_child_id(header.instance, transition, firing.number, firing.attempt)
    turn.rare().sent.append(encode_message(Cancel(instance=child, by=header.instance, why=why)))


def answered(workflow: "WorkflowActor") -> dict[int, Firing]:
    """Return the firings, by number, whose child has returned, and whose `Return` was parked."""
    found: dict[int, Firing] = {}
    for parked in workflow.parked.values():
        if parked.kind == Return.__name__:
            message = decode_message(parked.message)
            assert isinstance(message, Return), parked.kind
            _, firing = workflow.firing(message.transition, message.number)
            if firing is not None and firing.phase is Phase.CALLED and firing.attempt == message.attempt:
                found[firing.number] = firing
    return found


def returned(workflow: "WorkflowActor", turn: Turn, message: Return) -> None:
    """Count what a child returned; where nobody waits for it any more it is recorded and dropped."""
    composite, firing = workflow.firing(message.transition, message.number)
    transition = workflow.plan.transitions[message.transition]
    if (
        firing is None
        or firing.phase is not Phase.CALLED
        or firing.attempt != message.attempt
        or (
            workflow.services.eras.is_restored(workflow.root[1])
            and message.inputs != _called_with(workflow, composite, firing, transition)
        )
    ):
        workflow.record(turn, RecordKind.STALE, transition.path, message.number, message.attempt)
        return
    forget_trouble(workflow, firing)
    result = message.failure or _outputs(workflow, transition, message)
    if not isinstance(result, Failure):
        composite.finish(turn, firing, transition, result)
        return
    if result.type == CHILD_CANCELLED and 0.0 < firing.due <= turn.now:
        result = Failure(
            type=TIMED_OUT, message=f"{message.child} took too long, and was cancelled", types=(TIMED_OUT,)
        )
    composite.fail(turn, firing, result)
    composite.end_idle(turn, firing)


def _called_with(
    workflow: "WorkflowActor", composite: "CompositeActor", firing: Firing, transition: TransitionPlan
) -> bytes:
    """Return the digest of what a firing has called with: after a restore there may be a child of other values."""
    arguments = _arguments(transition, called_values(composite, firing, transition))
    return _inputs(_caller(workflow.header, firing), arguments)


def called_values(composite: "CompositeActor", firing: Firing, transition: TransitionPlan) -> list[bytes]:
    """Return the values of the arguments of a firing that has called, as `call` takes them."""
    return [value for _, _, value in composite.arguments(firing, transition)]


def _outputs(workflow: "WorkflowActor", transition: TransitionPlan, message: Return) -> Outputs | Failure:
    """Return what a child left in its exits as outputs of the firing that called it, or what is wrong with it."""
    called = transition.called
    assert called is not None, transition.path
    found = dict(message.exits)
    names = called.exits or [path for path, _ in message.exits if "/" not in path]
    if len(names) != len(transition.outputs) or not set(names) <= set(found):
        return _wrong(
            f"{message.child} has the exits {', '.join(found) or 'none'}, and {transition.path} other outputs"
        )
    counts = [len(found[name]) for name in names]
    weights = [weight for _, weight in transition.outputs]
    if transition.choice:
        chosen = [position for position, count in enumerate(counts) if count]
        fits = len(chosen) == 1 and counts[chosen[0]] == weights[chosen[0]]
    else:
        fits = counts == weights
    if not fits:
        there = ", ".join(f"{count} in {name}" for name, count in zip(names, counts, strict=True))
        return _wrong(f"{message.child} completed with the tokens {there}, and {transition.path} takes {weights}")
    outputs = tuple((position, value) for position, name in enumerate(names) for value in found[name])
    types = transition.behaviour.types if transition.behaviour else ()
    given = (Given(transition.output_names[position], types[position], value) for position, value in outputs)
    if types and (problem := misfit(workflow.services, workflow.header.instance, transition.path, given)):
        return _wrong(f"{message.child} completed with {problem}")
    return outputs


def _wrong(problem: str) -> Failure:
    return _failure(WRONG_RESULT, problem)


def _failure(kind: str, problem: str) -> Failure:
    return Failure(type=kind, message=problem, types=(kind,))


# -- the child ---------------------------------------------------------------------------------------------------


def called_spawn(message: Call, definition: Definition | None, services: Services) -> Spawn | str:
    """Return the spawn that a call asks for, or why there can be none."""
    if definition is None:
        return f"the workflow {message.workflow!r} is not registered; register it, then retry"
    _, plan, _ = registered(definition)
    entries: Sequence[str] = message.entries or entries_of(plan)
    if len(entries) != len(message.arguments):
        return f"{message.workflow} has {len(entries)} entries, and is called with {len(message.arguments)} arguments"
    tokens: list[tuple[int, bytes]] = []
    for path, values in zip(entries, message.arguments, strict=True):
        index = plan.place_index.get(path)
        if index is None or not plan.places[index].is_entry:
            return f"{message.workflow} has no entry place {path!r}"
        if 0 < plan.places[index].capacity < len(values):
            return f"`{path}` of {message.workflow} holds {plan.places[index].capacity} tokens, not {len(values)}"
        given = [Given(path, definition.types.get(path), value) for value in values]
        if problem := misfit(services, message.caller.instance, _calling_path(message), given):
            return f"{message.workflow} is called with {problem}"
        tokens += [(index, value) for value in values]
    return spawn_of(definition, message, tuple(tokens), _inputs(message.caller, message.arguments))


def called_before(message: Call) -> Spawn:
    """Return the spawn of a child that exists: it says by which call that began, and nothing begins with it."""
    return Spawn(
        instance=message.instance,
        workflow=message.workflow,
        version="",
        net=b"",
        tokens=(),
        inputs=_inputs(message.caller, message.arguments),
        incarnation=message.incarnation,
        caller=message.caller,
    )


def _calling_path(message: Call) -> str:
    """Return the path of the transition that calls, which the id of its child holds."""
    caller = message.caller
    below = _SALT.sub("", message.instance.removeprefix(f"{caller.instance}/"))
    return below.removesuffix(_call_number(caller.number, caller.attempt))


def not_called(message: Call, reason: str) -> Return:
    """Return what the caller of a child that cannot begin is told."""
    inputs = _inputs(message.caller, message.arguments)
    return _to_caller(message.caller, message.instance, inputs, failure=_failure(NOT_CALLED, reason))


def answer_caller(workflow: "WorkflowActor", turn: Turn) -> None:
    """Send the `Return` of a child that has just ended."""
    header = workflow.header
    caller = header.caller
    if caller is None:
        return
    if header.state is InstanceState.COMPLETED:
        message = _to_caller(caller, header.instance, header.inputs, exits=_exits(workflow))
    else:
        message = _to_caller(caller, header.instance, header.inputs, failure=_ended(header))
    encoded = encode_message(message)
    if len(encoded) > MOST_MESSAGE_BYTES:
        problem = f"what {header.instance} returns has {len(encoded)} bytes, {MOST_MESSAGE_BYTES} is the limit"
        too_large = _to_caller(caller, header.instance, header.inputs, failure=_failure(WRONG_RESULT, problem))
        encoded = encode_message(too_large)
    turn.rare().sent.append(encoded)


def _ended(header: Header) -> Failure:
    """Return the failure of a firing whose child has not completed: with what failed there, for people and policies."""
    kind = CHILD_FAILED if header.state is InstanceState.FAILED else CHILD_CANCELLED
    message, cause = f"{header.instance} is {header.state.value}", header.cause
    if cause is None:
        return _failure(kind, message)
    types = tuple(dict.fromkeys((kind, *cause.types[:MOST_TYPES])))
    return Failure(type=kind, message=f"{message}: {cause.type}: {cause.message}", types=types)


def cause_of(failure: Failure) -> Failure:
    """Return what an instance keeps of the failure that somebody gave up on: no traceback, and no more than fits."""
    message = failure.message
    short = message if len(message) <= MOST_CAUSE else f"{message[:MOST_CAUSE]}…"
    return Failure(type=failure.type, message=short, attempt=failure.attempt, at=failure.at, types=failure.types)


def _exits(workflow: "WorkflowActor") -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    found: list[tuple[str, tuple[bytes, ...]]] = []
    for place in workflow.plan.places:
        if place.is_exit:
            held = workflow.place(place.index)
            stored = [held.value(workflow.turn, token) for token in held.tokens]
            found.append((place.path, tuple(map(workflow.value, stored))))
    return tuple(found)


def _to_caller(
    caller: Caller,
    child: str,
    inputs: bytes,
    *,
    exits: tuple[tuple[str, tuple[bytes, ...]], ...] = (),
    failure: Failure | None = None,
) -> Return:
    return Return(
        instance=caller.instance,
        transition=caller.transition,
        number=caller.number,
        attempt=caller.attempt,
        child=child,
        inputs=inputs,
        exits=exits,
        failure=failure,
    )


def _digest(data: bytes, size: int) -> bytes:
    return hashlib.blake2b(data, digest_size=size).digest()
