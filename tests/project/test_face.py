"""The public face: what `from placet import …` offers is sorted, documented and seen by type checkers."""

import ast
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Iterator

import pytest

import placet
from tests.project.sources import ROOT, read

FACE = read(ROOT / "src/placet/__init__.py")

# Got from others, never made by users: what these are made of is hidden from them.
HANDLES = {
    "ActorHandle",
    "ActorInstance",
    "Client",
    "Context",
    "Instance",
    "RemoteActorHandle",
    "RemoteActorInstance",
    "RemoteInstance",
    "TransitionDecorator",
}

# Written as `(a & b) >> c`: their methods are for users, and what they hold is for `Workflow`.
ARROWS = {"Bundle", "Flow", "PlaceRef"}


def bound_names() -> set[str]:
    """Return the names a type checker sees in the facade: imports, definitions and assignments."""
    names: set[str] = set()
    for node in ast.walk(FACE.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def order(name: str) -> tuple[bool, bool, str]:
    """Constants, then classes, then functions: the order that ruff keeps."""
    return not name.isupper(), not name[0].isupper(), name


def test_all_is_sorted_and_has_no_doubles() -> None:
    assert list(placet.__all__) == sorted(set(placet.__all__), key=order)


def test_type_checkers_see_every_public_name() -> None:
    assert set(placet.__all__) <= bound_names()


def test_every_public_name_is_there_at_run_time() -> None:
    assert [name for name in placet.__all__ if not hasattr(placet, name)] == []


def test_nothing_of_ours_is_public_by_accident() -> None:
    ours = {
        alias.asname or alias.name
        for node in ast.walk(FACE.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("placet")
        for alias in node.names
    }
    assert {name for name in ours if not name.startswith("_")} <= set(placet.__all__)


def test_every_public_name_is_documented_by_a_sentence() -> None:
    undocumented = [
        name
        for name in placet.__all__
        if (inspect.isclass(thing := getattr(placet, name)) or inspect.isroutine(thing))
        and not (thing.__doc__ or "").strip().split("\n\n")[0].rstrip().endswith((".", "?", "!"))
    ]
    assert not undocumented


def test_every_public_method_is_documented() -> None:
    undocumented = [
        f"{name}.{member}"
        for name in placet.__all__
        if inspect.isclass(thing := getattr(placet, name))
        for member, value in vars(thing).items()
        if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
        if not (value.__doc__ or "").strip()
    ]
    assert not undocumented


# -- types in annotations ---------------------------------------------------------------------------------------


def evaluated(annotations: dict[str, object], module: str) -> dict[str, object]:
    """Return annotations as types; names imported for type checkers only are looked for in all of Placet."""
    everything = {
        name: value
        for loaded in list(sys.modules.values())
        if loaded.__name__.startswith("placet.")
        for name, value in vars(loaded).items()
    }
    known = everything | vars(sys.modules[module])
    return typing.get_type_hints(types.SimpleNamespace(__annotations__=dict(annotations)), globalns=known)


def classes_in(hint: object) -> Iterator[type]:
    """Yield the classes of Placet that a type is made of."""
    if isinstance(hint, type) and hint.__module__.partition(".")[0] == "placet":
        yield hint
    if typing.get_origin(hint) is typing.Unpack:  # keywords, each spelled out to who reads the signature
        return
    parts = typing.cast("list[object]", hint) if isinstance(hint, list) else list[object](typing.get_args(hint))
    for part in (*parts, typing.get_origin(hint)):
        if part is not None and part is not Ellipsis:
            yield from classes_in(part)


def annotated(name: str) -> Iterator[tuple[str, dict[str, object], str]]:
    """Yield (where, annotations, module) for all of a public thing that users see."""
    thing = getattr(placet, name)
    if inspect.isfunction(thing):
        yield name, thing.__annotations__, thing.__module__
    if not inspect.isclass(thing):
        return
    for owner in thing.__mro__:
        if owner.__module__.partition(".")[0] != "placet":
            continue
        annotations = {} if name in ARROWS else inspect.get_annotations(owner)
        fields = {field: hint for field, hint in annotations.items() if not field.startswith("_")}
        yield name, fields, owner.__module__
        for member, value in vars(owner).items():
            if member.startswith("_") and (member != "__init__" or name in HANDLES | ARROWS):
                continue
            found = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if inspect.isfunction(found) and found.__module__ == owner.__module__:
                yield f"{name}.{member}", found.__annotations__, owner.__module__


@pytest.mark.parametrize("name", placet.__all__)
def test_every_type_that_users_meet_is_public(name: str) -> None:
    importlib.import_module("placet.net.client")
    public = {id(getattr(placet, one)) for one in placet.__all__}
    hidden = {
        f"{where}: {found.__module__}.{found.__qualname__}"
        for where, annotations, module in annotated(name)
        for hint in evaluated(annotations, module).values()
        for found in classes_in(hint)
        if id(found) not in public
    }
    assert not hidden
