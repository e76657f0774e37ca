"""Whatever is in a file, reading it gives a trace that can be run, or a `TraceError` of one line."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from placet.traces.conversion import trace_workflow
from placet.traces.errors import TraceError
from placet.traces.reader import load_trace
from placet.traces.trace import Trace
from tests.traces.documents import document, write

MANY = settings(max_examples=60, deadline=None)
IDS = st.sampled_from(["a", "b", "c", "d", "a-to-b", "start-a", "done-b", "a-to-b~", "x/y", "", "\n", "\ud800", "é"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def read(content: bytes) -> Trace | TraceError:
    with TemporaryDirectory() as folder:
        try:
            return load_trace(write(Path(folder), content))
        except TraceError as error:
            return error


def try_out(content: bytes) -> None:
    """Read a file of this content and, if it is a trace, make a checked workflow of it."""
    match read(content):
        case TraceError() as error:
            assert len(str(error).splitlines()) == 1
            str(error).encode()
        case trace:
            net = trace_workflow(trace).definition().net
            assert [transition.name for transition in net.transitions] == [task.id for task in trace.tasks]


@MANY
@given(content=st.binary(max_size=60))
def test_any_bytes(content: bytes) -> None:
    try_out(content)


@MANY
@given(value=VALUES)
def test_any_json(value: object) -> None:
    try_out(json.dumps(value).encode())


@MANY
@given(parents=st.dictionaries(IDS, st.lists(IDS, max_size=3), max_size=5))
def test_any_tasks_and_parents(parents: dict[str, list[str]]) -> None:
    try_out(json.dumps(document(parents)).encode())


@MANY
@given(place=st.integers(min_value=0), key=st.sampled_from(["id", "name", "parents", "children"]), value=VALUES)
def test_any_value_in_the_place_of_a_right_one(place: int, key: str, value: object) -> None:
    made = document({"a": [], "b": ["a"], "c": ["a", "b"]})
    tasks = made["workflow"]["specification"]["tasks"]
    tasks[place % len(tasks)][key] = value
    made["workflow"]["execution"]["tasks"][place % 3]["runtimeInSeconds"] = value
    try_out(json.dumps(made).encode())


@MANY
@given(cut=st.integers(min_value=0, max_value=600))
def test_any_file_cut_short(cut: int) -> None:
    content = json.dumps(document({"a": [], "b": ["a"]})).encode()
    try_out(content[:cut])
