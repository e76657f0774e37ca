"""Names for classes that are stored whole: equal for the same code, in whatever process, so that they are one class.

Cloudpickle keeps a table of such classes, and makes up a name for each when it is first stored: another one in each
process. So an object out of one process would be of another class than the same object out of another.
"""

from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from typing import TypeAlias, cast

import cloudpickle.cloudpickle as tables  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs] - it has no annotations

from placet.persistence.likeness import is_local, likeness

_Names: TypeAlias = "MutableMapping[type, str]"
_Classes: TypeAlias = "MutableMapping[str, type]"


def name_class(kind: type) -> None:
    """Give a class of the program its name, before it is stored for the first time; one that has one keeps it.

    Classes made within functions may be alike and yet others: cloudpickle tells them apart.
    """
    names = cast("_Names", tables._DYNAMIC_CLASS_TRACKER_BY_CLASS)  # pyright: ignore[reportUnknownMemberType, reportPrivateUsage] - a test watches over them
    if kind in names or "<locals>" in kind.__qualname__ or not is_local(kind.__module__):
        return
    name = f"placet {kind.__module__} {kind.__qualname__} {likeness(kind)}"
    classes = cast("_Classes", tables._DYNAMIC_CLASS_TRACKER_BY_ID)  # pyright: ignore[reportUnknownMemberType, reportPrivateUsage] - likewise
    with cast("AbstractContextManager[object]", tables._DYNAMIC_CLASS_TRACKER_LOCK):  # pyright: ignore[reportUnknownMemberType, reportPrivateUsage] - likewise
        names.setdefault(kind, name)
        classes.setdefault(name, kind)
