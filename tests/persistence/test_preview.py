"""Values shown as JSON: plain data as it is, all else by name, nothing executed."""

import json
import math
import pickle
from collections import OrderedDict
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.persistence.preview import DEEPEST, to_json
from placet.persistence.type_name import type_name
from placet.persistence.values import encode, encode_json, encode_msgpack
from tests.persistence.test_values import Grumpy

JSON_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON_VALUES = st.recursive(
    JSON_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


@given(JSON_VALUES)
def test_plain_data_comes_as_it_is(value: object) -> None:
    assert to_json(encode(value)) == value
    assert json.loads(json.dumps(to_json(encode(value)))) == value


def test_a_tuple_comes_as_a_list() -> None:
    assert to_json(encode(("a", (1, 2)))) == ["a", [1, 2]]


def test_values_of_portable_codecs_come_as_they_are() -> None:
    assert to_json(encode_json({"a": [1]})) == {"a": [1]}
    assert to_json(encode_msgpack({"a": [1]})) == {"a": [1]}
    assert to_json(encode_msgpack({"a": b"1"})) == {"$type": "bytes", "bytes": 7}


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "shown_as"),
    [
        (b"bytes", "bytes"),
        ({"a": [b"bytes"]}, "bytes"),
        (math.nan, "float"),
        ([math.inf], "float"),
        (1 << 64, "int"),
        (-(1 << 63) - 1, "int"),
        ({1: "a"}, "dict"),
        ({("a",): 1}, "dict"),
        ({1, 2}, "set"),
        (frozenset({1}), "frozenset"),
        (1j, "builtins.complex"),
        ("\ud800", "str"),
        ({"\ud800": 1}, "dict"),
        (date(2026, 1, 2), "datetime.date"),
        ({"due": date(2026, 1, 2)}, "datetime.date"),
        (OrderedDict([("a", 1)]), "collections.OrderedDict"),
        (Grumpy("later"), "tests.persistence.test_values.Grumpy"),
        (nested(DEEPEST + 1), "int"),
    ],
)
def test_what_json_cannot_hold_is_shown_by_type_and_size(value: object, shown_as: str) -> None:
    data = encode(value)
    assert to_json(data) == {"$type": shown_as, "bytes": len(data)}


def test_a_class_carried_along_is_named() -> None:
    class Order:
        pass

    data = encode(Order())
    assert data[:1] == b"c"
    assert to_json(data) == {"$type": f"{__name__}.Order", "bytes": len(data)}


def test_nesting_up_to_the_limit_is_shown() -> None:
    assert to_json(encode(nested(DEEPEST))) == nested(DEEPEST)


def test_a_value_that_contains_itself_is_shown_by_type() -> None:
    value: list[object] = []
    value.append(value)
    assert to_json(encode(value)) == {"$type": "list", "bytes": len(encode(value))}


def test_a_value_that_grows_without_bound_is_shown_by_type() -> None:
    value: list[object] = []
    for _ in range(60):
        value = [value, value]
    assert to_json(encode(value)) == {"$type": "list", "bytes": len(encode(value))}


class Touches:
    """A pickle that would create a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_nothing_is_executed(tmp_path: Path) -> None:
    data = pickle.dumps({"a": Touches(tmp_path / "proof")}, 5)
    shown = to_json(data)
    assert not (tmp_path / "proof").exists()
    pickle.loads(data)["a"].close()
    assert (tmp_path / "proof").exists()
    assert shown == {"$type": f"{open.__module__}.open", "bytes": len(data)}


@given(st.binary(max_size=60).map(lambda tail: b"\x80\x05" + tail) | st.binary(max_size=60))
def test_damaged_data_is_shown_too(data: bytes) -> None:
    json.dumps(to_json(data))
    type_name(data)


@given(st.data())
def test_cut_and_changed_data_is_shown_too(data: st.DataObject) -> None:
    stored = bytearray(encode({"a": [1, "two", date(2026, 1, 2)], "b": Grumpy("later")}))
    stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(stored[: data.draw(st.integers(0, len(stored)))])
    json.dumps(to_json(cut))
    type_name(cut)
