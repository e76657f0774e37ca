"""What people do to the free tokens of an instance: put in, change, move, remove, freeze."""

from collections.abc import Callable, Mapping
from typing import Any

from placet.actors.answers import Answer, Receipt, RefusalCode, Refused
from placet.actors.messages import (
    DropToken,
    EditToken,
    FreezeToken,
    ImportTokens,
    Inject,
    Intervention,
    MoveToken,
    PlaceTokens,
    Put,
    ThawToken,
    TokenIntervention,
)
from placet.actors.place import PlaceActor
from placet.actors.turn import Turn
from placet.actors.workflow import WorkflowActor
from placet.persistence.blobs import is_ref
from placet.persistence.history import RecordKind


def put(workflow: WorkflowActor, turn: Turn, message: Put) -> Answer:
    """Put a token into a place that is fed from outside."""
    place = _place(workflow, message.place)
    if place is None or not place.plan.external:
        outside = ", ".join(one.path for one in workflow.plan.places if one.external) or "none"
        reason = f"{message.instance} takes no tokens into {message.place!r}; places fed from outside: {outside}"
        return Refused(instance=message.instance, code=RefusalCode.NOT_EXTERNAL, reason=reason)
    return _add(workflow, turn, message, place, RecordKind.PUT)


def _inject(workflow: WorkflowActor, turn: Turn, message: Inject) -> Answer:
    place = _place(workflow, message.place)
    if place is None:
        return _no_place(message, message.place)
    return _add(workflow, turn, message, place, RecordKind.INJECTED)


def _add(workflow: WorkflowActor, turn: Turn, message: Put | Inject, place: PlaceActor, kind: RecordKind) -> Answer:
    """Put a token into a place that has room for it."""
    if refused := _full(message.instance, workflow, place):
        return refused
    token = workflow.deposit(turn, place.plan.index, message.value)
    return _accept(workflow, turn, message, kind, produced=(token,), place=place.plan.path, token=token)


def _import(workflow: WorkflowActor, turn: Turn, message: ImportTokens) -> Answer:
    coming: dict[int, int] = {}
    for one in message.places:
        place = _place(workflow, one.place)
        if place is None:
            return _no_place(message, one.place)
        index = place.plan.index
        coming[index] = coming.get(index, 0) + len(one.values)
        if one.values and (refused := _full(message.instance, workflow, place, coming[index])):
            return refused
    for one in [one for one in message.places if one.values] or message.places[:1]:  # that it was done is recorded
        _bring_in(workflow, turn, message, one)
    return Receipt(instance=message.instance, at=turn.now)


def _bring_in(workflow: WorkflowActor, turn: Turn, message: ImportTokens, coming: PlaceTokens) -> None:
    """Put what comes into its place, which has room for it."""
    place = workflow.place(workflow.plan.place_index[coming.place])
    tokens = tuple(workflow.deposit(turn, place.plan.index, value) for value in coming.values)
    for position in coming.frozen:
        _take_out(workflow, turn, place, tokens[position])
    _accept(
        workflow,
        turn,
        message,
        RecordKind.IMPORTED_TOKENS,
        produced=tokens,
        place=place.plan.path,
        origin=f"{message.origin}/{coming.place}",
        count=len(tokens),
        frozen=len(coming.frozen),
    )


def _edit(workflow: WorkflowActor, turn: Turn, message: EditToken) -> Answer:
    place = _holder(workflow, message.token)
    if place is None:
        return _not_free(message)
    old = place.value(turn, message.token)
    workflow.settle_guards(turn, place.plan.index, message.token)
    if is_ref(old):
        workflow.discard(turn, old)
    place.replace(turn, message.token, workflow.stored(turn, message.token, message.value))
    workflow.dirty += place.plan.consumers
    return _accept(workflow, turn, message, RecordKind.EDITED, place=place.plan.path, token=message.token)


def _move(workflow: WorkflowActor, turn: Turn, message: MoveToken) -> Answer:
    place, target = _holder(workflow, message.token), _place(workflow, message.place)
    if target is None:
        return _no_place(message, message.place)
    if place is None:
        return _not_free(message)
    if place is target:
        return Receipt(instance=message.instance, at=turn.now, already=True)
    if refused := _full(message.instance, workflow, target):
        return refused
    value = workflow.remove(turn, place.plan.index, message.token)
    workflow.deposit(turn, target.plan.index, value, message.token)
    target.sort_in(message.token)
    return _accept(
        workflow, turn, message, RecordKind.MOVED, token=message.token, source=place.plan.path, place=message.place
    )


def _drop(workflow: WorkflowActor, turn: Turn, message: DropToken) -> Answer:
    place = _holder(workflow, message.token)
    if place is None:
        return _not_free(message)
    value = workflow.remove(turn, place.plan.index, message.token)
    if is_ref(value):
        workflow.discard(turn, value)
    consumed = (message.token,)
    return _accept(
        workflow, turn, message, RecordKind.DROPPED_TOKEN, consumed=consumed, place=place.plan.path, token=message.token
    )


def _freeze(workflow: WorkflowActor, turn: Turn, message: FreezeToken) -> Answer:
    place = _holder(workflow, message.token)
    if place is None:
        return _not_free(message)
    if message.token not in place.tokens:
        return Receipt(instance=message.instance, at=turn.now, already=True)
    _take_out(workflow, turn, place, message.token)
    return _accept(workflow, turn, message, RecordKind.FROZEN, place=place.plan.path, token=message.token)


def _take_out(workflow: WorkflowActor, turn: Turn, place: PlaceActor, token: int) -> None:
    """Freeze a free token."""
    workflow.settle_guards(turn, place.plan.index, token)
    place.freeze(turn, token)
    workflow.frozen += 1


def _thaw(workflow: WorkflowActor, turn: Turn, message: ThawToken) -> Answer:
    place = _holder(workflow, message.token)
    if place is None:
        return _not_free(message)
    if message.token in place.tokens:
        return Receipt(instance=message.instance, at=turn.now, already=True)
    place.thaw(turn, message.token)
    workflow.frozen -= 1
    workflow.dirty += place.plan.consumers
    return _accept(workflow, turn, message, RecordKind.THAWED, place=place.plan.path, token=message.token)


def _place(workflow: WorkflowActor, path: str) -> PlaceActor | None:
    index = workflow.plan.place_index.get(path)
    return None if index is None else workflow.place(index)


def _holder(workflow: WorkflowActor, token: int) -> PlaceActor | None:
    """Return the place that has a free token."""
    for place in workflow.occupied():
        if token in place.tokens or (place.frozen is not None and token in place.frozen):
            return place
    return None


def _full(instance: str, workflow: WorkflowActor, place: PlaceActor, more: int = 1) -> Refused | None:
    capacity = place.plan.capacity
    if not capacity or place.count + workflow.reserved.get(place.plan.index, 0) + more <= capacity:
        return None
    return Refused(
        instance=instance, code=RefusalCode.FULL, reason=f"{place.plan.path} holds {capacity} tokens at most"
    )


def _no_place(message: Intervention, path: str) -> Refused:
    return Refused(
        instance=message.instance, code=RefusalCode.NO_PLACE, reason=f"{message.instance} has no place {path!r}"
    )


def _not_free(message: TokenIntervention) -> Refused:
    reason = f"token {message.token} is in no place of {message.instance}; a firing may have taken it"
    return Refused(instance=message.instance, code=RefusalCode.NOT_FREE, reason=reason)


def _accept(
    workflow: WorkflowActor,
    turn: Turn,
    message: Intervention,
    kind: RecordKind,
    *,
    consumed: tuple[int, ...] = (),
    produced: tuple[int, ...] = (),
    **detail: str | int,
) -> Receipt:
    told = {"by": message.by, "why": message.why, **detail}
    workflow.record(turn, kind, consumed=consumed, produced=produced, detail=told)
    return Receipt(instance=message.instance, at=turn.now)


# `Any`: each function takes the very message it stands beside, a relation the type system cannot say.
TOKEN_INTERVENTIONS: Mapping[type[Intervention], Callable[[WorkflowActor, Turn, Any], Answer]] = {
    Inject: _inject,
    ImportTokens: _import,
    EditToken: _edit,
    MoveToken: _move,
    DropToken: _drop,
    FreezeToken: _freeze,
    ThawToken: _thaw,
}
