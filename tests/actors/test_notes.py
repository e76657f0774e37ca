"""What a handler has asked for, as its context shows it and as it goes with the result."""

import pickle
import threading
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet import (
    Approve,
    Busy,
    Context,
    DeclaredPure,
    HandlerReturned,
    Inject,
    Pause,
    Put,
    ValueTooLarge,
    Workflow,
    WrongType,
)
from placet.actors.messages import Claim, SpawnNamed, StatePut, decode_delivery
from placet.actors.notes import MOST_SENT, MOST_STATE_BYTES, PURE, Notes, merged
from placet.actors.state import State
from placet.actors.turn import Turn
from placet.persistence.values import decode, encode
from placet.petri.entrance import entrance_of

NAMES = st.sampled_from("ab")
VALUES = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES, VALUES),
        st.tuples(st.just("delete"), NAMES),
        st.tuples(st.just("compare"), NAMES, st.none() | VALUES, VALUES),
    ),
    max_size=8,
)
STATES = st.dictionaries(NAMES, VALUES)


def context_of(state: dict[str, int]) -> Context:
    notes = Notes(firing="i#1.1", lock=threading.RLock(), state={name: encode(value) for name, value in state.items()})
    return Context(instance="i", firing_id="i#1.1", attempt=1, notes=notes)


def follow(context: Context, model: dict[str, int], steps: list[tuple[object, ...]]) -> None:
    """Take steps with a context and with a plain dict, and compare after each."""
    for verb, name, *values in cast("list[tuple[str, str, int]]", steps):
        if verb == "put":
            context.put(name, values[0])
            model[name] = values[0]
        elif verb == "delete":
            context.delete(name)
            model.pop(name, None)
        else:
            expected, value = values
            fits = model.get(name) == expected
            assert context.compare_and_set(name, expected, value) == fits
            if fits:
                model[name] = value
        assert {one: context.get(one) for one in "ab"} == {one: model.get(one) for one in "ab"}


def counted(state: dict[str, int], puts: tuple[StatePut, ...]) -> dict[str, int]:
    """Return what the kernel makes of changes of a state."""
    kept = State(b"root......")
    kept.values = {name: encode(value) for name, value in state.items()}
    assert not kept.conflict(puts)
    kept.change(Turn(b"root......", 0.0, 0, False), puts)
    return {name: cast("int", decode(value)) for name, value in kept.values.items()}


@given(STATES, STEPS)
def test_a_handler_sees_its_own_changes_and_they_are_what_counts(
    state: dict[str, int], steps: list[tuple[object, ...]]
) -> None:
    context, model = context_of(state), dict(state)
    follow(context, model, steps)
    puts, _ = context.notes.settle()
    assert len({put.name for put in puts}) == len(puts)
    assert counted(state, puts) == model


@given(STATES, STEPS, STEPS)
def test_changes_of_two_items_are_those_of_one_after_the_other_or_conflict(
    state: dict[str, int], first: list[tuple[object, ...]], second: list[tuple[object, ...]]
) -> None:
    each = [context_of(state), context_of(state)]
    for context, steps in zip(each, (first, second), strict=True):
        follow(context, dict(state), steps)
    one, other = [context.notes.settle()[0] for context in each]
    both = merged([*one, *other])
    changed = {put.name for put in one}
    conflicts = [put.name for put in other if put.compares and put.name in changed]
    if isinstance(both, str):
        assert both == conflicts[0]
    else:
        assert not conflicts
        after = dict(state)
        for put in (*one, *other):
            after.pop(put.name, None)
            after |= {} if put.value is None else {put.name: cast("int", decode(put.value))}
        assert counted(state, both) == after


def test_what_is_compared_is_compared_again_with_what_the_handler_had_seen() -> None:
    context = context_of({"a": 1})
    assert context.compare_and_set("a", 1, 2)
    context.put("a", 3)
    context.put("b", 1)
    assert context.compare_and_set("b", 1, 2)
    puts, _ = context.notes.settle()
    assert puts == (StatePut("a", encode(3), True, encode(1)), StatePut("b", encode(2), False, None))


def test_a_value_is_as_it_was_when_it_was_given() -> None:
    context = context_of({})
    value = [1]
    context.put("a", value)
    value.append(2)
    context.get("a").append(3)
    assert context.get("a") == [1]


def test_nothing_can_be_asked_for_once_the_handler_has_returned() -> None:
    context = context_of({"a": 1})
    context.notes.settle()
    for use in (
        lambda: context.get("a"),
        lambda: context.put("a", 1),
        lambda: context.delete("a"),
        lambda: context.compare_and_set("a", 1, 2),
        lambda: context.spawn("w"),
        lambda: context.tell("i", Pause(by="")),
    ):
        with pytest.raises(HandlerReturned, match="before it does"):
            use()


def test_a_pure_handler_may_ask_for_nothing() -> None:
    context = Context(instance="i", firing_id="i#1.1", attempt=1, notes=PURE)
    for use in (
        lambda: context.get("a"),
        lambda: context.put("a", 1),
        lambda: context.spawn("w"),
        lambda: context.tell("i", Put("p", 1)),
    ):
        with pytest.raises(DeclaredPure, match="run='thread'"):
            use()


@pytest.mark.parametrize("message", ["hello", Approve("i/decide.4", by="eva"), Claim(task=4, by="eva"), None])
def test_what_is_no_message_and_what_is_for_people_is_told_to_nobody(message: object) -> None:
    context = context_of({})
    with pytest.raises(TypeError, match="`Put`, `Inject`, `Pause` and the like, not a"):
        context.tell("other", message)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - as a user may
    assert context.notes.settle() == ((), ())


def test_a_token_whose_value_its_place_does_not_take_is_refused_where_it_is_told() -> None:
    workflow = Workflow("w")
    inbox, opened = workflow.place("inbox", type=int, external=True), workflow.place("opened", type=str)
    workflow.transition((opened & inbox) >> workflow.place("done"), "step")
    notes = Notes(firing="i#1.1", workflows={"w": entrance_of(workflow.definition())})
    context = Context(instance="i", firing_id="i#1.1", attempt=1, notes=notes)
    for told in (Put(inbox, "text"), Inject(opened, 5)):
        with pytest.raises(WrongType, match=f"place `{told.place}` takes"):
            context.tell("other", told)
    assert not notes.sent
    context.tell("other", Put(inbox, 5))
    context.tell("other", Put("inbox", "a path alone does not say of which workflow it is"))
    assert len(notes.sent) == 2


def test_ids_of_children_follow_from_the_firing_and_the_order_of_the_calls() -> None:
    workflow = Workflow("w")
    workflow.transition(workflow.place("start") >> workflow.place("done"), "step")
    entrances = {"w": entrance_of(workflow.definition())}

    def ids(firing: str, item: int | None) -> list[str]:
        notes = Notes(firing=firing, item=item, workflows=entrances)
        context = Context(instance="i", firing_id=firing, attempt=1, item=item, notes=notes)
        given = [context.spawn(workflow, id="mine"), context.spawn(workflow), context.spawn("w", {"start": [1]})]
        spawns = [cast("SpawnNamed", decode_delivery(sent)) for sent in notes.settle()[1]]
        assert [spawn.instance for spawn in spawns] == given
        assert len({spawn.incarnation for spawn in spawns}) == len(spawns)
        return given

    assert ids("i#1.1", None) == ids("i#1.1", None)
    assert ids("i#1.1", None)[0] == "mine"
    several = [*ids("i#1.1", None)[1:], *ids("i#1.2", None)[1:], *ids("i#1.1", 0)[1:], *ids("i#1.1", 1)[1:]]
    assert len(set(several)) == 8


def test_what_is_too_large_or_too_much_is_refused() -> None:
    context = context_of({})
    with pytest.raises(ValueTooLarge):
        context.put("a", b"x" * MOST_STATE_BYTES)
    for _ in range(MOST_SENT):
        context.tell("other", Put("inbox", 1))
    with pytest.raises(Busy, match="10000"):
        context.tell("other", Put("inbox", 1))
    puts, sent = context.notes.settle()
    assert (puts, len(sent)) == ((), MOST_SENT)


def test_threads_of_a_handler_lose_nothing() -> None:
    context = context_of({"count": 0})

    def count() -> None:
        for _ in range(200):
            while not context.compare_and_set("count", (seen := context.get("count")), seen + 1):
                pass
            context.tell("other", Put("inbox", 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert context.get("count") == 800
    assert len(context.notes.sent) == 800


def test_what_goes_with_a_result_can_cross_to_another_process() -> None:
    put = StatePut("a", b"v", True, None)
    assert pickle.loads(pickle.dumps(put, 5)) == put
