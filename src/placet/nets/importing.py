"""Finds what the import paths of a file name: in modules beside the file, as for a script, or installed ones."""

import builtins
import importlib
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from placet.actors.loading import load_file
from placet.petri.errors import PlacetError
from placet.petri.import_path import attribute_of
from placet.petri.location import module_name


@dataclass(frozen=True, slots=True)
class Importer:
    """Resolves import paths for the files of one folder, which is put on `sys.path` first."""

    folder: Path

    def __call__(self, import_path: str) -> object:
        """Return what `package.module:name` names. Raises `LookupError`, which says why it cannot."""
        module, _, name = import_path.partition(":")
        return attribute_of(self._module(module), name)

    def exception(self, name: str) -> type[BaseException]:
        """Return the exception class that a built-in name or an import path names. Raises `LookupError`."""
        found = self(name) if ":" in name else getattr(builtins, name, None)
        if not isinstance(found, type) or not issubclass(found, BaseException):
            raise LookupError(f"`{name}` is no class of exceptions")
        return found

    def _module(self, name: str) -> ModuleType:
        file = self.folder / f"{name}.py"
        main = sys.modules.get("__main__")
        if main is not None and name not in sys.modules and self._is_script(name):
            return main  # imported by name it would run a second time
        with _telling(name):
            if file.is_file():
                return load_file(file)
            if str(self.folder) not in sys.path:
                sys.path.insert(0, str(self.folder))
            importlib.invalidate_caches()  # the file may be younger than the last look into its folder
            return importlib.import_module(name)

    def _is_script(self, name: str) -> bool:
        """Whether a module of that name is the script that runs."""
        origin = getattr(sys.modules["__main__"], "__file__", None)
        if not isinstance(origin, str) or module_name("__main__") != name:
            return False
        beside = self.folder / f"{name}.py"
        return not beside.is_file() or beside.resolve() == Path(origin).resolve()


@contextmanager
def _telling(name: str) -> Generator[None]:
    """Turn whatever importing a module raises into a `LookupError` of one line; Placet's own errors stay."""
    try:
        yield
    except (PlacetError, LookupError):
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise LookupError(f"loading module `{name}` raised {type(error).__name__}: {error}") from error
        raise LookupError(f"there is no module `{error.name}`") from error
    except SyntaxError as error:
        raise LookupError(f"{error.filename}:{error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:  # it is a user's module: it may raise anything
        raise LookupError(f"loading module `{name}` raised {type(error).__name__}: {error}") from error
