"""What a copy is: the original as it was at one moment, paused, under a root, an incarnation and a clock of its own."""

from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.actors.answers import Refused, Spawned
from placet.actors.catalog import Catalog
from placet.actors.control.visit import carry_out
from placet.actors.copies.entries import REWRITERS
from placet.actors.copies.export import write_export
from placet.actors.copies.import_request import to_message
from placet.actors.kernel import Kernel
from placet.actors.messages import Cancel, Import, Pause, Resume, RetryIncident
from placet.actors.records import Phase
from placet.actors.usercode import firing_id
from placet.persistence import keys
from placet.persistence.blobs import INLINE_BYTES
from placet.persistence.export_file import Export, read_export_from
from placet.persistence.keys import address_key, split_entry, tasks_key
from placet.persistence.memory_store import MemoryStore
from placet.persistence.values import decode
from placet.petri.workflow import Workflow
from placet.supervision.retry import Retry
from placet.testing.image import value_of
from placet.testing.probes import Probe, probed
from tests.actors.driver import Driver, done
from tests.actors.flows import chain, join, single
from tests.actors.marks import needs_source

RESUME = Resume(instance="two", by="eva")


def exported(driver: Driver, instance: str = "one", *, path: str = "", history: bool = True) -> Export:
    """Return an export, written and read again."""
    file = BytesIO()
    write_export(driver.store, instance, file, path=path, history=history)
    size_bytes = file.tell()
    file.seek(0)
    return read_export_from(file, size_bytes, Path("export"))


def request(export: Export, instance: str = "two", age_s: float = 0.0) -> Import:
    return to_message(export, instance, "eva", "to try", age_s)


def bring(driver: Driver, export: Export, instance: str = "two", age_s: float = 0.0) -> bytes:
    """Import an export and return the root of the copy."""
    answer = driver.ask(request(export, instance, age_s))
    assert isinstance(answer, Spawned), answer
    assert not answer.already
    return answer.root


def later(driver: Driver, seconds: float) -> Driver:
    """Let an engine's clock stand elsewhere."""
    driver.clock.advance(seconds)
    driver.rest()
    return driver


# -- what comes along ------------------------------------------------------------------------------------------------


def test_every_kind_of_entry_has_its_way_into_a_copy() -> None:
    names = [name for name, value in vars(keys).items() if name.isupper() and type(value) is int]
    kinds = {getattr(keys, name) for name in names} - {keys.FIRST_PLACE, keys.LONGEST_ID_BYTES}
    assert set(REWRITERS) == kinds


@given(
    values=st.lists(
        st.one_of(st.integers(), st.text(), st.binary(), st.none(), st.floats(allow_nan=False)), max_size=9
    ),
    steps=st.integers(0, 4),
)
def test_a_copy_has_the_tokens_of_its_original(values: list[object], steps: int) -> None:
    workflow = chain(3)
    here, there = Driver(workflow, slots=2), later(Driver(workflow), 5_000.0)
    here.spawn(workflow, {"p0": values})
    here.rest()
    for _ in range(steps):
        here.answer_all()
        here.rest()
    original = here.image()
    bring(there, exported(here))
    copy = there.image("two")
    assert copy.places == original.places
    assert {n: f.tokens for n, f in copy.firings.items()} == {n: f.tokens for n, f in original.firings.items()}
    if not original.is_over:
        assert there.state("two") == "paused"
        there.ask(RESUME)
    there.finish_all()
    here.finish_all()
    assert there.state("two") == here.state() == "completed"
    assert there.marking("two") == here.marking()


def test_a_large_value_comes_along_in_its_parts() -> None:
    workflow = single()
    here, there = Driver(workflow), Driver(workflow)
    here.spawn(workflow, {"a": ["x" * 3 * INLINE_BYTES]})
    bring(there, exported(here))
    assert there.image("two").chunks == there.image("two").needed_chunks()
    there.ask(RESUME)
    there.finish_all()
    image = there.image("two")
    (stored,) = image.places[1].values()
    assert value_of(there.store, image.root, stored) == "x" * 3 * INLINE_BYTES
    assert there.image("two").chunks == there.image("two").needed_chunks()


def test_history_comes_along_under_numbers_of_its_own_or_not_at_all() -> None:
    workflow = chain(2, run="inline")
    here, there = Driver(workflow), later(Driver(workflow), 10_000.0)
    here.spawn(workflow, {"p0": [1]})
    there.spawn(workflow, {"p0": [2]}, "other")
    bring(there, exported(here))
    assert there.kinds("two") == [*here.kinds(), "imported"]
    ours, theirs = here.history(), there.history("two")
    assert [record.at - ours[0].at for record in ours] == [record.at - theirs[0].at for record in theirs[:-1]]
    assert theirs[-1].detail == {"by": "eva", "why": "to try", "origin": "one", "exported_at": theirs[-1].at}
    bring(there, exported(here, history=False), "three")
    assert there.kinds("three") == ["imported"]
    assert there.kinds("other") == here.kinds()


def test_a_copy_without_history_does_not_look_for_it() -> None:
    workflow = chain(3)
    here, there = Driver(workflow), Driver(workflow)
    here.spawn(workflow, {"p0": [1, 2]})
    here.answer_all()
    here.rest()
    there.spawn(workflow, {"p0": [7]}, "other")
    bring(there, exported(here, history=False))
    there.ask(RESUME)
    there.finish_all()
    assert there.kinds("two")[:2] == ["imported", "resumed"]
    assert there.kinds("two").count("fired") == 4


def test_a_copy_of_a_copy_tells_of_both() -> None:
    workflow = chain(1)
    driver = Driver(workflow)
    driver.spawn(workflow, {"p0": [1]})
    bring(driver, exported(driver))
    bring(driver, exported(driver, "two"), "three")
    assert driver.kinds("three").count("imported") == 2


def test_one_actor_is_exported_with_its_entries_alone() -> None:
    workflow, left, right = join()
    driver = Driver(workflow)
    driver.spawn(workflow, {left: [1, 2, "x" * 2 * INLINE_BYTES], right: []})
    export = exported(driver, path="left", history=False)
    assert (export.head.path, export.records) == ("left", ())
    whole = dict(exported(driver).entries)
    assert set(export.entries) <= set(whole.items())
    kinds = [split_entry(bytes(10) + key)[1] for key, _ in export.entries]
    assert kinds == [keys.TOKEN] * 3 + [keys.BLOB]
    assert exported(driver, path="right").entries == ()


# -- P2: what ran, and ids -------------------------------------------------------------------------------------------


def test_what_ran_comes_back_as_after_a_clean_stop() -> None:
    workflow = single(timeout_s=5.0)
    here, there = Driver(workflow), later(Driver(workflow), 77.0)
    here.spawn(workflow, {"a": [1]})
    start = here.only()
    bring(there, exported(here))
    firing = there.firing("two")
    assert (firing.phase, firing.attempt, firing.losses, firing.failures) == (Phase.READY, 1, 0, ())
    assert "lost" not in there.kinds("two")
    assert not there.started, "a copy starts nothing by itself"
    there.pass_time(60.0)
    assert there.phase("two") is Phase.READY
    there.ask(RESUME)
    again = there.only()
    assert (again.number, again.attempt) == (start.number, 2)
    there.finish_all()
    here.finish_all()
    assert there.marking("two") == here.marking() == {"b": [1]}


def test_firings_of_a_copy_have_ids_of_their_own() -> None:
    workflow = single()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    before = driver.only()
    export = exported(driver)
    ids = {firing_id("one", before.incarnation, before.number)}
    driver.finish_all()
    elsewhere = Driver(workflow)
    for number, (engine, instance) in enumerate(((driver, "two"), (driver, "three"), (elsewhere, "one")), 2):
        bring(engine, export, instance)
        engine.ask(Resume(instance=instance, by="eva"))
        start = engine.only()
        ids.add(firing_id(instance, start.incarnation, start.number))
        assert len(ids) == number
        engine.finish_all()


def test_losses_and_failures_before_the_export_still_count() -> None:
    workflow = single(retry=Retry(attempts=2, first_s=1.0, jitter=0.0))
    here, there = Driver(workflow), Driver(workflow)
    here.spawn(workflow, {"a": [1]})
    here.crash()
    here.rest()
    here.fail(here.only())
    here.rest()
    assert here.phase() is Phase.BACKOFF
    bring(there, exported(here))
    assert (there.firing("two").losses, there.firing("two").failed) == (1, 1)
    there.ask(RESUME)
    there.pass_time(1.0)
    there.fail(there.only())
    there.rest()
    assert there.state("two") == "incident"
    types = [failure.type for failure in there.firing("two").failures]
    assert types == ["Lost", "builtins.ValueError", "builtins.ValueError"]


# -- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age_s", "left_s"), [(0.0, 10.0), (4.0, 6.0), (60.0, 0.0)])
def test_a_back_off_goes_on_while_the_file_lies_on_disk(age_s: float, left_s: float) -> None:
    workflow = single(retry=Retry(attempts=2, first_s=10.0, jitter=0.0))
    here, there = later(Driver(workflow), 100.0), later(Driver(workflow), 90_000.0)
    here.spawn(workflow, {"a": [1]})
    here.fail(here.only())
    here.rest()
    bring(there, exported(here), age_s=age_s)
    there.ask(RESUME)
    if left_s:
        there.pass_time(left_s - 0.5)
        assert not there.started
    there.pass_time(0.5)
    assert there.only().attempt == 2


@pytest.mark.parametrize(("age_s", "left_s"), [(0.0, 30.0), (29.0, 1.0), (31.0, 0.0)])
def test_a_delay_goes_on_while_the_file_lies_on_disk(age_s: float, left_s: float) -> None:
    workflow = Workflow("slow")
    asked, answered = workflow.places("asked answered")
    workflow.transition(asked >> answered, "wait", delay_s=30.0)
    here, there = later(Driver(workflow), 1_234.567), later(Driver(workflow), 98_765.4321)
    here.spawn(workflow, {asked: [1]})
    bring(there, exported(here), age_s=age_s)
    there.ask(RESUME)
    if left_s:
        there.pass_time(left_s - 0.5)
        assert there.marking("two") == {"asked": [1]}
    there.pass_time(0.51)
    there.finish_all()
    assert there.marking("two") == {"answered": [1]}


def test_timers_of_a_copy_survive_a_crash() -> None:
    workflow = single(retry=Retry(attempts=2, first_s=10.0, jitter=0.0))
    here, there = Driver(workflow), Driver(workflow)
    here.spawn(workflow, {"a": [1]})
    here.fail(here.only())
    here.rest()
    bring(there, exported(here))
    there.crash()
    there.ask(RESUME)
    there.pass_time(10.0)
    assert there.only().attempt == 2


# -- states ----------------------------------------------------------------------------------------------------------


def test_what_has_ended_stays_as_it_was() -> None:
    workflow = chain(1)
    here, there = Driver(workflow), Driver(workflow)
    here.spawn(workflow, {"p0": [1]})
    here.finish_all()
    bring(there, exported(here))
    assert there.state("two") == "completed"
    assert there.marking("two") == {"p1": [1]}


def test_what_was_being_cancelled_is_cancelled() -> None:
    workflow = single()
    here, there = Driver(workflow), Driver(workflow)
    here.spawn(workflow, {"a": [1]})
    here.ask(Cancel(instance="one", by="eva"))
    assert here.state() == "cancelling"
    bring(there, exported(here))
    assert there.state("two") == "cancelled"
    assert there.marking("two") == {"a": [1]}


def test_an_incident_waits_in_the_copy_too() -> None:
    workflow = single()
    here, there = Driver(workflow), Driver(workflow)
    here.spawn(workflow, {"a": [1]})
    here.fail(here.only())
    here.rest()
    bring(there, exported(here))
    (number,) = there.image("two").incidents
    there.ask(RESUME)
    assert there.state("two") == "incident"
    there.ask(RetryIncident(instance="two", incident=number, by="eva"))
    there.finish_all()
    assert there.state("two") == "completed"


@needs_source
@pytest.mark.parametrize("is_result", [False, True], ids=["of a person", "of an executor"])
def test_a_message_that_was_set_aside_is_the_copys_own(is_result: bool) -> None:
    workflow, probe = single(), Probe()
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": [1]})
    start = driver.only()
    with probed(probe):
        if is_result:
            driver.deliver(start, done(start, (0, "x")))
        else:
            driver.send(Cancel(instance="one", by="eva"))
        probe.arm(after_calls=0, faults=3)
        driver.rest()
    bring(driver, exported(driver))
    original = driver.kinds()
    (parked,) = driver.image("two").parked
    driver.ask(RESUME)
    driver.receipt(RetryIncident(instance="two", incident=parked.number, by="eva"))
    driver.rest()
    assert driver.kinds() == original, "nothing reaches the original"
    assert driver.kinds("two")[-1] == ("stale" if is_result else "cancel_requested")


def test_tasks_wait_in_the_copy_too() -> None:
    workflow = Workflow("approval")
    asked, yes, no = workflow.places("asked yes no")
    workflow.approval("boss", asked, approve=yes, reject=no)
    here, there = Driver(workflow), Driver(workflow)
    here.spawn(workflow, {asked: [1]})
    root = bring(there, exported(here))
    assert list(there.image("two").tasks) == list(here.image().tasks)
    assert there.store.get(tasks_key(root)) is not None
    there.ask(RESUME)
    assert there.state("two") == here.state() == "waiting"


# -- ids and refusals ------------------------------------------------------------------------------------------------


def test_an_id_that_exists_is_refused_and_the_same_request_has_its_effect_once() -> None:
    workflow = chain(1)
    driver = Driver(workflow)
    root = driver.spawn(workflow, {"p0": [1]})
    export = exported(driver)
    refused = driver.ask(request(export, "one"))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.reason) == ("conflict", "an instance one exists already; use another id")
    message = request(export)
    first = driver.ask(message)
    driver.crash()
    second = driver.ask(message)
    assert isinstance(first, Spawned)
    assert isinstance(second, Spawned)
    assert (second.root, second.already) == (first.root, True)
    assert first.root != root
    assert driver.store.get(address_key("two")) == first.root


def test_answers_to_requests_come_along_under_the_same_id_only() -> None:
    workflow = chain(1)
    here = Driver(workflow)
    here.spawn(workflow, {"p0": [1]})
    paused = Pause(instance="one", by="eva", request_id="r1")
    here.receipt(paused)
    export = exported(here)
    there = Driver(workflow)
    bring(there, export, "one")
    there.ask(Resume(instance="one", by="eva"))
    assert there.receipt(paused).already
    assert there.state("one") == "running"
    bring(there, export, "two")
    there.ask(RESUME)
    assert not there.receipt(msgspec.structs.replace(paused, instance="two")).already


def test_an_import_that_cannot_be_read_is_refused_and_leaves_nothing() -> None:
    workflow = chain(1)
    driver = Driver(workflow)
    driver.spawn(workflow, {"p0": [1]})
    message = request(exported(driver))
    broken = [
        msgspec.structs.replace(message, entries=message.entries[1:]),
        msgspec.structs.replace(message, entries=((message.entries[0][0], b"\xff"), *message.entries[1:])),
        msgspec.structs.replace(message, records=(b"\xff",)),
        msgspec.structs.replace(message, entries=((b"short", b""),)),
    ]
    for one in broken:
        refused = driver.ask(one)
        assert isinstance(refused, Refused)
        assert refused.code == "fault"
        assert driver.store.get(address_key("two")) is None
    assert driver.kinds() == ["spawned"]
    bring(driver, exported(driver))


def test_a_copy_whose_workflow_is_not_known_here_waits_for_an_engine_that_knows_it() -> None:
    workflow = chain(2)
    here, there = Driver(workflow), Driver(single())
    here.spawn(workflow, {"p0": [1]})
    bring(there, exported(here))
    there.ask(RESUME)
    assert there.state("two") == "waiting"
    there.workflows = (workflow,)
    there.crash()
    there.finish_all()
    assert there.state("two") == "completed"


def test_without_an_engine_it_is_committed_all_the_same() -> None:
    workflow = chain(2)
    here = Driver(workflow)
    here.spawn(workflow, {"p0": [1]})
    there = Driver(workflow)
    answer = carry_out(there.store, request(exported(here)))
    assert isinstance(answer, Spawned)
    assert there.state("two") == "paused"
    there.crash()
    there.ask(RESUME)
    there.finish_all()
    assert there.marking("two") == {"p2": [1]}


def test_values_are_not_looked_into_by_an_import() -> None:
    store = MemoryStore()
    workflow = single()
    here = Driver(workflow)
    here.spawn(workflow, {"a": [1]})
    export = exported(here)
    bomb = b"\x80\x05c_no_such_module\nThing\n."
    entries = tuple(
        (key, bomb if split_entry(bytes(10) + key)[1] == keys.TOKEN else value) for key, value in export.entries
    )
    kernel = Kernel(store, Catalog(), visiting=True)
    kernel.deliver(msgspec.structs.replace(request(export), entries=entries, reply=1))
    batch = kernel.run(1.0)
    assert isinstance(batch.replies[0].answer, Spawned)
    assert decode(here.only().tokens[0][2]) == 1
