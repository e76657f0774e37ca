"""Values and code for other hosts, which have not got the modules of the program that sends them."""

import sys
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from types import ModuleType

import cloudpickle  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs] - it has no annotations

from placet.persistence.likeness import is_local
from placet.persistence.values import encode, encode_code, encode_whole

_one_by_one = threading.Lock()


def local_modules() -> list[ModuleType]:
    """Return the modules that are loaded and are the program's own, but for the script that runs."""
    return [module for name, module in list(sys.modules.items()) if name != "__main__" and is_local(name)]


def encode_value_for_others(value: object, modules: Iterable[ModuleType]) -> bytes:
    """Return a value, with its classes that are in `modules` or in the script that runs. Raises `ValueNotEncodable`."""
    several = list(modules)
    if not several:
        return encode(value)
    with _stored_whole(several):
        return encode_whole(value)


def encode_code_for_others(code: object, modules: Iterable[ModuleType]) -> bytes:
    """Return code, with all that is in `modules`, or in the script that runs. Raises `ValueNotEncodable`."""
    with _stored_whole(modules):
        return encode_code(code)


@contextmanager
def _stored_whole(modules: Iterable[ModuleType]) -> Generator[None]:
    """Have cloudpickle store what is in `modules` whole; one thread at a time, since it keeps one list of them."""
    with _one_by_one:
        before: set[str] = set(cloudpickle.list_registry_pickle_by_value())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - no annotations
        added = [one for one in modules if one.__name__ not in before]
        for module in added:
            cloudpickle.register_pickle_by_value(module)  # pyright: ignore[reportUnknownMemberType] - no annotations
        try:
            yield
        finally:
            for module in added:
                cloudpickle.unregister_pickle_by_value(module)  # pyright: ignore[reportUnknownMemberType] - no annotations
