"""A net that is written as JSON and read again is the same net, of the same version, with the same functions."""

from dataclasses import dataclass, field
from random import Random
from types import GenericAlias
from typing import Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet import DefinitionError, Retry, Workflow
from placet.actors.catalog import stored_net
from placet.nets import format_net, parse_net
from placet.petri.behaviour import Behaviour, RetryPolicy, Source
from placet.petri.document import (
    CompositeDocument,
    InputDocument,
    NetDocument,
    PlaceDocument,
    RetryDocument,
    TransitionDocument,
    decode_document,
    encode_document,
)
from placet.petri.import_path import path_of, text_of_type, type_of_text
from placet.petri.net import Arc, Composite, Net, Place, Transition
from placet.petri.reading import workflow_of
from placet.petri.writing import document_of
from placet.testing.functions import World
from placet.testing.nets import Taste, random_workflow
from tests.nets import handlers


@dataclass
class Names:
    """Gives anything a path of its own: generated nets have functions that no module knows."""

    values: list[object] = field(default_factory=list[object])

    def path_of(self, value: object) -> str:
        self.values.append(value)
        return f"names:n{len(self.values) - 1}"

    def resolve(self, path: str) -> object:
        return self.values[int(path.removeprefix("names:n"))]

    def retry_of(self, policy: RetryPolicy) -> RetryDocument:
        assert isinstance(policy, Retry)
        self.values.append(policy)
        return RetryDocument(attempts=len(self.values), first_s=policy.first_s)

    def make_retry(self, document: RetryDocument) -> RetryPolicy:
        policy = self.values[document.attempts - 1]
        assert isinstance(policy, Retry)
        return policy


def through_json(workflow: Workflow) -> Workflow:
    names = Names()
    document = document_of(workflow, names.path_of, names.retry_of)
    text = encode_document(document)
    again = decode_document(text.encode())
    assert again == document
    return workflow_of(again, Source(), names.resolve, names.make_retry)


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_a_generated_net_comes_back_as_it_was(seed: int) -> None:
    random = Random(seed)
    workflow = random_workflow(random, "random", World(seed), Taste.draw(random))
    before, after = workflow.definition(), through_json(workflow).definition()
    assert after.net == before.net
    assert after.version == before.version
    assert stored_net(after)[0] == stored_net(before)[0]
    assert after.behaviours == before.behaviours


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@given(_TEXTS, st.dictionaries(_TEXTS, _TEXTS | st.booleans() | _NUMBERS), _TEXTS)
def test_tags_of_any_kind_come_back_as_they_were(category: str, properties: dict[str, Any], version: str) -> None:
    workflow = Workflow("tagged", version)
    a = workflow.place("a", category=category, properties=properties)
    b = workflow.place("b", type=int, capacity=3)
    workflow.transition(a >> b, "t", category=category, properties=properties, priority=-3, delay_s=0.1)
    before, after = workflow.definition(), parse_net(format_net(workflow)).definition()
    assert (after.net, after.version) == (before.net, before.version)
    found = dict(after.net.places[0].properties)
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in properties.items()
    }


def everything() -> Workflow:
    workflow = Workflow("everything", "7")
    a = workflow.place("a", type=handlers.orders_by_id, entry=True)
    b = workflow.place("b", type=handlers.Order)
    c = workflow.place("c", external=True, capacity=5)
    d, e, f = workflow.places("d e f")
    retry = Retry(attempts=4, factor=3.0, only=(ValueError,), never=(handlers.Unlucky, KeyError))
    workflow.transition(a >> b, "one", handler=handlers.step, retry=retry, timeout_s=3.5, deadline_s=9.0, error=f)
    workflow.transition((b & c) >> d, "two", handler=handlers.join, key=handlers.step, guard={c: handlers.passes})
    workflow.transition((d & e.read() & f.inhibit(3)) >> (e * 2 | f), "three", handler=handlers.join, run="process")
    workflow.transition(e * 2 >> f, "four", handler=handlers.doubled)
    workflow.transition((e & f.reset()) >> f, "five", handler=handlers.wait)
    workflow.approval("six", f, approve=d, reject=e, roles=["boss"], assignees=["eva"], escalate=c, after_s=60)
    workflow.composite("seven", handlers.inner, {"start": "d", "end": "f"}, category="x")
    workflow.call(d >> e, "eight", handlers.inner, retry=Retry())
    workflow.call(d >> e, "nine", "everything", entries=["a"], exits=["f"], timeout_s=1.0)
    workflow.map("eleven", d >> f, handlers.step, run="process", retry=Retry(attempts=2), category="mapped")
    workflow.map("twelve", d >> f, handlers.wait, guard=handlers.passes)
    workflow.map("thirteen", d >> f, handlers.watched, heartbeat_s=2.0)
    workflow.transition(d >> f, "fourteen", handler=handlers.watched, heartbeat_s=7.5)
    workflow.task(d >> (e | f), "fifteen")
    workflow.transition(e.consumed(), "ten", handler=handlers.Holder.inside)
    return workflow


def test_functions_types_and_policies_come_back_by_import_path() -> None:
    workflow = everything()
    before, after = workflow.definition(), parse_net(format_net(workflow)).definition()
    assert (after.net, after.version) == (before.net, before.version)
    assert after.behaviours == before.behaviours
    assert after.types == before.types
    assert [one.name for one in after.callees] == ["inner"]


def test_what_is_written_is_written_the_same_again() -> None:
    text = format_net(everything())
    assert format_net(parse_net(text)) == text


def refused(value: object) -> bool:
    raise AssertionError(value)


@pytest.mark.parametrize("what", ["handler", "guard", "key", "retry"])
def test_what_has_no_import_path_is_refused_and_named(what: str) -> None:
    def local(value: object) -> bool:
        return refused(value)

    workflow = Workflow("refused")
    a, b = workflow.places("a b")
    given: dict[str, Any] = {"handler": handlers.step, what: _Policy() if what == "retry" else local}
    workflow.transition(a >> b, "t", **given)
    with pytest.raises(DefinitionError, match="cannot be written down") as caught:
        format_net(workflow)
    said = "its retry policy" if what == "retry" else f"the {what} `"
    assert f"transition `t`: {said}" in str(caught.value)
    assert "test_round_trip.py" in caught.value.location


class _Policy:
    def delay_s(self, failures: int, exception_types: tuple[str, ...], salt: int) -> float | None:
        return None if failures + salt or exception_types else 1.0


# -- types ---------------------------------------------------------------------------------------------------------

_TYPES = st.recursive(
    st.sampled_from([int, str, dict, list, type(None), handlers.Order]),
    lambda inner: st.one_of(
        inner.map(lambda one: GenericAlias(list, (one,))),
        st.tuples(inner, inner).map(lambda two: GenericAlias(dict, two)),
        inner.map(lambda one: one | int),
        inner.map(lambda one: Optional[one]),  # noqa: UP045  it is another text, and so another version
    ),
    max_leaves=6,
)


def resolve(path: str) -> object:
    module, _, name = path.partition(":")
    return getattr(__import__(module, fromlist=["x"]), name)


@given(_TYPES)
def test_a_type_comes_back_from_its_text(declared: object) -> None:
    found = type_of_text(text_of_type(declared, path_of), resolve)
    assert found == declared
    assert str(found) == str(declared)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a name is missing"),
        ("int |", "a name is missing at its end"),
        ("list[", "a name is missing"),
        ("list[int", "a `]` is missing"),
        ("list[int]]", "`]` is too much"),
        ("list[int][int]", "`[` is too much"),
        ("Order", "no built-in type"),
        ("int[str]", "int"),
        ("dict[str; int]", "`;` has no place"),
        ("len", "no built-in type"),
        ("list[" * 60 + "int" + "]" * 60, "nest"),
    ],
)
def test_a_text_that_is_no_type_is_refused(text: str, said: str) -> None:
    with pytest.raises(LookupError) as caught:
        type_of_text(text, resolve)
    assert said in str(caught.value)


# -- what a later part must not forget --------------------------------------------------------------------------------


def test_every_field_of_a_net_has_a_place_in_its_document() -> None:
    derived = {"guarded", "keyed", "called", "net"}  # from functions, under another name, or inside
    for kind, document in (
        (Place, PlaceDocument),
        (Arc, InputDocument),
        (Transition, TransitionDocument),
        (Composite, CompositeDocument),
        (Net, NetDocument),
    ):
        assert set(kind.__struct_fields__) - derived <= set(document.__struct_fields__), kind


def test_every_field_of_a_behaviour_has_a_place_in_its_document() -> None:
    derived = {"takes_context", "types", "guards", "keys"}  # of functions, places and arcs
    assert set(Behaviour.__dataclass_fields__) - derived <= set(TransitionDocument.__struct_fields__)
