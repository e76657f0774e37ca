"""Keys that a JSON object has twice: JSON lets them be, but one of the two values would be lost in silence."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:]')


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedKey:
    """The second one of two equal keys of an object, and where it stands."""

    key: str
    line: int  # 1 is the first
    column: int  # likewise

    def __str__(self) -> str:
        return f"an object has the key {json.dumps(self.key)} twice"

    @property
    def where(self) -> str:
        """The place, for people."""
        return f"line {self.line}, column {self.column}"


class KeyRepeated(ValueError):
    """An object has a key twice; `found` says which and where."""

    def __init__(self, found: RepeatedKey) -> None:
        super().__init__(found)
        self.found = found


def load_json(text: str, parse_constant: Callable[[str], object]) -> object:
    """Return the value of a JSON text. Raises `KeyRepeated`, and what `json.loads` raises."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        """Return an object all of whose keys differ."""
        made = dict(pairs)
        if len(made) < len(pairs):
            raise _Repeated
        return made

    try:
        value: object = json.loads(text, parse_constant=parse_constant, object_pairs_hook=unique)
    except _Repeated:
        # The text may still be wrong behind that key: then what is said is where it stops being JSON.
        json.loads(text, parse_constant=parse_constant)
        raise KeyRepeated(_first_repeated(text)) from None
    return value


class _Repeated(Exception):
    pass


def _first_repeated(text: str) -> RepeatedKey:
    """Return the first repeated key of a text that is JSON and has one."""
    objects: list[set[str]] = []  # the keys seen so far of each object around; an array has none
    last: re.Match[str] | None = None  # the string just read: a key, if a colon follows
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "{" | "[":
                objects.append(set())
            case "}" | "]":
                objects.pop()
            case ":":
                assert last is not None, token
                key = str(json.loads(last[0]))
                if key in objects[-1]:
                    begin = text.rfind("\n", 0, last.start()) + 1
                    line = text.count("\n", 0, last.start()) + 1
                    return RepeatedKey(key=key, line=line, column=last.start() - begin + 1)
                objects[-1].add(key)
            case _:
                last = token
    raise AssertionError(text)
