"""A place with more than ought to be in memory: its values are on disk until they are taken, and none goes astray."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet import Workflow
from placet.actors.answers import Receipt
from placet.actors.messages import EditToken, FreezeToken, Put, Sleep, ThawToken
from placet.actors.pending import Pending
from placet.actors.place import UNHELD, PlaceActor
from placet.actors.services import Room
from placet.actors.turn import Turn
from placet.persistence.errors import StoreDamaged
from placet.persistence.keys import root_prefix
from placet.persistence.memory_store import MemoryStore
from placet.persistence.values import encode
from tests.actors.driver import Driver

ROOM = Room(values=3, small_bytes=20)
SMALL, LARGE = "s", "l" * 100


def pair(left: object, right: object) -> object:
    return (left, right)


def shelf() -> Workflow:
    """Return a place that keeps its tokens until somebody asks for one, oldest first."""
    workflow = Workflow("shelf")
    kept, asked = (workflow.place(name, external=True) for name in ("kept", "asked"))
    out = workflow.place("out")
    workflow.transition((kept & asked) >> out, "fetch", handler=pair, run="inline")
    return workflow


@pytest.fixture
def driver() -> Driver:
    driver = Driver(shelf())
    _make_room(driver)
    return driver


def _make_room(driver: Driver) -> None:
    driver.kernel.room = ROOM


def place(driver: Driver, name: str = "kept") -> PlaceActor:
    (workflow,) = driver.kernel.in_memory().values()
    return workflow.place(workflow.plan.place_index[name])


def put(driver: Driver, name: str, value: object) -> None:
    answer = driver.ask(Put(instance="one", place=name, value=encode(value)))
    assert isinstance(answer, Receipt), answer


def held(driver: Driver) -> list[bool]:
    return [value != UNHELD for value in place(driver).tokens.values()]


def test_large_values_beyond_the_first_are_left_on_disk_and_small_ones_are_not(driver: Driver) -> None:
    driver.spawn(driver.workflows[0], {"kept": [LARGE, LARGE, SMALL, LARGE, LARGE, SMALL, LARGE], "asked": []})
    driver.rest()
    assert held(driver) == [True, True, True, False, False, True, False]
    driver.ask(Sleep(instance="one", path="kept"))
    assert held(driver) == [True, True, True, False, False, True, False], "the same, read from disk"


def test_each_token_keeps_its_value_wherever_it_is_taken_from(driver: Driver) -> None:
    kept = [f"{number}{LARGE}" for number in range(8)]
    driver.spawn(driver.workflows[0], {"kept": kept[:6], "asked": []})
    driver.rest()
    for value in kept[6:]:
        put(driver, "kept", value)
    for number in range(4):
        put(driver, "asked", number)
    driver.crash()
    _make_room(driver)
    for number in range(4, 8):
        put(driver, "asked", number)
    assert driver.marking() == {"out": [(value, number) for number, value in enumerate(kept)]}


def test_values_are_taken_in_the_turn_in_which_they_come(driver: Driver) -> None:
    kept = [f"{number}{LARGE}" for number in range(8)]
    given: dict[str, list[object]] = {"kept": [*kept], "asked": [*range(8)]}
    driver.spawn(driver.workflows[0], given)
    assert driver.marking() == {"out": [(value, number) for number, value in enumerate(kept)]}
    assert len(driver.batches) == 1


def test_people_see_and_change_values_that_are_not_in_memory(driver: Driver) -> None:
    kept = [f"{number}{LARGE}" for number in range(6)]
    driver.spawn(driver.workflows[0], {"kept": kept, "asked": []})
    driver.rest()
    for token in (5, 6):
        driver.ask(FreezeToken(instance="one", token=token, by="eva"))
    driver.ask(EditToken(instance="one", token=4, value=encode("edited" + LARGE), by="eva"))
    driver.ask(Sleep(instance="one", path="kept"))
    assert place(driver).count == 6
    assert sorted(place(driver).frozen or ()) == [5, 6]
    driver.ask(ThawToken(instance="one", token=6, by="eva"))
    for number in range(5):
        put(driver, "asked", number)
    wanted = [*kept[:3], "edited" + LARGE, kept[5]]
    assert driver.marking() == {"kept": [kept[4]], "out": [(value, number) for number, value in enumerate(wanted)]}


def test_a_value_that_is_not_there_is_damage_and_never_another_value(driver: Driver) -> None:
    driver.spawn(driver.workflows[0], {"kept": [LARGE] * 5, "asked": []})
    driver.rest()
    shelf_place = place(driver)
    token = next(token for token, value in shelf_place.tokens.items() if value == UNHELD)
    driver.store.commit([(shelf_place.prefix_of(2) + token.to_bytes(8, "big"), None)])
    with pytest.raises(StoreDamaged, match=f"token {token} in kept of one has no value"):
        shelf_place.value(Turn(), token)


# -- what a batch has written, read over what is stored ---------------------------------------------------------

ROOT = root_prefix(1, 1)
KEYS = st.integers(0, 12)
VALUES = st.binary(min_size=1, max_size=2)


@given(
    stored=st.dictionaries(KEYS, VALUES),
    turns=st.lists(st.dictionaries(KEYS, st.none() | VALUES), max_size=3),
    low=KEYS,
)
def test_a_scan_sees_what_the_batch_will_leave(
    stored: dict[int, bytes], turns: list[dict[int, bytes | None]], low: int
) -> None:
    store, pending = MemoryStore(), Pending()
    store.commit([(_key(number), value) for number, value in stored.items()])
    wanted = {_key(number): value for number, value in stored.items()}
    for changes in turns:
        turn = Turn(ROOT)
        for number, value in changes.items():
            key = _key(number)
            if value is None and key in wanted:
                turn.delete(key)
                del wanted[key]
            elif value is not None:
                (turn.put if key in wanted else turn.create)(key, value)
                wanted[key] = value
        pending.merge(turn)
    for prefix in (ROOT, _key(low)):
        found: Iterator[tuple[bytes, bytes]] = pending.scan(store, prefix)
        assert list(found) == sorted(entry for entry in wanted.items() if entry[0].startswith(prefix))


def _key(number: int) -> bytes:
    return ROOT + number.to_bytes(2, "big")


def test_what_is_written_and_dropped_in_one_batch_leaves_no_trace() -> None:
    pending = Pending()
    pending.engine[b"O1"] = b"sent"
    pending.drop(b"O1")
    pending.drop(b"O2")
    assert pending.writes() == [(b"O2", None)]
