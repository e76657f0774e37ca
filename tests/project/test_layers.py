"""The arrows between the layers point one way, and the kernel stays free of input, output and clocks."""

import pytest

from tests.project.sources import FACADE, PARTS, PRODUCT, Source, imported_modules, sources

# What a layer knows nothing of, besides the layers above it in the order of PARTS.
FORBIDDEN = {
    "petri": {"lmdb", "thespian", "time", "datetime", "threading", "socket", "asyncio"},
    "persistence": {"thespian", "socket", "asyncio", "http"},
    "supervision": {"thespian", "socket", "http"},
    "actors": {"thespian", "http", "fastapi"},
}
KERNEL = "placet.actors.kernel"
KERNEL_FORBIDDEN = {
    "lmdb",
    "thespian",
    "opentelemetry",
    "time",
    "datetime",
    "threading",
    "socket",
    "asyncio",
    "subprocess",
}


def part_of(module: str) -> str | None:
    """Return the layer that an imported module belongs to, or None if it is not ours."""
    names = module.split(".")
    if names[0] != "placet":
        return None
    return names[1] if len(names) > 1 and names[1] in PARTS else FACADE


def arrows(source: Source) -> set[str]:
    """Return the layers that a file imports from."""
    modules = imported_modules(source)
    # `from placet.petri import net` names `placet.petri`; `from placet import petri` names the facade as well.
    return {part for module in modules if (part := part_of(module)) is not None}


def top_levels(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


@pytest.mark.parametrize("part", PARTS)
def test_a_layer_imports_only_itself_and_those_before_it(part: str) -> None:
    allowed = set(PARTS[: PARTS.index(part) + 1])
    wrong = {source.path: arrows(source) - allowed for source in sources(part) if arrows(source) - allowed}
    assert not wrong, f"layers run {' < '.join(PRODUCT)}"


@pytest.mark.parametrize("part", FORBIDDEN)
def test_a_layer_does_not_know_what_it_must_not_know(part: str) -> None:
    found = {source.path: top_levels(imported_modules(source)) & FORBIDDEN[part] for source in sources(part)}
    assert not {path: names for path, names in found.items() if names}


def test_the_kernel_is_sans_io_through_all_it_imports() -> None:
    by_module = {source.module: source for source in sources(*PRODUCT)}
    assert KERNEL in set(by_module)
    todo, reached = [KERNEL], set[str]()
    while todo:
        module = todo.pop()
        if module in reached or module not in by_module:
            continue
        reached.add(module)
        todo += imported_modules(by_module[module])
        todo += [module.rsplit(".", 1)[0]] if module.count(".") > 1 else []  # a package runs its __init__ first
    found = {module: top_levels(imported_modules(by_module[module])) & KERNEL_FORBIDDEN for module in reached}
    assert not {module: names for module, names in found.items() if names}


def test_the_arrow_test_sees_a_wrong_arrow() -> None:
    petri = {module for source in sources("petri") for module in imported_modules(source)}
    assert "placet.petri.net" in petri
    assert part_of("placet.actors.kernel") == "actors"
    assert part_of("placet.Runtime") == part_of("placet") == FACADE
    assert part_of("msgspec") is None
