"""The public face: what `from placet import …` offers is sorted, documented and seen by type checkers."""

import ast
import inspect

import placet
from tests.project.sources import ROOT, read

FACE = read(ROOT / "src/placet/__init__.py")


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
