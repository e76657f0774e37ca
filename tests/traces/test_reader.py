"""Reading a trace: every mistake is one line that says where, and what is right is read as it stands."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from placet.petri.errors import PlacetError
from placet.traces.errors import TraceError
from placet.traces.reader import load_trace
from placet.traces.trace import TraceTask
from tests.traces.documents import Document, diamond, document, runs_of, tasks_of, write


def refusal(file: Path) -> TraceError:
    with pytest.raises(TraceError) as caught:
        load_trace(file)
    text = str(caught.value)
    assert text.startswith(str(file))
    assert "\n" not in text
    return caught.value


def test_a_trace_is_read_as_it_stands(tmp_path: Path) -> None:
    file = write(tmp_path, diamond())
    trace = load_trace(file)
    assert trace.name == "small"
    assert trace.file == str(file)
    assert [task.id for task in trace.tasks] == ["a", "b", "c", "d"]
    assert trace.tasks[1] == TraceTask(id="b", name="program of b", parents=("a",), runtime_s=2.5)
    assert trace.edge_count == 4
    assert trace.children() == {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}
    assert trace.levels() == (("a",), ("b", "c"), ("d",))


def test_a_task_stands_one_level_below_its_lowest_parent(tmp_path: Path) -> None:
    made = document({"d": ["a", "c"], "c": ["b"], "b": ["a"], "a": []})
    assert load_trace(write(tmp_path, made)).levels() == (("a",), ("b",), ("c",), ("d",))


def test_a_chain_of_ten_thousand_tasks_is_read(tmp_path: Path) -> None:
    made = document({"t0": []})
    names = [f"t{number}" for number in range(10_000)]
    tasks_of(made)[:] = [
        {"name": name, "id": name, "parents": names[:place][-1:], "children": names[place + 1 : place + 2]}
        for place, name in enumerate(names)
    ]
    del made["workflow"]["execution"]
    assert len(load_trace(write(tmp_path, made)).levels()) == 10_000


def test_without_a_recorded_run_tasks_take_no_time(tmp_path: Path) -> None:
    made = diamond()
    del made["workflow"]["execution"]
    assert {task.runtime_s for task in load_trace(write(tmp_path, made)).tasks} == {0.0}


def test_a_byte_order_mark_and_unknown_keys_do_not_matter(tmp_path: Path) -> None:
    made = diamond() | {"author": {"name": "somebody"}}
    file = write(tmp_path, made)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert len(load_trace(file).tasks) == 4


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "line 1, column 1"),
        ('{"name": "x",\n "workflow": }', "line 2, column 14"),
        ('{"name": "x",\n\n  }', "line 3, column 3"),
        ('{"name": "cut', "line 1, column 10"),
        (b'{\n"name": "\xff"}', "line 2, column 10"),
        ("{} {}", "line 1, column 4"),
    ],
)
def test_what_is_not_json_is_named_by_line_and_column(tmp_path: Path, text: str | bytes, where: str) -> None:
    error = refusal(write(tmp_path, text))
    assert error.where == where
    assert where in str(error)
    assert error.problem.startswith("this is not")


@pytest.mark.parametrize("text", ['{"schemaVersion": NaN}', "[" * 100_000, '{"name": ' + "[" * 100_000])
def test_what_is_not_json_elsewhere_is_refused_too(tmp_path: Path, text: str) -> None:
    refusal(write(tmp_path, text))


def remove(made: Any, path: tuple[str | int, ...]) -> None:
    for step in path[:-1]:
        made = made[step]
    del made[path[-1]]


_SPECIFICATION = ("workflow", "specification")


@pytest.mark.parametrize(
    ("path", "where"),
    [
        (("schemaVersion",), "$"),
        (("name",), "$"),
        (("workflow",), "$"),
        ((*_SPECIFICATION,), "$.workflow"),
        ((*_SPECIFICATION, "tasks"), "$.workflow.specification"),
        ((*_SPECIFICATION, "tasks", 2, "id"), "$.workflow.specification.tasks[2]"),
        ((*_SPECIFICATION, "tasks", 0, "name"), "$.workflow.specification.tasks[0]"),
        ((*_SPECIFICATION, "tasks", 3, "parents"), "$.workflow.specification.tasks[3]"),
        ((*_SPECIFICATION, "tasks", 3, "children"), "$.workflow.specification.tasks[3]"),
        (("workflow", "execution", "tasks"), "$.workflow.execution"),
        (("workflow", "execution", "tasks", 1, "id"), "$.workflow.execution.tasks[1]"),
        (("workflow", "execution", "tasks", 1, "runtimeInSeconds"), "$.workflow.execution.tasks[1]"),
    ],
)
def test_a_missing_key_is_named_with_its_place(tmp_path: Path, path: tuple[str | int, ...], where: str) -> None:
    made = diamond()
    remove(made, path)
    error = refusal(write(tmp_path, made))
    assert error.problem == f"the key `{path[-1]}` is missing"
    assert error.where == f"`{where}`"


def change_id(made: Document) -> None:
    tasks_of(made)[0]["id"] = 7


def change_parents(made: Document) -> None:
    tasks_of(made)[1]["parents"] = "a"


def change_runtime(made: Document) -> None:
    runs_of(made)[3]["runtimeInSeconds"] = "long"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (change_id, "$.workflow.specification.tasks[0].id"),
        (change_parents, "$.workflow.specification.tasks[1].parents"),
        (change_runtime, "$.workflow.execution.tasks[3].runtimeInSeconds"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_place(
    tmp_path: Path, change: Callable[[Document], None], where: str
) -> None:
    made = diamond()
    change(made)
    error = refusal(write(tmp_path, made))
    assert error.where == f"`{where}`"
    assert "expected" in error.problem


def test_a_list_is_no_trace(tmp_path: Path) -> None:
    assert "expected `object`, got `array`" in str(refusal(write(tmp_path, "[]")))


@pytest.mark.parametrize("version", ["1.4", "", "2.0"])
def test_another_version_of_the_format_is_refused(tmp_path: Path, version: str) -> None:
    made = diamond() | {"schemaVersion": version}
    assert f'this is WfFormat "{version}"' in str(refusal(write(tmp_path, made)))


def test_an_empty_trace_is_refused(tmp_path: Path) -> None:
    assert "no tasks" in str(refusal(write(tmp_path, document({}))))


def test_an_unknown_parent_is_refused_with_both_names(tmp_path: Path) -> None:
    made = diamond()
    tasks_of(made)[3]["parents"].append("ghost")
    assert "task `d` has the parent `ghost`, which is no task" in str(refusal(write(tmp_path, made)))


def test_an_unknown_child_is_refused_with_both_names(tmp_path: Path) -> None:
    made = diamond()
    tasks_of(made)[0]["children"].append("ghost")
    assert "task `a` has the child `ghost`, which is no task" in str(refusal(write(tmp_path, made)))


def test_two_tasks_of_one_id_are_refused(tmp_path: Path) -> None:
    made = diamond()
    tasks_of(made).append(dict(tasks_of(made)[0]))
    error = refusal(write(tmp_path, made))
    assert "two tasks have the id `a`" in error.problem
    assert error.where == "`$.workflow.specification.tasks[4].id`"


def test_a_cycle_is_refused_by_its_tasks(tmp_path: Path) -> None:
    made = document({"a": [], "b": ["a", "d"], "c": ["b"], "d": ["c"]})
    problem = refusal(write(tmp_path, made)).problem
    around = problem.rpartition(": ")[2].split(" → ")
    assert around[0] == around[-1]
    assert " → ".join(around[:-1] * 2).find("`b` → `c` → `d`") >= 0


def test_a_task_that_waits_for_itself_is_a_cycle(tmp_path: Path) -> None:
    assert "circle: `a` → `a`" in str(refusal(write(tmp_path, document({"a": ["a"]}))))


def test_a_long_cycle_is_not_told_in_full(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(500)]
    made = document({name: [names[place - 1]] for place, name in enumerate(names)})
    assert len(str(refusal(write(tmp_path, made)))) < 400


@pytest.mark.parametrize(
    ("task", "key", "other", "said"),
    [
        (0, "children", "b", "`b` has the parent `a`, which does not have it as a child"),
        (3, "parents", "b", "`b` has the child `d`, which does not have it as a parent"),
    ],
)
def test_parents_and_children_must_agree(tmp_path: Path, task: int, key: str, other: str, said: str) -> None:
    made = diamond()
    tasks_of(made)[task][key].remove(other)
    assert said in str(refusal(write(tmp_path, made)))


def test_a_parent_named_twice_is_refused(tmp_path: Path) -> None:
    made = diamond()
    tasks_of(made)[1]["parents"].append("a")
    assert "task `b` has the parent `a` twice" in str(refusal(write(tmp_path, made)))


@pytest.mark.parametrize("runtime", ["-0.5", "-1", "1e999"])
def test_an_impossible_runtime_is_refused(tmp_path: Path, runtime: str) -> None:
    made = diamond()
    runs_of(made)[1]["runtimeInSeconds"] = "@"
    text = write(tmp_path, made).read_text(encoding="utf-8").replace('"@"', runtime)
    error = refusal(write(tmp_path, text))
    assert error.where == "`$.workflow.execution.tasks[1].runtimeInSeconds`"


def test_a_task_without_a_run_is_refused(tmp_path: Path) -> None:
    made = diamond()
    del runs_of(made)[2]
    assert "task `c` has no recorded run" in str(refusal(write(tmp_path, made)))


def test_two_runs_of_a_task_are_refused(tmp_path: Path) -> None:
    made = diamond()
    runs_of(made).append(dict(runs_of(made)[0]))
    assert "task `a` has two runs" in str(refusal(write(tmp_path, made)))


def test_a_run_of_no_task_is_refused(tmp_path: Path) -> None:
    made = diamond()
    runs_of(made).append({"id": "ghost", "runtimeInSeconds": 1})
    assert "the run of `ghost` is of no task" in str(refusal(write(tmp_path, made)))


@pytest.mark.parametrize("name", ["", "  ", "a/b", ".hidden", "two\nlines", " a", "\x1b[31m"])
def test_an_id_that_cannot_be_the_name_of_a_transition_is_refused(tmp_path: Path, name: str) -> None:
    error = refusal(write(tmp_path, document({"a": [], name: []})))
    assert error.where == "`$.workflow.specification.tasks[1].id`"
    assert "\x1b" not in str(error)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in str(refusal(tmp_path / "missing.json"))
    assert "cannot be read" in str(refusal(tmp_path))


def test_a_trace_error_is_a_placet_error_that_survives_pickling(tmp_path: Path) -> None:
    error = refusal(write(tmp_path, "{"))
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, TraceError)
    assert isinstance(again, PlacetError)
    assert (again.args, str(again), again.code) == (error.args, str(error), "trace")
