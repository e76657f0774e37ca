"""What clients name things by is checked before anything is looked up, and what is wrong is said in one line."""

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import cast

import pytest

from placet import BadRequest, RequestRefused, Runtime, SpawnConflict
from placet.actors.engine import Health
from placet.testing import Rehearsal
from tests.runtime.workflows import WAIT_S, doubling

NO_TEXT = cast("str", 5)


WRONG: list[tuple[Callable[[Runtime], object], str]] = [
    (lambda runtime: runtime.spawn("doubling", {"start": [1]}, id=NO_TEXT), "an id must be a text"),
    (lambda runtime: runtime.spawn("doubling", {"start": [1]}, id=cast("str", 0)), "an id must be a text"),
    (lambda runtime: runtime.spawn("doubling", {"start": [1]}, id=cast("str", None)), "of type NoneType"),
    (lambda runtime: runtime.spawn("doubling", cast("dict[str, list[object]]", [1])), "and list is no mapping"),
    (lambda runtime: runtime.spawn("doubling", cast("dict[str, list[object]]", 0)), "and int is no mapping"),
    (lambda runtime: runtime.find(NO_TEXT), "an address must be a text, and 5 is of type int"),
    (lambda runtime: runtime.find("one\udcff"), "an address must be valid text"),
    (lambda runtime: runtime.instance(NO_TEXT), "an id must be a text"),
    (lambda runtime: runtime.instance("one\udcff"), "an id must be valid text"),
    (lambda runtime: runtime.list(NO_TEXT), "5 is no state of an instance; there are running, waiting"),
    (lambda runtime: runtime.list("gone"), "'gone' is no state of an instance"),
    (lambda runtime: runtime.instance("one").wait_until("gone"), "'gone' is no state of an instance"),
]


@pytest.mark.parametrize(("ask", "part"), WRONG)
def test_what_is_no_name_is_refused_and_the_engine_goes_on(
    tmp_path: Path, ask: Callable[[Runtime], object], part: str
) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        one = runtime.spawn("doubling", {"start": [1]}, id="one")
        with pytest.raises(BadRequest) as caught:
            ask(runtime)
        assert part in str(caught.value)
        assert one.result(WAIT_S) == {"done": [3]}
        assert runtime.health is Health.RUNNING


class Odd(str):
    """A text that does what it likes when somebody looks at it."""

    def __hash__(self) -> int:
        raise SystemExit("hash")

    def __eq__(self, other: object) -> bool:
        raise SystemExit("eq")

    def strip(self, *_: object) -> str:
        return "x"

    def isprintable(self) -> bool:
        return True


class Named(StrEnum):
    ONE = "named"


@pytest.mark.parametrize(("given", "plain"), [(Odd("odd"), "odd"), (Named.ONE, "named")], ids=["odd", "enum"])
def test_texts_of_other_classes_are_taken_for_what_they_say(tmp_path: Path, given: str, plain: str) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        one = runtime.spawn("doubling", {"start": [1]}, id=given)
        assert (type(one.id), one.id) == (str, plain)
        assert type(runtime.instance(given).id) is str
        assert one.result(WAIT_S) == {"done": [3]}
        with pytest.raises((RequestRefused, BadRequest)):
            one.pause(by=given, why=given)  # it has ended
        assert [summary.instance for summary in runtime.list()] == [plain]
        assert runtime.health is Health.RUNNING


def test_a_value_that_only_cloudpickle_takes_apart_is_an_input_like_any_other(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [doubling()]) as runtime:
        module = runtime.spawn("doubling", {"start": [sys]}, id="module")
        assert runtime.spawn("doubling", {"start": [sys]}, id="module").id == module.id
        with pytest.raises(SpawnConflict):
            runtime.spawn("doubling", {"start": [json]}, id="module")


def test_a_rehearsal_refuses_the_same() -> None:
    with pytest.raises(BadRequest, match="an id must be a text"):
        Rehearsal(doubling()).spawn("doubling", {"start": [1]}, id=NO_TEXT)
