"""JSON given on a command line: as text, from a file with `@FILE`, from standard input with `@-`."""

import json
import sys
from pathlib import Path
from typing import NoReturn

from placet.cli.errors import BadJson, WrongUsage
from placet.repeated_key import KeyRepeated, load_json


def given_json(option: str, text: str) -> object:
    """Return the value of the JSON given with `option`. Raises `BadJson` and `WrongUsage`."""
    if text.startswith("@"):
        return parse_json(text[1:] if text != "@-" else "standard input", _read(option, text[1:]))
    return parse_json(option, text)


def _read(option: str, name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except OSError as error:
        problem = f"{option} cannot be read from {name} ({error.strerror or error})"
        raise WrongUsage(problem, "check its path") from error
    except UnicodeDecodeError as error:
        raise BadJson(name, "it is not UTF-8 text") from error


def parse_json(origin: str, text: str) -> object:
    """Return the value of a JSON text. Raises `BadJson` with the place, and `WrongUsage` for a key that is twice."""
    try:
        value = load_json(text, _no_constant)
        json.dumps(value, ensure_ascii=False).encode()  # half a character cannot be sent, nor shown
    except json.JSONDecodeError as error:
        raise BadJson(origin, error.msg, error.lineno, error.colno) from error
    except KeyRepeated as error:
        raise WrongUsage(f"{origin}: {error.found} at {error.found.where}", "keep one of the two") from error
    except UnicodeEncodeError as error:
        raise BadJson(origin, "a text in it is not valid Unicode") from error
    except (ValueError, RecursionError) as error:
        raise BadJson(origin, str(error)) from error
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
