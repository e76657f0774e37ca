"""Format versions: initialise, refuse, upgrade step by step."""

from collections.abc import Iterable

import pytest

from placet.persistence.errors import FormatTooNew, FormatTooOld, StateUnusable, StoreDamaged, StoreFull
from placet.persistence.format import FORMAT, FORMAT_KEY, UPGRADES, ensure_format, read_format
from placet.persistence.memory_store import MemoryStore
from placet.persistence.store import View, Write


def test_an_empty_store_gets_the_current_format() -> None:
    store = MemoryStore()
    assert read_format(store) is None
    ensure_format(store, "state")
    assert read_format(store) == FORMAT
    ensure_format(store, "state")
    assert list(store.scan(b"")) == [(FORMAT_KEY, b"1")]


def test_there_is_a_step_from_every_older_format() -> None:
    assert set(UPGRADES) == set(range(1, FORMAT))


def test_a_newer_format_is_refused() -> None:
    store = of_format(7)
    with pytest.raises(FormatTooNew, match=r"state here has format 7, this Placet reads up to 1; upgrade Placet"):
        ensure_format(store, "here")
    assert read_format(store) == 7


def test_entries_without_a_format_are_somebody_elses() -> None:
    store = MemoryStore()
    store.commit([(b"theirs", b"1")])
    with pytest.raises(StateUnusable):
        ensure_format(store, "here")
    assert list(store.scan(b"")) == [(b"theirs", b"1")]


def test_a_format_that_is_no_number_is_damage() -> None:
    store = MemoryStore()
    store.commit([(FORMAT_KEY, b"one")])
    with pytest.raises(StoreDamaged):
        ensure_format(store, "here")


def of_format(version: int, *entries: Write) -> MemoryStore:
    store = MemoryStore()
    store.commit([(FORMAT_KEY, str(version).encode()), *entries])
    return store


def colours_become_upper_case(view: View) -> Iterable[Write]:
    """A made-up step from 3 to 4."""
    return [(key, value.upper()) for key, value in view.scan(b"colour")]


def colours_get_a_short_key(view: View) -> Iterable[Write]:
    """A made-up step from 4 to 5, which needs what the step before wrote."""
    for key, value in view.scan(b"colour"):
        assert value.isupper()
        yield key, None
        yield b"c" + key.removeprefix(b"colour"), value


STEPS = {3: colours_become_upper_case, 4: colours_get_a_short_key}


@pytest.mark.parametrize(("version", "colour"), [(3, b"red"), (4, b"RED")])
def test_an_older_format_is_upgraded_step_by_step(version: int, colour: bytes) -> None:
    store = of_format(version, (b"colour1", colour), (b"other", b"stays"))
    ensure_format(store, "here", current=5, upgrades=STEPS)
    assert dict(store.scan(b"")) == {FORMAT_KEY: b"5", b"c1": b"RED", b"other": b"stays"}


def test_an_upgrade_cut_short_goes_on_at_the_next_start() -> None:
    store = of_format(3, (b"colour1", b"red"))

    def fails(view: View) -> Iterable[Write]:
        raise StoreFull(1, 1)

    with pytest.raises(StoreFull):
        ensure_format(store, "here", current=5, upgrades={**STEPS, 4: fails})
    assert dict(store.scan(b"")) == {FORMAT_KEY: b"4", b"colour1": b"RED"}
    ensure_format(store, "here", current=5, upgrades=STEPS)
    assert dict(store.scan(b"")) == {FORMAT_KEY: b"5", b"c1": b"RED"}


def test_a_format_without_a_step_is_refused_before_any_step_runs() -> None:
    store = of_format(3, (b"colour1", b"red"))
    with pytest.raises(FormatTooOld):
        ensure_format(store, "here", current=5, upgrades={3: colours_become_upper_case})
    assert dict(store.scan(b"")) == {FORMAT_KEY: b"3", b"colour1": b"red"}
