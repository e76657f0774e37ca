"""Code that is the same has the same digest, wherever it stands; code that is not, another."""

import functools
import textwrap
from types import ModuleType

import cloudpickle.cloudpickle as tables  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs] - it has no annotations
import pytest

from placet.persistence.class_names import name_class
from placet.persistence.likeness import is_local, likeness
from placet.persistence.values import decode, encode_code, encode_whole

BASE = """
import json
from dataclasses import dataclass
LIMIT = 3
CACHE = {}

def helper(value):
    return json.dumps(value)[:LIMIT]

@dataclass
class Box:
    content: str
    def size(self):
        return len(helper(self.content))

def handler(box, more=2, *, scale=1):
    CACHE[box.content] = more
    def inner(x):
        return x * scale
    return inner(box.size()) + more, Box
"""


def module(text: str, name: str = "__main__") -> ModuleType:
    """Return a module of some text; as the script that runs, all of it is the program's own."""
    made = ModuleType(name)
    exec(compile(textwrap.dedent(text), f"{name}.py", "exec"), vars(made))
    return made


def test_what_stands_elsewhere_is_the_same() -> None:
    first, second = module(BASE), module("\n\n# a remark\n" + BASE)
    assert likeness(first.handler) == likeness(second.handler)
    assert likeness(first.Box) == likeness(second.Box)
    vars(second)["CACHE"]["met"] = 1
    assert likeness(first.handler) == likeness(second.handler), "what changes while a program runs does not count"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("json.dumps(value)", "json.loads(value)"),
        ("more=2", "more=3"),
        ("scale=1", "scale=2"),
        ("x * scale", "x + scale"),
        ("return len(helper", "return 1 + len(helper"),
        ("content: str\n", "content: str = ''\n"),
    ],
)
def test_a_change_anywhere_below_is_another(before: str, after: str) -> None:
    assert before in BASE
    assert likeness(module(BASE).handler) != likeness(module(BASE.replace(before, after)).handler)


def test_functions_that_know_each_other_come_to_an_end() -> None:
    text = "def even(n):\n    return not n or odd(n - 1)\ndef odd(n):\n    return bool(n) and even(n - 1)\n"
    one, other = module(text), module(text)
    assert likeness(one.even) == likeness(other.even) != likeness(one.odd)


def test_parts_and_partials_count() -> None:
    made = module(BASE)
    assert likeness(functools.partial(made.helper, 1)) != likeness(functools.partial(made.helper, 2))
    assert likeness((1, "a")) != likeness((1, b"a")) != likeness((True, b"a"))
    assert likeness(frozenset({"a", "b"})) == likeness(frozenset({"b", "a"}))
    assert likeness(1, 2) != likeness((1, 2))


def test_what_is_installed_is_not_the_programs_own() -> None:
    assert is_local("__main__")
    assert is_local(__name__)
    assert not any(is_local(name) for name in ("json", "placet.petri.net", "cloudpickle", "not there"))


def test_a_class_keeps_its_likeness_when_it_is_used() -> None:
    made = module(BASE)
    before = likeness(made.Box)
    encode_whole(made.Box("x"))  # Python notes on the class what it has found out
    assert likeness(made.Box) == before


def test_cloudpickle_keeps_the_tables_that_classes_are_named_in() -> None:
    made = module(BASE)
    name_class(made.Box)
    names = tables._DYNAMIC_CLASS_TRACKER_BY_CLASS  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType, reportUnknownMemberType] - what this test watches over
    assert str(names[made.Box]).startswith("placet __main__ Box ")  # pyright: ignore[reportUnknownArgumentType] - as above
    assert tables._get_or_create_tracker_id(made.Box) == names[made.Box]  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType] - likewise


def test_the_same_class_out_of_two_processes_is_one() -> None:
    first, second = module(BASE), module(BASE)
    one = decode(encode_code(first.Box))
    box = decode(encode_whole(second.Box("x")))
    assert type(box) is one
    changed = module(BASE.replace("LIMIT = 3", "LIMIT = 5"))
    assert type(decode(encode_whole(changed.Box("x")))) is not one
