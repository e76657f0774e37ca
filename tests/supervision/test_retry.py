"""When a failed firing is tried again: attempts, back-off, jitter, and which exceptions count."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.persistence.type_name import qualified_name
from placet.supervision.retry import Retry

OF_KEY_ERROR = tuple(qualified_name(kind) for kind in KeyError.__mro__)


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_counted_in_all(attempts: int) -> None:
    retry = Retry(attempts=attempts)
    delays = [retry.delay_s(failures, OF_KEY_ERROR, 0) for failures in range(1, attempts + 1)]
    assert None not in delays[:-1]
    assert delays[-1] is None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"attempts": 1.5}, "attempts must be a whole number, got 1.5"),
        ({"attempts": True}, "attempts must be a whole number, got True"),
        ({"attempts": "3"}, "attempts must be a whole number, got '3'"),
        ({"first_s": "x"}, "first_s must be a number, got 'x'"),
        ({"most_s": None}, "most_s must be a number, got None"),
        ({"factor": True}, "factor must be a number, got True"),
    ],
)
def test_what_is_no_number_is_refused_by_name(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Retry(**wrong)


def test_each_delay_is_longer_up_to_the_longest() -> None:
    retry = Retry(attempts=99, first_s=1.0, factor=3.0, most_s=10.0, jitter=0.0)
    assert [retry.delay_s(failures, OF_KEY_ERROR, 0) for failures in range(1, 5)] == [1.0, 3.0, 9.0, 10.0]


def test_a_delay_beyond_all_numbers_is_the_longest() -> None:
    assert Retry(attempts=9_999, factor=1e9, most_s=7.0, jitter=0.0).delay_s(5_000, OF_KEY_ERROR, 0) == 7.0


@given(salt=st.integers(0, 1 << 60), failures=st.integers(1, 8), jitter=st.floats(0.0, 1.0))
def test_jitter_shortens_within_its_share_and_is_repeatable(salt: int, failures: int, jitter: float) -> None:
    retry = Retry(attempts=10, first_s=4.0, factor=1.0, jitter=jitter)
    delay_s = retry.delay_s(failures, OF_KEY_ERROR, salt)
    assert delay_s == retry.delay_s(failures, OF_KEY_ERROR, salt)
    assert delay_s is not None
    assert 4.0 * (1.0 - jitter) <= delay_s <= 4.0


@pytest.mark.parametrize(
    ("retry", "is_tried"),
    [
        (Retry(), True),
        (Retry(only=(KeyError,)), True),
        (Retry(only=(LookupError,)), True),  # its base
        (Retry(only=(ValueError,)), False),
        (Retry(never=(LookupError,)), False),
        (Retry(only=(KeyError,), never=(LookupError,)), False),  # `never` wins
        (Retry(never=(ValueError,)), True),
    ],
)
def test_exceptions_are_matched_by_class_and_bases(retry: Retry, is_tried: bool) -> None:
    assert (retry.delay_s(1, OF_KEY_ERROR, 0) is not None) == is_tried


@pytest.mark.parametrize(
    "make",
    [
        lambda: Retry(attempts=0),
        lambda: Retry(first_s=-1.0),
        lambda: Retry(most_s=-1.0),
        lambda: Retry(factor=0.5),
        lambda: Retry(jitter=1.5),
        lambda: Retry(first_s=inf, most_s=inf),
        lambda: Retry(first_s=nan),
        lambda: Retry(most_s=1e308),
        lambda: Retry(factor=inf),
        lambda: Retry(factor=nan),
        lambda: Retry(jitter=nan),
    ],
)
def test_values_that_cannot_be_meant_are_refused(make: Callable[[], Retry]) -> None:
    with pytest.raises(ValueError, match="must be"):
        make()
