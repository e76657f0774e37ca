"""The state of an actor is a mapping like any other, and what it has become is what is stored."""

from hypothesis import given
from hypothesis import strategies as st

from placet.actors.notes import Notes
from placet.actors.own.state import ActorState
from placet.persistence.values import decode, encode

NAMES = st.sampled_from("abcd")
VALUES = st.one_of(st.integers(), st.text(max_size=3), st.none(), st.lists(st.integers(), max_size=3))
STEPS = st.lists(st.tuples(st.sampled_from(["set", "delete", "look", "append", "names"]), NAMES, VALUES), max_size=20)


@given(st.dictionaries(NAMES, VALUES), STEPS)
def test_it_behaves_as_a_dict_and_is_stored_as_it_ends(
    stored: dict[str, object], steps: list[tuple[str, str, object]]
) -> None:
    encoded = {name: encode(value) for name, value in stored.items()} | {"\0ours": encode(1)}
    notes = Notes(state=encoded)
    state, model = ActorState(notes), {name: decode(encode(value)) for name, value in stored.items()}
    for step, name, value in steps:
        if step == "set":
            state[name] = model[name] = decode(encode(value))
        elif step == "delete":
            assert state.pop(name, "none") == model.pop(name, "none")
        elif step == "look":
            assert state.get(name, "none") == model.get(name, "none")
            assert (name in state, len(state)) == (name in model, len(model))
        elif step == "append" and isinstance(kept := state.get(name), list):
            kept.append(7)  # pyright: ignore[reportUnknownMemberType] - a list of whatever
            same = model[name]
            assert isinstance(same, list)
            if same is not kept:
                same.append(7)  # pyright: ignore[reportUnknownMemberType] - as above
        else:
            assert set(state) == set(model)
    state.settle()
    puts, _ = notes.settle()
    after = dict(encoded)
    for put in puts:
        if put.value is None:
            after.pop(put.name, None)
        else:
            after[put.name] = put.value
    assert {name: decode(value) for name, value in after.items()} == model | {"\0ours": 1}


def test_what_has_not_changed_is_not_written() -> None:
    notes = Notes(state={"a": encode([1]), "b": encode("text")})
    state = ActorState(notes)
    assert (state["a"], state["b"]) == ([1], "text")
    state.settle()
    assert notes.settle() == ((), ())
