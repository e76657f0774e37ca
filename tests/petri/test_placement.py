"""Where children of calls are to live: said where they are declared, kept in the net, and checked."""

import pytest

from placet import DefinitionError, Near, Spread, Workflow


def calling(**options: object) -> Workflow:
    child, parent = Workflow("child"), Workflow("parent")
    child.transition(child.place("begin") >> child.place("end"), "work", handler=str)
    parent.call(parent.place("wanted") >> parent.place("got"), "ask", child, **options)  # type: ignore[arg-type]  # wrong ones too
    return parent


def near(workflow: Workflow) -> str | None:
    called = workflow.definition().net.transitions[0].called
    assert called is not None
    return called.near


def test_children_spread_unless_something_else_is_said() -> None:
    assert near(calling()) is None
    assert near(calling(placement=Spread())) is None
    assert near(calling(placement=Near())) == ""
    assert near(calling(placement=Near("order-17"))) == "order-17"


def test_what_is_no_placement_is_refused_where_it_is_written() -> None:
    with pytest.raises(DefinitionError, match=r"`placement` is str; give Spread\(\) or Near"):
        calling(placement="near")
    with pytest.raises(DefinitionError, match="`Near` takes the id of an instance"):
        calling(placement=Near(17))  # type: ignore[arg-type]  # that is the point
