"""What clients name things by is checked before anything is looked up, and what is wrong is said in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from placet import BadRequest, Runtime
from placet.actors.engine import Health
from placet.testing import Rehearsal
from tests.runtime.workflows import WAIT_S, doubling

NO_TEXT = cast("str", 5)


WRONG: list[tuple[Callable[[Runtime], object], str]] = [
    (lambda runtime: runtime.spawn("doubling", {"start": [1]}, id=NO_TEXT), "an id must be a text"),
    (lambda runtime: runtime.spawn("doubling", {"start": [1]}, id=cast("str", 0)), "an id must be a text"),
    (lambda runtime: runtime.spawn("doubling", {"start": [1]}, id=cast("str", None)), "of type NoneType"),
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


def test_a_rehearsal_refuses_the_same() -> None:
    with pytest.raises(BadRequest, match="an id must be a text"):
        Rehearsal(doubling()).spawn("doubling", {"start": [1]}, id=NO_TEXT)
