"""Today's code opens what an engine of an older format left on disk, reads it, and goes on with it.

`format-1.json` is such a state; it is never edited and never made anew, not even when this test fails: then today's
code cannot read what users have on their disks. When the format changes on purpose: raise `FORMAT`, add the
step to `UPGRADES` in `persistence/format.py`, make `format-2.json` with `python -m tests.golden.make`, and give it
tests like these. Those here then open the old state by way of the upgrade.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from placet.actors.answers import Receipt, decode_answer
from placet.actors.catalog import decode_stored_net
from placet.actors.lifecycle import InstanceState, Intent
from placet.actors.messages import (
    Cancel,
    Done,
    FailIncident,
    KernelMessage,
    Pause,
    Resume,
    RetryIncident,
    decode_message,
)
from placet.actors.reader import StateReader
from placet.actors.records import (
    Failure,
    Firing,
    GuardIncident,
    Header,
    Parked,
    Phase,
    decode_firing,
    decode_guard_incident,
    decode_header,
    decode_parked,
)
from placet.actors.runtime import Runtime
from placet.actors.stamp import Stamp, decode_stamp
from placet.actors.suspects import Suspects
from placet.persistence.blobs import BLOB_ACTOR
from placet.persistence.format import FORMAT, ensure_format, read_format
from placet.persistence.history import Record, decode_record
from placet.persistence.keys import (
    BLOB,
    FIRING,
    FIRST_PLACE,
    GUARD_INCIDENT,
    HEADER,
    HISTORY,
    LIVE,
    NET,
    PARKED,
    REQUEST,
    SHARD,
    STAMP,
    TOKEN,
    entry_key,
    kind_prefix,
    split_entry,
)
from placet.persistence.lmdb_store import LmdbStore
from placet.persistence.memory_store import MemoryStore
from placet.persistence.state import open_state
from placet.persistence.store import Store, View
from placet.persistence.values import decode
from placet.petri.behaviour import Source
from placet.petri.net import Arc, Composite, Place, Transition
from tests.actors.driver import Driver
from tests.golden.fixture import FOLDER, Entry, read_fixture, write_fixture
from tests.golden.make import LARGE, LONG_ID, make
from tests.golden.workflows import workflows

FORMAT_1 = read_fixture(FOLDER / "format-1.json")
FORMAT_1_S = 1_087.0  # engine time at which it was left
ORDER_NET = bytes.fromhex("8c29e169d81b604cfb3b5774")
CHECK_NET = bytes.fromhex("e70cee3de0345aaf42e1b6d7")
PROBLEM = Failure(
    type="shop.CourierLost",
    message="nobody at the door",
    traceback="Traceback (most recent call last):\nshop.CourierLost: nobody at the door\n",
    attempt=1,
    at=1_083.0,
    types=("shop.CourierLost", "Exception", "BaseException"),
)
BROKEN = Failure(type="ZeroDivisionError", message="division by zero", traceback="Traceback: …\n", attempt=1, at=5.0)
ENDS: dict[str, tuple[str, dict[str, list[object]]]] = {
    "backoff": ("completed", {"sent": ["b"]}),
    "cancelled": ("cancelled", {"left": [1], "right": [2]}),
    "cancelling": ("cancelled", {"a": ["n", "o"]}),
    "completed": ("completed", {"sent": ["c", "d"]}),
    "failed": ("failed", {"a": ["f", "g"]}),
    "failing": ("failed", {"a": ["n", "o"]}),
    "guard": ("completed", {"b": ["g"]}),
    "incident": ("completed", {"b": ["i", "ii"]}),
    "large": ("completed", {"sent": [len(LARGE)]}),
    LONG_ID: ("cancelled", {"left": [1, 2, 3]}),
    "lost": ("completed", {"sent": ["l"]}),
    "parked": ("completed", {"b": ["p"]}),
    "paused": ("completed", {"sent": [len(LARGE), ["by", "msgpack"], {"by": "json"}]}),
    "ready": ("completed", {"b": ["y"]}),
    "resumed": ("completed", {"sent": ["r"]}),
    "stuck": ("cancelled", {"left": [1]}),
    "suspect": ("completed", {"sent": ["s"]}),
    "trimmed": ("completed", {"b": ["given"]}),
    "unknown": ("completed", {"good": ["u"]}),
}
SETTLING = (
    Resume(instance="suspect", by="eva"),
    Resume(instance="lost", by="eva"),
    Resume(instance="paused", by="eva"),
    RetryIncident(instance="incident", incident=3, by="eva"),
    RetryIncident(instance="guard", incident=2, by="eva"),
    RetryIncident(instance="parked", incident=2, by="eva"),
    RetryIncident(instance="parked", incident=4, by="eva"),
    Cancel(instance="stuck", by="eva"),
    Cancel(instance=LONG_ID, by="eva"),
)


def opened(store: Store) -> Store:
    """Fill a store with the golden state, and bring it to today's format."""
    store.commit(FORMAT_1)
    ensure_format(store, "golden")
    return store


@pytest.fixture(params=["memory", "lmdb"])
def view(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[View]:
    """The golden state in each kind of store."""
    store: Store = LmdbStore.open(tmp_path) if request.param == "lmdb" else MemoryStore()
    yield opened(store)
    store.close()


def at(view: View, instance: str, actor: int, kind: int, number: int) -> bytes:
    """Return one entry of an instance."""
    root = StateReader(view).root(instance)
    assert root is not None, instance
    found = view.get(entry_key(root, actor, kind, number))
    assert found is not None, (instance, actor, kind, number)
    return found


# -- it holds what it should -----------------------------------------------------------------------------


def test_the_golden_state_holds_every_kind_of_record_and_every_value_of_every_enum(view: View) -> None:
    live = [(split_entry(key), value) for key, value in view.scan(LIVE)]
    assert {key[:1] for key, _ in view.scan(b"")} == {b"A", b"E", b"L", b"N", b"S", b"Z", STAMP}
    assert {kind for (_, kind, _), _ in live} == {HEADER, FIRING, TOKEN, GUARD_INCIDENT, REQUEST, PARKED, BLOB}
    headers = [decode_header(value) for (_, kind, _), value in live if kind == HEADER]
    assert {header.intent.value for header in headers} == {"run", "pause", "cancel", "fail"}
    states = {"running", "waiting", "paused", "incident", "stuck", "cancelling", "cancelled", "failed", "completed"}
    assert {header.state.value for header in headers} == states
    firings = [decode_firing(value) for (_, kind, _), value in live if kind == FIRING]
    assert {int(firing.phase) for firing in firings} == {0, 1, 2, 3, 4}


def test_the_golden_state_holds_every_kind_of_history_record(view: View) -> None:
    kinds = {decode_record(value).kind for _, value in view.scan(HISTORY)}
    assert kinds == {
        *("spawned", "fired", "attempt_failed", "incident", "lost", "stale", "put_back", "stuck", "waiting"),
        *("paused", "resumed", "cancel_requested", "fail_requested", "retried", "skipped", "restarted"),
        *("parked", "dropped", "cancelled", "failed", "completed"),
    }


def test_what_makes_a_golden_state_makes_the_same_one_each_time(tmp_path: Path) -> None:
    entries: list[Entry] = make()
    assert make() == entries
    write_fixture(tmp_path / "again.json", entries)
    assert read_fixture(tmp_path / "again.json") == entries


# -- today's code reads it ---------------------------------------------------------------------------------


def test_the_state_is_brought_to_todays_format(view: View) -> None:
    assert read_format(view) == FORMAT


def test_a_header_is_read(view: View) -> None:
    assert decode_header(at(view, "paused", 0, HEADER, 0)) == Header(
        instance="paused",
        workflow="order",
        version="1.0+75d2a3c07b3ad33b",
        net=ORDER_NET,
        incarnation=6,
        inputs=bytes.fromhex("cae66941d9efbd404e4d88758ea67670"),
        state=InstanceState.PAUSED,
        spawned_at=1_081.0,
        intent=Intent.PAUSE,
        awake=False,
        changed_at=1_082.0,
        serial=3,
        link=59,
        fired=0,
    )
    completed = decode_header(at(view, "completed", 0, HEADER, 0))
    assert (completed.serial, completed.link, completed.fired) == (14, 21, 6)
    assert completed.state is InstanceState.COMPLETED


def test_firings_are_read(view: View) -> None:
    assert decode_firing(at(view, "backoff", 0, FIRING, 6)) == Firing(
        number=6,
        transition=0,
        tokens=((1, 5, bytes.fromhex("80059505000000000000008c0162942e")),),
        phase=Phase.BACKOFF,
        attempt=1,
        due=1_143.0,
        serial=6,
        link=63,
        fired=2,
        failures=(PROBLEM,),
        failed=1,
        losses=0,
        since=1_083.0,
        slot=6,
    )
    suspect = decode_firing(at(view, "suspect", 1, FIRING, 2))  # of the composite
    assert (suspect.phase, suspect.attempt, suspect.losses, suspect.failed) == (Phase.SUSPECT, 3, 3, 0)
    assert [failure.type for failure in suspect.failures] == ["Lost"] * 3
    running = decode_firing(at(view, "resumed", 0, FIRING, 6))
    assert (running.phase, running.due, running.since) == (Phase.RUNNING, 1_115.0, 1_085.0)
    assert (running.serial, running.link, running.fired) == (6, 68, 2)


def test_incidents_and_parked_messages_are_read(view: View) -> None:
    assert decode_guard_incident(at(view, "guard", 0, GUARD_INCIDENT, 2)) == GuardIncident(
        number=2,
        transition=0,
        place=0,
        token=1,
        failure=Failure(type="CrashSuspect", message="its process ended twice while this guard ran"),
    )
    parked = decode_parked(at(view, "parked", 0, PARKED, 3))
    root = StateReader(view).root("parked")
    message = Done(root=root or b"", transition=0, number=2, attempt=1, outputs=((0, pickled("result")),))
    assert decode_message(parked.message) == message
    assert parked == Parked(number=3, kind="Done", message=parked.message, failure=BROKEN, firing=2, actor="b")


def pickled(text: str) -> bytes:
    """Return a short text as the engine of format 1 stored it."""
    data = text.encode()
    body = b"\x8c" + bytes((len(data),)) + data + b"\x94."
    return b"\x80\x05\x95" + len(body).to_bytes(8, "little") + body


def test_a_parked_message_of_a_person_is_read(view: View) -> None:
    parked = decode_parked(at(view, "parked", 0, PARKED, 4))
    expected: KernelMessage = Resume(instance="parked", by="eva")
    assert (decode_message(parked.message), parked.kind, parked.firing) == (expected, "Resume", 0)


def test_a_recorded_request_is_read(view: View) -> None:
    answer = decode_answer(at(view, "paused", 0, REQUEST, 9103581961592979310))
    assert answer == Receipt(instance="paused", at=1_082.0)


def test_tokens_of_every_codec_and_a_large_one_are_read(view: View) -> None:
    found = StateReader(view).instance("paused")
    assert found is not None
    values = [decode(value) for value in found.marking["received"]]
    assert values == [{"by": "json"}, ["by", "msgpack"], LARGE]
    root = StateReader(view).root("paused") or b""
    assert [split_entry(key)[2] for key, _ in view.scan(kind_prefix(root, BLOB_ACTOR, BLOB))] == [3_072, 3_073]
    assert decode(at(view, "guard", FIRST_PLACE, TOKEN, 1)) == "g"


def test_a_net_is_read(view: View) -> None:
    stored = decode_stored_net(view.get(NET + ORDER_NET) or b"")
    assert (stored.workflow, stored.version) == ("order", "1.0+75d2a3c07b3ad33b")
    assert stored.source == Source(file="/srv/shop/flows.py", module="shop.flows", name="order")
    assert stored.net.places[0] == Place(name="received", type="str", category="shop", properties=(("shelf", 3),))
    assert stored.net.transitions[0] == Transition(
        name="send",
        inputs=(Arc(place="packed"),),
        outputs=(Arc(place="sent"),),
        handler="tests.golden.workflows:same",
        priority=2,
        category="courier",
        properties=(("insured", True),),
    )
    (fulfil,) = stored.net.composites
    assert fulfil == Composite(
        name="fulfil",
        net=fulfil.net,
        ports=(("todo", "received"), ("ready", "packed")),
        category="shop",
        properties=(("floor", "second"),),
    )
    assert [place.name for place in fulfil.net.places] == ["todo", "half", "ready"]


def test_what_the_engine_keeps_is_read(view: View) -> None:
    stamp = decode_stamp(view.get(STAMP) or b"")
    assert stamp == Stamp(engine_s=1_087.0, wall_s=1_700_001_087.0, history=80, stopped_s=1_012.0000000000001)
    counts = {who: suspect.found for who, suspect in Suspects(view).known.items()}
    assert counts == {("guard", "look"): 2, ("innocent", "look"): 1}
    assert view.get(SHARD + b"\x7d") == (2_049).to_bytes(8, "big")


def test_history_is_read(view: View) -> None:
    history = StateReader(view).history("completed")
    assert [sequence for sequence, _ in history] == list(range(11, 22))
    root = StateReader(view).root("completed") or b""
    assert history[1][1] == Record(
        root=root,
        link=11,
        at=1_013.0,
        kind="fired",
        transition="fulfil/wrap",
        firing=3,
        attempt=1,
        consumed=(1,),
        produced=(5,),
    )
    assert history[6][1].detail == {"type": "shop.CourierLost", "message": "nobody at the door"}
    assert [sequence for sequence, _ in StateReader(view).history("trimmed")] == [40, 41, 42, 43]


def test_every_instance_is_found_by_its_id(view: View) -> None:
    reader = StateReader(view)
    assert sorted(header.instance for header in reader.headers()) == sorted(ENDS)
    for instance in ENDS:
        found = reader.instance(instance)
        assert found is not None, instance
        assert found.header.instance == instance
        assert reader.history(instance)[-1][0] == found.last


# -- today's code goes on with it --------------------------------------------------------------------------


def test_every_instance_ends_as_expected() -> None:
    store = MemoryStore()
    opened(store)
    driver = Driver(*workflows(), store=store)
    driver.clock.now_s = FORMAT_1_S
    driver.rest()
    for message in SETTLING:
        assert isinstance(driver.ask(message), Receipt), message
    again = driver.ask(Pause(instance="paused", by="eva", request_id="p-1"))
    assert again == Receipt(instance="paused", at=1_082.0, already=True)
    driver.finish_all()
    assert driver.state("backoff") == "waiting"
    driver.pass_time(1_143.0 - FORMAT_1_S)
    driver.finish_all()
    assert {id: (str(driver.state(id)), sorted_values(driver.marking(id))) for id in ENDS} == {
        id: (state, sorted_values(marking)) for id, (state, marking) in ENDS.items()
    }
    kinds = {split_entry(key)[1] for key, _ in store.scan(LIVE)}
    assert kinds == {HEADER, TOKEN, REQUEST}


def test_a_failed_instance_gives_the_recorded_answer_to_a_request_it_knows() -> None:
    store = MemoryStore()
    opened(store)
    driver = Driver(*workflows(), store=store)
    again = FailIncident(instance="failed", incident=3, by="eva", request_id="f-1")
    assert driver.ask(again) == Receipt(instance="failed", at=1_079.0, already=True)


def sorted_values(marking: dict[str, list[object]]) -> dict[str, list[str]]:
    """Return a marking whose tokens may have come in any order."""
    return {place: sorted(map(repr, values)) for place, values in marking.items()}


def test_a_runtime_opens_the_state_and_ends_every_instance(tmp_path: Path) -> None:
    state = open_state(tmp_path)
    state.store.commit(FORMAT_1)
    state.close()
    with Runtime(tmp_path, workflows=workflows(), control=False) as runtime:
        for message in SETTLING:
            runtime.instance(message.instance).tell(message, timeout_s=30)
        for id, (state_name, marking) in ENDS.items():
            instance = runtime.instance(id)
            assert instance.wait_until([state_name], timeout_s=30) == state_name
            assert sorted_values(instance.marking()) == sorted_values(marking)
