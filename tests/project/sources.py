"""The project's own source files, read once, for tests that look at code instead of running it."""

import ast
import io
import tokenize
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("petri", "persistence", "supervision", "actors", "net")  # in the order in which they may import
FACADE = "src/placet"
PRODUCT = (*PARTS, FACADE)
EVERYTHING = (*PRODUCT, "tests", "benchmarks", "examples", "setup.py")

Function = ast.FunctionDef | ast.AsyncFunctionDef
_LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT, tokenize.ENDMARKER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file: its tree, its comments by line, and the lines that hold code."""

    path: str  # relative to the root, with `/`
    module: str  # import name
    lines: tuple[str, ...]
    tree: ast.Module
    comments: dict[int, str]
    code_lines: frozenset[int]  # without blanks, comments and docstrings

    def code_size(self, node: ast.stmt) -> int:
        """Count the lines of code of one definition, decorators left out."""
        end = node.end_lineno or node.lineno
        return sum(node.lineno <= line <= end for line in self.code_lines)


def python_files(folder: str) -> list[Path]:
    """Return the Python files below a folder, links not followed, so that each file comes once; a file is itself."""
    found = [ROOT / folder] if (ROOT / folder).is_file() else []
    for path in sorted((ROOT / folder).iterdir()) if (ROOT / folder).is_dir() else []:
        if path.is_symlink():
            continue
        if path.is_dir():
            found += python_files(path.relative_to(ROOT).as_posix())
        elif path.suffix == ".py":
            found.append(path)
    return found


def module_name(path: str) -> str:
    """Return the name under which a file of the project is imported."""
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    if parts[0] in PARTS:
        return ".".join(("placet", *parts))
    return ".".join(parts[1:] if parts[0] == "src" else parts)


@cache
def read(path: Path) -> Source:
    """Read and parse one file."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, str(path))
    docstrings = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    comments: dict[int, str] = {}
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments[token.start[0]] = token.string
        elif token.type not in _LAYOUT:
            code.update(range(token.start[0], token.end[0] + 1))
    relative = path.relative_to(ROOT).as_posix()
    return Source(
        path=relative,
        module=module_name(relative),
        lines=tuple(text.splitlines()),
        tree=tree,
        comments=comments,
        code_lines=frozenset(code - docstrings),
    )


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Return every file below the folders given, parsed."""
    return tuple(read(path) for folder in folders for path in python_files(folder))


def functions(source: Source) -> tuple[Function, ...]:
    """Return every function and method of a file, nested ones too."""
    return tuple(node for node in ast.walk(source.tree) if isinstance(node, Function))


def imported_modules(source: Source) -> set[str]:
    """Return the modules that a file names in its imports, wherever they stand in it.

    `from a import b` counts as `a` and as `a.b`, since `b` may be a module.
    """
    names: set[str] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names
