"""Looking for one record of an instance reads neither its tokens nor the rest of its history."""

from collections.abc import Iterator

import pytest

from placet.actors.reader import StateReader
from placet.actors.records import Phase
from placet.actors.report import last_of
from placet.persistence.keys import FIRST_PLACE, HISTORY, LIVE, split_entry
from placet.persistence.store import View
from placet.petri.workflow import Workflow
from placet.supervision.retry import Retry
from tests.actors.driver import Driver
from tests.actors.flows import chain, single

ROUNDS = 200


class Watched:
    """A view that notes which keys were read."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.keys: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        """Return an entry, and note it."""
        self.keys.append(key)
        return self._view.get(key)

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield entries, and note each."""
        for key, value in self._view.scan(prefix, start):
            self.keys.append(key)
            yield key, value

    @property
    def records(self) -> list[int]:
        """The history records that were read."""
        return [int.from_bytes(key[1:], "big") for key in self.keys if key[:1] == HISTORY]

    @property
    def tokens(self) -> list[bytes]:
        """The tokens that were read."""
        return [key for key in self.keys if key[:1] == LIVE and split_entry(key)[0] >= FIRST_PLACE]


def stuck() -> tuple[Driver, Watched]:
    """Return an instance that is stuck, with many tokens, after many firings."""
    workflow = Workflow("stuck")
    todo, left, right, end = workflow.places("todo left right end")
    workflow.transition(todo >> left, "move")
    workflow.transition((left & right) >> end, "meet")
    driver = Driver(workflow)
    driver.spawn(workflow, {"todo": list(range(ROUNDS))})
    driver.finish_all()
    assert driver.state() == "stuck"
    return driver, Watched(driver.store)


def test_the_newest_record_of_a_kind_is_found_without_reading_older_ones() -> None:
    driver, watched = stuck()
    found = last_of(StateReader(watched), "one", "stuck")
    assert found == driver.history()[-1]
    assert len(driver.history()) > ROUNDS
    assert len(watched.records) == 1
    assert len(watched.tokens) <= 1


def test_a_kind_that_never_occurred_is_none_and_so_is_one_of_an_unknown_instance() -> None:
    driver, watched = stuck()
    assert last_of(StateReader(watched), "one", "lost") is None
    assert len(watched.records) == len(driver.history())
    assert last_of(StateReader(watched), "nobody", "stuck") is None


def test_what_can_be_trimmed_is_found_without_reading_tokens() -> None:
    _, watched = stuck()
    reader = StateReader(watched)
    sequences = [sequence for sequence, _ in reader.history("one")]
    watched.keys.clear()
    assert reader.trimmable("one", 10) == sequences[:-10]
    assert len(watched.tokens) <= 1
    assert reader.trimmable("one", len(sequences)) == []
    assert reader.trimmable("nobody", 1) == []


def test_the_newest_record_is_known_while_a_firing_carries_the_link() -> None:
    driver = Driver(chain(3))
    driver.spawn(driver.workflows[0], {"p0": [1]})
    driver.answer_all()
    driver.rest()
    reader = StateReader(driver.store)
    view = reader.instance("one")
    assert view is not None
    assert view.header.link < view.last == reader.last("one")
    assert [record.kind for _, record in reader.newest_first("one")] == ["fired", "spawned"]
    assert (reader.fired("one"), view.fired) == (1, 1)


@pytest.mark.parametrize("steps", [1, 2])
def test_of_several_the_newest_is_returned(steps: int) -> None:
    driver = Driver(chain(steps))
    driver.spawn(driver.workflows[0], {"p0": [1, 2]})
    driver.finish_all()
    reader = StateReader(driver.store)
    fired = [record for _, record in reader.history("one") if record.kind == "fired"]
    assert last_of(reader, "one", "fired") == fired[-1]
    assert reader.last("one") == reader.history("one")[-1][0]


def test_links_are_found_in_a_firing_that_waits() -> None:
    def fail(value: object) -> object:
        raise RuntimeError(value)

    driver = Driver(single(handler=fail, retry=Retry(attempts=2, first_s=60.0)))
    driver.spawn(driver.workflows[0], {"a": [1]})
    driver.answer_all()
    driver.rest()
    assert driver.phase() is Phase.BACKOFF
    noted = last_of(StateReader(driver.store), "one", "attempt_failed")
    assert noted is not None
    assert noted.firing == driver.firing().number
