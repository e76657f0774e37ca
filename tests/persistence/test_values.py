"""Token values: any Python value in, the same value out, and clear errors where that is impossible."""

import pickle
import sys
from datetime import date
from fractions import Fraction
from pathlib import Path
from threading import Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.persistence.errors import ValueNotEncodable, ValueNotLoadable
from placet.persistence.values import ENCODERS, decode, encode, encode_json, encode_msgpack
from tests.persistence.processes import finished

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS | st.frozensets(st.integers()),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_python_values_come_back(value: object) -> None:
    assert decode(encode(value)) == value


@pytest.mark.parametrize("value", [date(2026, 1, 2), Fraction(1, 3), {"nested": [{1, 2}, Fraction(2, 3)]}, "__main__"])
def test_importable_types_are_plain_pickles(value: object) -> None:
    assert encode(value) == pickle.dumps(value, 5)
    assert decode(encode(value)) == value


def test_a_local_class_and_a_lambda_come_back() -> None:
    class Order:
        def __init__(self) -> None:
            self.total = 3

    copy = decode(encode(Order()))
    assert vars(copy) == {"total": 3}
    eight = decode(encode(lambda: 8))
    assert callable(eight)
    assert eight() == 8


MAIN_TYPE = """
import sys
from dataclasses import dataclass
from placet.persistence.values import encode

@dataclass
class Order:
    total: int

with open(sys.argv[1], "wb") as file:
    file.write(encode([Order(3), Order(4)]))
"""


def test_a_type_of_main_loads_in_another_process(tmp_path: Path) -> None:
    assert finished(MAIN_TYPE, tmp_path / "value").returncode == 0
    data = (tmp_path / "value").read_bytes()
    assert str(decode(data)) == "[Order(total=3), Order(total=4)]"


def test_code_of_another_python_is_not_touched() -> None:
    data = encode(lambda: None)
    other = data[:2] + bytes((sys.version_info[1] + 1,)) + data[3:]
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    with pytest.raises(
        ValueNotLoadable, match=rf"it holds code of Python 3\.{sys.version_info[1] + 1}, this is {here}"
    ):
        decode(other)


def test_what_nothing_can_encode_says_why() -> None:
    with pytest.raises(ValueNotEncodable, match="a value of type dict cannot be stored") as caught:
        encode({"lock": Lock()})
    assert "cannot pickle '_thread.lock' object" in caught.value.reason


class Grumpy:
    """Refuses to be stored or restored, in its own words."""

    def __init__(self, mood: str) -> None:
        self.mood = mood

    def __getstate__(self) -> dict[str, str]:
        if self.mood == "now":
            raise RuntimeError("not today")
        return {"mood": self.mood}

    def __setstate__(self, state: dict[str, str]) -> None:
        raise LookupError("not here")


def test_the_words_of_the_users_type_are_in_the_errors() -> None:
    with pytest.raises(ValueNotEncodable, match="RuntimeError: not today"):
        encode(Grumpy("now"))
    data = encode(Grumpy("later"))
    with pytest.raises(ValueNotLoadable, match="LookupError: not here") as caught:
        decode(data)
    assert caught.value.type_name == "tests.persistence.test_values.Grumpy"


def test_a_type_that_is_gone_is_named() -> None:
    data = encode(date(2026, 1, 2)).replace(b"datetime", b"datetimf")
    with pytest.raises(ValueNotLoadable, match=r"a stored value of type datetimf\.date cannot be loaded"):
        decode(data)


@pytest.mark.parametrize("data", [b"", b"B123", b"?", b"\x80", b"\x80\x05garbage", b"j{", b"m\xc1", b"c", b"c\x03"])
def test_damaged_bytes_are_not_loadable(data: bytes) -> None:
    with pytest.raises(ValueNotLoadable):
        decode(data)


@pytest.mark.parametrize("name", ["json", "msgpack"])
def test_plain_data_comes_back_from_portable_codecs(name: str) -> None:
    value = {"total": 12.5, "lines": [{"quantity": 2, "name": "Tür"}, None, True]}
    data = ENCODERS[name](value)
    assert data[:1] == name[:1].encode()
    assert decode(data) == value


def test_portable_codecs_refuse_what_they_cannot_hold() -> None:
    with pytest.raises(ValueNotEncodable):
        encode_json({"lock": Lock()})
    with pytest.raises(ValueNotEncodable):
        encode_msgpack(1 << 70)


def test_errors_survive_pickling() -> None:
    for error in (ValueNotEncodable("dict", "why"), ValueNotLoadable("dict", "why")):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), copy.args, str(copy)) == (type(error), error.args, str(error))
