"""What handlers do through their context counts with their result, whatever executor they run on."""

from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from placet import Instance, Retry, Runtime, Workflow
from placet.testing import Rehearsal
from tests.executors.context_handlers import (
    all_verbs,
    all_verbs_async,
    count_item,
    count_up,
    count_up_async,
    spawn_then_fail,
    spawn_unknown,
    spawn_wrong_type,
    spawn_wrongly,
    take_lead,
    tell_nonsense,
)
from tests.executors.flows import PATIENCE_S, failure, one_step

EVERYWHERE = pytest.mark.parametrize("run", ["thread", "async", "process", "hybrid", "parallel", "parallel_threads"])
WRONGLY = pytest.mark.parametrize("run", ["thread", "process", "parallel"])


def child() -> Workflow:
    workflow = Workflow("child")
    start, done = workflow.places("start done")
    workflow.transition(start >> done, "step")
    return workflow


def typed() -> Workflow:
    workflow = Workflow("typed")
    workflow.transition(workflow.place("start", type=int) >> workflow.place("done"), "step")
    return workflow


def mailbox() -> Workflow:
    workflow = Workflow("mailbox")
    inbox, spare = workflow.place("inbox", external=True), workflow.place("spare", external=True)
    workflow.transition((workflow.place("start") & inbox & spare) >> workflow.place("out"), "step")
    return workflow


def sender(run: str) -> Workflow:
    workflow = Workflow("sender")
    start, done = workflow.places("start done")
    handler = all_verbs_async if run == "async" else all_verbs
    workflow.transition(start >> done, "send", handler=handler, run=run, properties={"loud": True})
    return workflow


def seen_by(instance: Instance) -> list[dict[str, Any]]:  # `Any`: what the handler has put there
    [value] = instance.result(PATIENCE_S)["done"]
    return cast("list[dict[str, Any]]", value if isinstance(value, list) else [value])


@EVERYWHERE
def test_all_that_a_handler_asks_for_happens_once_its_result_counts(run: str, tmp_path: Path) -> None:
    workflow = sender(run)
    with Runtime(tmp_path / "state", [workflow, child(), mailbox()], processes=1) as runtime:
        box = runtime.spawn("mailbox", {"start": ["open"]}, id="mailbox")
        instance = runtime.spawn(workflow, {"start": [[5] if run.startswith("parallel") else 5]}, id="one")
        [seen] = seen_by(instance)
        item = 0 if run.startswith("parallel") else None
        assert seen["before"] == 0
        assert seen["after"] == (1, "gone", True, True)
        assert seen["where"] == ("send", ("loud",))
        firing = seen["who"][1]
        assert seen["who"] == ("one", firing, 1, item)
        assert firing.startswith("one#")
        results = [runtime.instance(one).result(PATIENCE_S)["done"] for one in seen["children"]]
        assert results == [[5], [6], [{1, 2}]]
        assert seen["children"][2] == f"named-{item}"
        assert instance.state_values() == {"count": 1, "owner": f"item {item}"}
        assert box.result(PATIENCE_S) == {"out": [("open", (5, item), 5)]}
        told = [record.detail for _, record in box.history() if record.kind in ("put", "injected")]
        assert [one["by"] for one in cast("list[dict[str, str]]", told)] == [firing, firing]


@EVERYWHERE
def test_the_next_firing_sees_the_state_that_has_counted(run: str, tmp_path: Path) -> None:
    workflow = Workflow("counting")
    places = workflow.places("start one two done")
    for number, (before, after) in enumerate(pairwise(places)):
        handler = count_up_async if run == "async" else count_up
        workflow.transition(before >> after, f"step-{number}", handler=handler, run=run)
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        instance = runtime.spawn(workflow, {"start": [["x"] if run.startswith("parallel") else "x"]})
        instance.result(PATIENCE_S)
        assert instance.state_values() == {"count": 3}


def test_in_a_rehearsal_too() -> None:
    for run in ("thread", "async", "process", "hybrid", "parallel", "parallel_threads"):
        rehearsal = Rehearsal(sender(run), child(), mailbox())
        box = rehearsal.spawn("mailbox", {"start": ["open"]}, id="mailbox")
        instance = rehearsal.spawn("sender", {"start": [[5] if run.startswith("parallel") else 5]}, id="one")
        rehearsal.run()
        item = 0 if run.startswith("parallel") else None
        assert instance.state_values() == {"count": 1, "owner": f"item {item}"}
        assert box.marking() == {"out": [("open", (5, item), 5)]}
        assert rehearsal.instance(f"named-{item}").marking() == {"done": [{1, 2}]}


@WRONGLY
@pytest.mark.parametrize(
    ("handler", "value", "kind", "message"),
    [
        (spawn_unknown, 0, "placet.actors.errors.UnknownWorkflow", "'nobody' is not registered"),
        (
            spawn_wrongly,
            "strat",
            "placet.actors.errors.NotFound",
            "child has no entry place 'strat'; its entries are start",
        ),
        (spawn_wrong_type, 0, "placet.petri.errors.WrongType", "place `start` takes int, not a value of type str"),
        (tell_nonsense, 0, "TypeError", "`Put`, `Inject`, `Pause` and the like, not a str"),
    ],
)
def test_wrong_use_fails_the_attempt_with_a_clear_reason(
    run: str, handler: Any, value: object, kind: str, message: str, tmp_path: Path
) -> None:
    workflow = one_step(handler, run)
    with Runtime(tmp_path / "state", [workflow, child(), typed()], processes=1) as runtime:
        instance = runtime.spawn(workflow, {"start": [[value] if run == "parallel" else value]})
        found, reason = failure(instance)
        assert found == kind
        assert message in reason
        assert [one.workflow for one in runtime.list()] == ["one_step"]


ITEMS = pytest.mark.parametrize("run", ["parallel", "parallel_threads"])


@ITEMS
def test_what_items_ask_for_is_gathered_in_their_order(run: str, tmp_path: Path) -> None:
    workflow = one_step(count_item, run)
    items = list(range(40))  # several to a piece
    with Runtime(tmp_path / "state", [workflow, mailbox()], processes=2) as runtime:
        box = runtime.spawn("mailbox", {"start": ["open"]}, id="mailbox")
        instance = runtime.spawn(workflow, {"start": [items]})
        assert instance.result(PATIENCE_S) == {"done": [[-1] * 40]}  # none has seen what another has put
        assert instance.state_values() == {"last": 39} | {f"of {item}": item for item in items}
        assert box.marking()["spare"] == items


@ITEMS
def test_items_that_compare_and_set_the_same_name_conflict(run: str, tmp_path: Path) -> None:
    workflow = one_step(take_lead, run)
    with Runtime(tmp_path / "state", [workflow], processes=1) as runtime:
        assert runtime.spawn(workflow, {"start": [[7]]}).result(PATIENCE_S) == {"done": [[True]]}
        instance = runtime.spawn(workflow, {"start": [[7, 8]]})
        kind, message = failure(instance)
        assert (kind, "'leader'" in message) == ("StateConflict", True)
        assert instance.state_values() == {}


@ITEMS
def test_an_item_that_fails_takes_back_what_the_others_asked_for(run: str, tmp_path: Path) -> None:
    workflow = one_step(spawn_then_fail, run, retry=Retry(attempts=2, first_s=0.001))
    with Runtime(tmp_path / "state", [workflow, child()], processes=1) as runtime:
        instance = runtime.spawn(workflow, {"start": [[5, 6, 7]]}, id="one")
        instance.result(PATIENCE_S)
        assert instance.state_values() == {"of 0": 2, "of 1": 2, "of 2": 2}
        children = [runtime.instance(one.instance) for one in runtime.list() if one.workflow == "child"]
        assert sorted(map(str, (one.result(PATIENCE_S)["done"] for one in children))) == [
            "[(5, 2)]",
            "[(6, 2)]",
            "[(7, 2)]",
        ]
