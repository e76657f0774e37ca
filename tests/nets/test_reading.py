"""Every mistake in a net's file is one line that names the place in the file."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from placet import DefinitionError, PlacetError, Runtime
from placet.nets import NetError, net_schema, parse_net, read_net, write_net
from placet.petri.document import document_schema
from tests.nets import handlers

Document = dict[str, Any]  # JSON that the tests damage
HERE = "tests.nets.handlers"


def document() -> Document:
    return {
        "format": 1,
        "name": "orders",
        "places": ["start", {"name": "middle", "type": "int"}, "done", "failed"],
        "transitions": [
            {"name": "one", "inputs": ["start"], "outputs": ["middle"], "handler": f"{HERE}:step", "error": "failed"},
            {"name": "two", "inputs": [{"place": "middle", "guard": f"{HERE}:passes"}], "outputs": ["done"]},
        ],
        "composites": [],
    }


def written(tmp_path: Path, given: Document) -> Path:
    file = tmp_path / "orders.net.json"
    file.write_text(json.dumps(given, indent=1), encoding="utf-8")
    return file


def error(file: Path) -> PlacetError:
    with pytest.raises(PlacetError) as caught:
        read_net(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)
    return caught.value


def test_what_is_right_is_read(tmp_path: Path) -> None:
    definition = read_net(written(tmp_path, document())).definition()
    assert definition.source.file == str(tmp_path / "orders.net.json")
    assert definition.behaviours["one"].handler is handlers.step
    assert definition.types == {"middle": int}


Damage = Callable[[Document], object]


def one(given: Document) -> Document:
    found: Document = given["transitions"][0]
    return found


MISTAKES: dict[str, tuple[Damage, str, str]] = {
    "no name": (lambda d: d.pop("name"), "the key `name` is missing", "$"),
    "format": (lambda d: d.update(format=2), "invalid enum value 2", "$.format"),
    "unknown key": (lambda d: one(d).update(inputz=[]), "no key `inputz`", "$.transitions[0]"),
    "kind of value": (
        lambda d: one(d).update(priority="high"),
        "expected `int`, got `str`",
        "$.transitions[0].priority",
    ),
    "weight": (lambda d: one(d).update(inputs=[{"place": "start", "weight": 0}]), ">= 1", "$.transitions[0].inputs[0]"),
    "no path": (lambda d: one(d).update(handler="step"), "no import path", "$.transitions[0].handler"),
    "executor": (lambda d: one(d).update(run="threads"), "invalid enum value 'threads'", "$.transitions[0].run"),
    "place": (lambda d: one(d).update(outputs=["midle"]), "did you mean `middle`?", "$.transitions[0].outputs[0]"),
    "input": (lambda d: one(d).update(inputs=["begin"]), "has no place `begin`", "$.transitions[0].inputs[0]"),
    "error place": (lambda d: one(d).update(error="lost"), "has no place `lost`", "$.transitions[0].error"),
    "no module": (lambda d: one(d).update(handler="nowhere.at:all"), "no module `nowhere`", "$.transitions[0].handler"),
    "no name in it": (lambda d: one(d).update(handler=f"{HERE}:stop"), "has no `stop`", "$.transitions[0].handler"),
    "not callable": (
        lambda d: one(d).update(handler=f"{HERE}:not_callable"),
        "`tests.nets.handlers:not_callable` is not callable",
        "$.transitions[0].handler",
    ),
    "arguments": (lambda d: one(d).update(handler=f"{HERE}:join"), "cannot be called with 1", "$.transitions[0]"),
    "guard": (lambda d: one(d).update(inputs=[{"place": "start", "guard": f"{HERE}:no"}]), "`no`", "inputs[0]"),
    "guard of reset": (
        lambda d: one(d).update(inputs=["start", {"place": "done", "kind": "reset", "guard": f"{HERE}:passes"}]),
        "kind `reset` has no guard",
        "$.transitions[0].inputs[1]",
    ),
    "twice a place": (lambda d: d["places"].append("done"), "the name `done` is taken", "$.places[4]"),
    "twice a transition": (lambda d: d["transitions"].append(one(d)), "`one` is taken", "$.transitions[2]"),
    "place and transition": (lambda d: d["places"].append("two"), "`two` is taken", "$.transitions[1]"),
    "no type": (lambda d: d["places"][1].update(type="integer"), "no built-in type", "$.places[1].type"),
    "idle": (lambda d: d["transitions"][1].update(timeout_s=3), "`timeout_s` is of no use", "$.transitions[1]"),
    "idle heartbeat": (
        lambda d: d["transitions"][1].update(heartbeat_s=3),
        "`heartbeat_s` is of no use",
        "$.transitions[1]",
    ),
    "heartbeat of a call": (
        lambda d: d["transitions"][1].update(heartbeat_s=3, call={"workflow": "other"}),
        "`heartbeat_s` is of no use: it calls a workflow",
        "$.transitions[1]",
    ),
    "heartbeat without a context": (
        lambda d: one(d).update(heartbeat_s=3),
        "no parameter named `context`",
        "$.transitions[0]",
    ),
    "retry": (
        lambda d: one(d).update(retry={"only": ["Nonsense"]}),
        "no class of exceptions",
        "$.transitions[0].retry",
    ),
    "many without a key": (
        lambda d: one(d).update(inputs=[{"place": "start", "many": True}]),
        "nothing says how many tokens of `start`",
        "$.transitions[0]",
    ),
    "many and a weight": (
        lambda d: one(d).update(outputs=[{"place": "middle", "many": True, "weight": 3}]),
        "has no weight",
        "$.transitions[0].outputs[0]",
    ),
    "each without a handler": (
        lambda d: d["transitions"][1].update(each=True),
        "`each` is of no use",
        "$.transitions[1]",
    ),
    "each of two": (
        lambda d: one(d).update(handler=f"{HERE}:join", each=True),
        "cannot be called with 1 argument",
        "$.transitions[0].handler",
    ),
    "zero": (lambda d: one(d).update(timeout_s=0), "timeout_s=0.0", "$.transitions[0]"),
    "nobody chooses": (
        lambda d: d["transitions"][1].update(outputs=["done", "failed"], choice=True),
        "nobody chooses",
        "$.transitions[1]",
    ),
    "cut off": (lambda d: d["places"].append("alone"), "no transition takes from it", "$.places[4]"),
    "task with a handler": (lambda d: one(d).update(manual={}), "people decide it", "$.transitions[0]"),
    "no choice in an approval": (
        lambda d: d["transitions"][1].update(manual={"approval": True}),
        "an approval gives to one of two places",
        "$.transitions[1]",
    ),
    "two tokens a task": (
        lambda d: d["transitions"][1].update(manual={}, inputs=["middle", "failed"]),
        "more than one token",
        "$.transitions[1]",
    ),
    "port": (
        lambda d: d["composites"].append({"name": "c", "net": inner(), "ports": {"a": "start", "z": "done"}}),
        "workflow `inner` has no place `z`",
        "$.composites[0].ports",
    ),
    "inside": (
        lambda d: d["composites"].append({"name": "c", "net": inner("a", "b", "b"), "ports": {"a": "start"}}),
        "`b` is taken",
        "$.composites[0].net.places[2]",
    ),
    "callee": (
        lambda d: one(d).update(handler=None, call={"workflow": "outer", "path": f"{HERE}:inner"}),
        "no workflow called `outer`",
        "$.transitions[0].call.path",
    ),
}


def inner(*places: str) -> Document:
    return {
        "name": "inner",
        "places": list(places or ("a", "b")),
        "transitions": [{"name": "t", "inputs": ["a"], "outputs": ["b"]}],
    }


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_that_names_its_place(name: str, tmp_path: Path) -> None:
    damage, said, where = MISTAKES[name]
    given = document()
    damage(given)
    found = error(written(tmp_path, given))
    assert said in str(found)
    place = found.where if isinstance(found, NetError) else getattr(found, "location", "")
    assert re.search(rf"{re.escape(where)}[^\s`]*`$", place), place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "line 1, column 2"),
        (b'{"format": 1,\n "name": "a", "name": "b", "places": []}', 'the key "name" twice at line 2, column 15'),
        (b'{"format": 1, "name": "\xff"}', "not UTF-8 text at line 1, column 24"),
        (b"[" * 100_000, "not JSON"),
        (b'{"format": NaN}', "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_what_is_no_json_is_refused_with_line_and_column(text: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "orders.net.json"
    file.write_bytes(text)
    assert said in str(error(file))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in str(error(tmp_path / "none.net.json"))


# -- importing -----------------------------------------------------------------------------------------------------


def beside(tmp_path: Path, code: str) -> Document:
    """Write a module beside the file, of a name of its own, and return a document that uses it."""
    module = f"beside_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    given = document()
    one(given)["handler"] = f"{module}:step"
    return given


def test_modules_beside_the_file_are_found(tmp_path: Path) -> None:
    given = beside(tmp_path, "def step(value):\n    return 2\n")
    workflow = read_net(written(tmp_path, given))
    with Runtime(tmp_path / "state", workflows=[workflow]) as runtime:
        assert runtime.spawn(workflow, {"start": [1]}, id="one").result(timeout_s=10) == {"done": [2]}


def test_packages_beside_the_file_are_found(tmp_path: Path) -> None:
    package = tmp_path / f"package_{tmp_path.name}"
    package.mkdir()
    (package / "steps.py").write_text("def step(value):\n    return 2\n", encoding="utf-8")
    given = document()
    one(given)["handler"] = f"{package.name}.steps:step"
    assert read_net(written(tmp_path, given)).definition().net.transitions[0].handler == f"{package.name}.steps:step"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError('no luck')", "raised ValueError: no luck"),
        ("import sys\nsys.exit(3)", "raised SystemExit: 3"),
        ("def step(:\n", ".py:1: "),
        ("import no_such_module_at_all", "no_such_module_at_all"),
    ],
)
def test_a_module_that_cannot_be_loaded_is_told_in_one_line(code: str, said: str, tmp_path: Path) -> None:
    found = error(written(tmp_path, beside(tmp_path, code)))
    assert said in str(found)
    assert "$.transitions[0].handler" in str(found)


@pytest.mark.parametrize("what", ["handler", "type", "retry"])
def test_a_mistake_in_a_workflow_of_an_imported_module_is_told_as_that_modules(what: str, tmp_path: Path) -> None:
    given = beside(tmp_path, "from placet import Workflow\nWorkflow('a').places('b b')\n")
    path = one(given).pop("handler")
    if what == "type":
        given["places"][0] = {"name": "start", "type": path}
    else:
        one(given).update(
            {"handler": path} if what == "handler" else {"handler": f"{HERE}:step", "retry": {"only": [path]}}
        )
    with pytest.raises(DefinitionError, match=r"beside_\w+\.py:2") as caught:
        read_net(written(tmp_path, given))
    assert "`b`" in str(caught.value)


def test_a_module_of_that_name_from_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for folder in ("one", "two"):
        (tmp_path / folder / f"twin_{tmp_path.name}.py").write_text("def step(value): ...\n", encoding="utf-8")
    given = document()
    one(given)["handler"] = f"twin_{tmp_path.name}:step"
    read_net(written(tmp_path / "one", given))
    assert "there already" in str(error(written(tmp_path / "two", given)))


def test_the_script_that_runs_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("__main__")
    module.__file__ = str(tmp_path / f"script_{tmp_path.name}.py")
    (tmp_path / f"script_{tmp_path.name}.py").write_text("raise AssertionError('it ran again')\n", encoding="utf-8")
    vars(module)["step"] = handlers.step
    monkeypatch.setitem(sys.modules, "__main__", module)
    given = document()
    one(given)["handler"] = f"script_{tmp_path.name}:step"
    assert read_net(written(tmp_path, given)).definition().behaviours["one"].handler is handlers.step


# -- writing and the schema ----------------------------------------------------------------------------------------


def test_a_net_is_written_to_a_file(tmp_path: Path) -> None:
    workflow = read_net(written(tmp_path, document()))
    write_net(workflow, tmp_path / "again.net.json")
    again = read_net(tmp_path / "again.net.json")
    assert again.definition().version == workflow.definition().version
    with pytest.raises(NetError, match="cannot be written"):
        write_net(workflow, tmp_path)


def test_a_text_is_read_without_a_file() -> None:
    assert parse_net(json.dumps(document())).definition().source.file == ""
    with pytest.raises(NetError, match="the text: this is not JSON"):
        parse_net("{")


def test_the_schema_that_is_published_is_that_of_the_code() -> None:
    assert net_schema() == document_schema()
    assert json.loads(net_schema())["$id"] == "urn:placet:net:1"
    assert json.loads(net_schema())["$defs"]["NetDocument"]["required"] == ["format", "name", "places"]
