"""The criteria of style that a program can check: sizes, docstrings, clocks, broad excepts, reasons."""

import ast
import re
from collections.abc import Iterator
from statistics import median
from typing import cast

from tests.project.sources import EVERYTHING, PRODUCT, Function, Source, functions, sources

CLOCK = "actors/clock.py"
CLOCK_READS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "sleep"),
    ("asyncio", "sleep"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}
# File to the reason why it may ask the wall clock or sleep. An entry that is no longer needed fails a test.
MAY_READ_A_CLOCK: dict[str, str] = {
    "examples/render.py": "its coroutine stands for a service that takes its time",
    "tests/executors/test_async.py": "its handlers sleep: that is what coroutines do while others run",
}

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
IGNORE = re.compile(r"#\s*(?:type|pyright):\s*ignore(?P<rule>\[[\w\-, ]+\])?(?P<reason>.*)")


def named(source: Source, node: ast.stmt | ast.expr | ast.excepthandler, name: str = "") -> str:
    return f"{source.path}:{node.lineno} {name}".rstrip()


def test_no_module_is_longer_than_400_lines_of_code() -> None:
    sizes = {source.path: len(source.code_lines) for source in sources(*EVERYTHING)}
    assert not {path: size for path, size in sizes.items() if size > 400}


def test_no_function_is_longer_than_50_lines_of_code() -> None:
    long = {
        named(source, function, function.name): size
        for source in sources(*EVERYTHING)
        for function in functions(source)
        if (size := source.code_size(function)) > 50
    }
    assert not long


def test_the_median_module_has_at_most_100_lines_and_the_median_function_10() -> None:
    product = sources(*PRODUCT)
    assert median(len(source.code_lines) for source in product) <= 100
    assert median(source.code_size(function) for source in product for function in functions(source)) <= 10


def named_definitions(body: list[ast.stmt], *, nested: bool) -> Iterator[Function | ast.ClassDef]:
    """Yield classes, functions and methods with names that are not private; with `nested`, wherever they stand."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
        if nested or isinstance(node, ast.If | ast.Try) or (isinstance(node, ast.ClassDef) and node.name[0] != "_"):
            for _, inner in ast.iter_fields(node):
                if isinstance(inner, list):
                    statements = [one for one in cast("list[object]", inner) if isinstance(one, ast.stmt)]
                    yield from named_definitions(statements, nested=nested)


def needs_docstring(node: Function | ast.ClassDef) -> bool:
    """A setter or overload shares the docstring of its first definition."""
    names = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
    return not names & {"setter", "overload", "override"}


def test_everything_public_has_a_docstring() -> None:
    without = [source.path for source in sources(*PRODUCT, "benchmarks") if ast.get_docstring(source.tree) is None]
    without += [
        named(source, node, node.name)
        for source in sources(*PRODUCT, "benchmarks")
        for node in named_definitions(source.tree.body, nested=source.path.split("/")[0] != "benchmarks")
        if needs_docstring(node) and ast.get_docstring(node) is None
    ]
    assert not without


def clock_reads(source: Source) -> list[str]:
    """Return where a file reads the wall clock or sleeps, by attribute or by `from … import`."""
    found: list[str] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).split(".")[-1]
            if (owner, node.attr) in CLOCK_READS:
                found.append(named(source, node, f"{owner}.{node.attr}"))
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names if (node.module, alias.name) in CLOCK_READS]
            found += [named(source, node, f"{node.module}.{name}") for name in names]
    return found


def test_only_the_clock_module_asks_the_time_or_sleeps() -> None:
    reads = {source.path: clock_reads(source) for source in sources(*EVERYTHING) if source.path != CLOCK}
    reading = {path: places for path, places in reads.items() if places}
    assert not {path: places for path, places in reading.items() if path not in MAY_READ_A_CLOCK}
    assert not set(MAY_READ_A_CLOCK) - set(reading), "no longer needed in MAY_READ_A_CLOCK"


def broad_excepts(source: Source) -> list[ast.ExceptHandler]:
    """Return the handlers that catch everything."""
    broad = {"Exception", "BaseException"}
    return [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or broad & {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)})
    ]


def test_a_broad_except_says_why() -> None:
    silent = [
        named(source, handler)
        for source in sources(*EVERYTHING)
        for handler in broad_excepts(source)
        if handler.lineno not in source.comments
    ]
    assert not silent


def test_broad_excepts_are_few() -> None:
    product = sources(*PRODUCT)
    broad = [named(source, handler) for source in product for handler in broad_excepts(source)]
    lines = sum(len(source.lines) for source in product)
    assert len(broad) * 1000 <= 2 * lines, broad


def test_an_ignored_type_error_names_its_rule_and_its_reason() -> None:
    silent = [
        f"{source.path}:{line}"
        for source in sources(*EVERYTHING)
        for line, comment in source.comments.items()
        for match in IGNORE.finditer(comment)
        if not match["rule"] or not match["reason"].strip(" #-:")
    ]
    assert not silent


def test_any_is_explained_where_it_is_used() -> None:
    silent = [
        source.path
        for source in sources(*PRODUCT)
        if any(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(source.tree))
        and not any(re.search(r"\bAny\b", comment) for comment in source.comments.values())
    ]
    assert not silent


def test_nothing_is_left_unfinished() -> None:
    unfinished = [
        f"{source.path}:{line}"
        for source in sources(*EVERYTHING)
        for line, comment in source.comments.items()
        if UNFINISHED.search(comment)
    ]
    assert not unfinished
