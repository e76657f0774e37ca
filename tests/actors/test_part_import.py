"""The tokens of an exported place or composite, put into the same places: new ones, all or none, once a request."""

from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from placet import BadCopy, NotFound, RequestRefused, Workflow
from placet.actors.answers import Receipt, Refused
from placet.actors.copies.export import write_export
from placet.actors.copies.part_import import PartCopy, part_in, part_message
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Cancel, FreezeToken, ImportTokens, Pause, Resume
from placet.actors.reader import StateReader
from placet.actors.records import Phase
from placet.persistence.export_file import Export, read_export_from
from tests.actors.driver import Driver

LARGE = 3 << 20  # bytes: more than stays in a token's own entry


def same(value: object) -> object:
    return value


def first(value: object, _key: object) -> object:
    return value


def shelf(*, type: type | None = None, capacity: int | None = None) -> Workflow:
    """Return a place whose tokens wait for a key, and a composite with a place of its own."""
    workflow = Workflow("shelf")
    start, key, end = workflow.places("start key end")
    kept = workflow.place("kept", type=type, capacity=capacity)
    workflow.transition(start >> kept, "keep", handler=same, run="inline")
    workflow.transition((kept & key) >> end, "take", handler=first, run="inline")
    note, known = workflow.places("note known")
    workflow.task(note >> known, "read")
    inner = Workflow("inner")
    left, right = inner.places("left right")
    inner.transition(left >> right, "go", handler=same, run="inline")
    workflow.composite("part", inner, {})
    return workflow


def holding(*values: object, workflow: Workflow | None = None) -> Driver:
    workflow = workflow or shelf()
    driver = Driver(workflow)
    note: list[object] = ["which keeps it from its end"]
    driver.spawn(workflow, {"start": list(values), "note": note})
    driver.rest()
    return driver


def marking(driver: Driver) -> dict[str, list[object]]:
    """Return what is in the places, but the note."""
    return {place: values for place, values in driver.marking().items() if place != "note"}


def exported(driver: Driver, path: str) -> Export:
    file = BytesIO()
    write_export(driver.store, "one", file, path=path, history=False)
    size_bytes = file.tell()
    file.seek(0)
    return read_export_from(file, size_bytes, Path("export"))


def copied(driver: Driver, path: str = "kept") -> PartCopy:
    return part_in(exported(driver, path), "export")


def message(driver: Driver, found: PartCopy, request_id: str = "") -> ImportTokens:
    return part_message(found, "one", StateReader(driver.store), by="eva", why="moved", request_id=request_id)


def test_the_tokens_come_beside_those_there_are_under_new_numbers_and_are_in_the_books() -> None:
    here, there = holding(1, 2), holding(3)
    before = there.view().tokens["kept"]
    answer = there.ask(message(there, copied(here)))
    assert isinstance(answer, Receipt), answer
    assert marking(there) == {"kept": [3, 1, 2]}
    new = there.view().tokens["kept"][1:]
    assert not set(new) & set(before)
    (record,) = (one for one in there.history() if one.kind == "imported_tokens")
    assert record.produced == tuple(new)
    assert isinstance(record.detail, dict)
    told = {"by": "eva", "why": "moved", "origin": "one/kept", "place": "kept", "count": 2, "frozen": 0}
    assert record.detail == told
    there.crash()
    there.rest()
    assert marking(there) == {"kept": [3, 1, 2]}


def test_what_comes_in_takes_part_at_once_and_waits_where_the_instance_is_paused() -> None:
    here, there = holding(1, 2), holding()
    there.ask(Pause(instance="one", by="eva"))
    there.ask(message(there, copied(here)))
    assert there.state() == InstanceState.PAUSED
    (kept,) = copied(here).places
    keys = msgspec.structs.replace(kept.tokens, place="key")
    there.ask(msgspec.structs.replace(message(there, copied(here)), places=(keys,)))
    assert marking(there) == {"kept": [1, 2], "key": [1, 2]}
    there.ask(Resume(instance="one", by="eva"))
    there.finish_all()
    assert (there.state(), marking(there)) == (InstanceState.WAITING, {"end": [1, 2]})


def test_a_large_value_and_a_frozen_token_come_as_they_were() -> None:
    here, there = holding(b"x" * LARGE, 2), holding()
    here.ask(FreezeToken(instance="one", by="eva", token=here.view().tokens["kept"][1]))
    there.ask(message(there, copied(here)))
    assert marking(there) == {"kept": [b"x" * LARGE, 2]}
    assert there.view().frozen == (there.view().tokens["kept"][1],)
    there.crash()
    there.rest()
    assert there.view().frozen == (there.view().tokens["kept"][1],)


def test_the_same_request_counts_once() -> None:
    here, there = holding(1), holding()
    once, again = (there.ask(message(there, copied(here), "r-1")) for _ in range(2))
    assert isinstance(once, Receipt)
    assert isinstance(again, Receipt)
    assert (once.already, again.already, marking(there)) == (False, True, {"kept": [1]})
    there.ask(message(there, copied(here), "r-2"))
    assert marking(there) == {"kept": [1, 1]}


def test_all_come_or_none_where_there_is_no_room() -> None:
    here, there = holding(1, 2, 3), holding(4, workflow=shelf(capacity=3))
    found = copied(here)
    answer = there.ask(message(there, found))
    assert isinstance(answer, Refused)
    assert (answer.code, marking(there)) == ("full", {"kept": [4]})
    (kept,) = found.places
    fewer = msgspec.structs.replace(kept.tokens, values=kept.tokens.values[:2])
    assert isinstance(there.ask(msgspec.structs.replace(message(there, found), places=(fewer,))), Receipt)
    assert marking(there) == {"kept": [4, 1, 2]}


def test_an_instance_that_ended_or_is_ending_takes_none() -> None:
    here, there = holding(1), holding(2)
    sent = message(there, copied(here))
    there.ask(Cancel(instance="one", by="eva"))
    answer = there.ask(sent)
    assert isinstance(answer, Refused)
    assert (answer.code, marking(there)) == ("ended", {"kept": [2]})


def test_only_a_place_of_the_same_path_and_type_takes_them() -> None:
    numbers, words = shelf(type=int), shelf(type=str)
    here, alike, other = (holding(*given, workflow=one) for given, one in (((1,), numbers), ((), numbers), ((), words)))
    any_type = holding()
    found = copied(here)
    assert [one.type for one in found.places] == ["int"]
    assert isinstance(alike.ask(message(alike, found)), Receipt)
    assert isinstance(any_type.ask(message(any_type, found)), Receipt)
    with pytest.raises(RequestRefused, match="kept of one is for str, and one/kept is for int") as refused:
        message(other, found)
    assert refused.value.refusal == "wrong_type"
    with pytest.raises(RequestRefused, match="one/kept is for values of any type"):
        message(other, copied(any_type))
    elsewhere = Workflow("elsewhere")
    a, b = elsewhere.places("a b")
    elsewhere.transition(a >> b, "go")
    with pytest.raises(RequestRefused, match="one has no place 'kept'") as nowhere:
        message(holding_none(elsewhere), found)
    assert nowhere.value.refusal == "no_place"
    with pytest.raises(NotFound):
        part_message(found, "nobody", StateReader(alike.store), by="eva", why="", request_id="")


def holding_none(workflow: Workflow) -> Driver:
    driver = Driver(workflow)
    driver.spawn(workflow, {"a": []})
    return driver


def test_what_holds_no_part_is_refused_with_what_to_do() -> None:
    here = holding(1)
    with pytest.raises(BadCopy, match="holds all of one, and not a place or composite; import it as an instance"):
        copied(here, "")
    whole = exported(holding(b"x" * LARGE), "kept")
    with pytest.raises(BadCopy, match="its tokens are not whole"):
        part_in(cut_off(whole), "export")


def cut_off(export: Export) -> Export:
    """Return an export without its last chunk."""
    return Export(head=export.head, net=export.net, entries=export.entries[:-1], records=())


def billing(*, capacity: int | None = None) -> Workflow:
    """Return a composite in a composite, with a port, a step that fails for whom is not known, and a task."""
    inmost = Workflow("inmost")
    asked, paid = inmost.places("asked paid")
    inmost.task(asked >> paid, "collect")
    billing = Workflow("billing")
    due, checked, open_, settled = billing.places("due checked open settled")
    noted = billing.place("noted", capacity=capacity)

    @billing.transition(due >> (checked & noted))
    def check(name: str) -> str:
        if name == "nobody":
            raise LookupError(name)
        return name

    billing.transition(checked >> open_, "send", handler=same)
    billing.composite("in", inmost, {asked: open_, paid: settled})
    orders = Workflow("orders")
    received, closed, kept = orders.places("received closed kept")
    orders.task(kept >> closed, "close")
    orders.composite("pay", billing, {due: received})
    return orders


def with_bills(*names: str, workflow: Workflow | None = None) -> Driver:
    workflow = workflow or billing()
    driver = Driver(workflow)
    driver.spawn(workflow, {"received": list(names), "kept": ["which keeps it from its end"]})
    return driver


def test_a_composite_comes_with_all_in_it_also_what_its_firings_had_taken() -> None:
    here = with_bills("ann", "nobody", "bob")
    here.finish_all()
    assert [firing.phase for firing in here.view().firings] == [Phase.INCIDENT]
    there = with_bills()
    answer = there.ask(message(there, copied(here, "pay")))
    assert isinstance(answer, Receipt), answer
    there.rest()
    taken = {one.transition for one in there.view().firings}
    assert (taken, there.marking()["pay/open"]) == ({"pay/check"}, ["ann", "bob"])
    assert len(there.view().tasks) == 1 + 2
    told = [one.detail for one in there.history() if one.kind == "imported_tokens"]
    assert {(one["place"], one["origin"], one["count"]) for one in told if isinstance(one, dict)} == {
        ("received", "one/pay/due", 1),
        ("pay/noted", "one/pay/noted", 2),
        ("pay/open", "one/pay/open", 2),
    }
    there.crash()
    there.finish_all()
    assert len(there.view().incidents) == 1


def test_what_runs_in_a_composite_is_begun_anew_under_another_id() -> None:
    here, there = with_bills("ann"), with_bills()
    (running,) = here.view().firings
    there.ask(message(there, copied(here, "pay")))
    there.finish_all()
    here.finish_all()
    assert here.marking()["pay/open"] == there.marking()["pay/open"] == ["ann"]
    fired = [[one.firing for one in driver.history() if one.kind == "fired"] for driver in (here, there)]
    assert running.number in fired[0]
    assert [len(one) for one in fired] == [2, 2]


def test_of_a_composite_all_places_get_their_tokens_or_none() -> None:
    here, there = with_bills("ann", "bob"), with_bills(workflow=billing(capacity=1))
    here.finish_all()
    before = there.marking()
    answer = there.ask(message(there, copied(here, "pay"), "r-1"))
    assert isinstance(answer, Refused)
    assert (answer.code, there.marking()) == ("full", before)


def test_a_composite_without_tokens_is_imported_and_recorded() -> None:
    here, there = with_bills(), with_bills()
    assert isinstance(there.ask(message(there, copied(here, "pay/in"))), Receipt)
    (told,) = (one.detail for one in there.history() if one.kind == "imported_tokens")
    assert isinstance(told, dict)
    assert told["count"] == 0
    with pytest.raises(RequestRefused, match="one has no place 'pay/due'"):
        message(holding(), copied(here, "pay"))
