"""What one needs to know of a workflow to spawn an instance of it."""

from placet import Workflow
from placet.petri.entrance import entrance_of
from placet.petri.plan import make_plan


def test_it_has_the_entries_with_their_types_and_capacities_and_nothing_else() -> None:
    workflow = Workflow("w", version="2")
    start, again = workflow.place("start", type=int, capacity=3), workflow.place("again", entry=True, type=str)
    workflow.transition(start >> again, "go")
    workflow.transition(again >> workflow.place("done"), "end")
    definition = workflow.definition()
    entrance = entrance_of(definition)
    plan = make_plan(entrance.net, {})
    assert [(place.path, place.is_entry, place.capacity) for place in plan.places] == [
        ("start", True, 3),
        ("again", True, 0),
    ]
    assert not plan.transitions
    assert entrance.types == {"start": int, "again": str}
    assert (entrance.name, entrance.version) == (definition.name, definition.version)


def test_it_has_the_types_of_places_fed_from_outside_too() -> None:
    workflow = Workflow("w")
    door, inner = workflow.place("door", external=True, type=int), workflow.place("inner", type=str)
    workflow.transition(workflow.place("start") >> (door & inner), "go")
    workflow.transition((door & inner) >> workflow.place("done"), "end")
    assert entrance_of(workflow.definition()).types == {"door": int}
