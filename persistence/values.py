"""Codecs of token values. The first byte tells the codec.

80    pickle protocol 5, which brings its own first byte
c     cloudpickle: Python's version (2 bytes), then the pickle; for types that cannot be imported elsewhere. A class
      of a script is the script's own again where the script runs, and built from its stored copy elsewhere.
j     JSON
m     msgpack

`b"B"` is taken by references to large values (`blobs.py`).
"""

import io
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import cloudpickle  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs] - it has no annotations
import msgspec

from placet.persistence.class_names import name_class
from placet.persistence.errors import ValueNotEncodable, ValueNotLoadable
from placet.persistence.type_name import qualified_name, type_name

PICKLE: Final = b"\x80"
CLOUDPICKLE: Final = b"c"
JSON: Final = b"j"
MSGPACK: Final = b"m"
VERSION: Final = bytes(sys.version_info[:2])  # cloudpickled code of another version can crash the interpreter
CLOUD_HEADER: Final = 3  # bytes before the pickle: tag and version

_dumps = pickle.dumps


def encode(value: object) -> bytes:
    """Return the bytes of any Python value. Raises `ValueNotEncodable`."""
    try:
        data = _dumps(value, 5)
    except Exception as error:  # user types raise what they like; cloudpickle may still know how
        return _encode_by_value(value, b"", error)
    if data.find(b"__main__") >= 0:  # twice as fast as `in`
        return _encode_by_value(value, data, None)
    return data


class _Naming(cloudpickle.Pickler):  # type: ignore[misc]  # pyright: ignore[reportUntypedBaseClass] - no annotations
    """Cloudpickle, but for the names of classes that are stored whole: each is one class wherever it is loaded."""

    def reducer_override(self, obj: Any) -> Any:  # `Any`: as in pickle
        """Name a class; it is stored as cloudpickle has it."""
        if isinstance(obj, type):
            name_class(obj)
        return super().reducer_override(obj)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - no annotations


class _Pickler(_Naming):
    """Cloudpickle, but for the classes of the script that runs: these are stored by name too."""

    def reducer_override(self, obj: Any) -> Any:  # `Any`: as in pickle
        """Return how to store a class of the script; all else is stored as cloudpickle has it."""
        if isinstance(obj, type) and obj.__module__ == "__main__" and _of_script(obj.__qualname__) is obj:
            return class_of_script, (_script(), obj.__qualname__, _dumped(_Naming, obj))
        return super().reducer_override(obj)


def _dumped(pickler: type[_Naming], value: object) -> bytes:
    file = io.BytesIO()
    pickler(file, 5).dump(value)  # pyright: ignore[reportUnknownMemberType] - it has no annotations
    return file.getvalue()


def class_of_script(script: str, name: str, stored: bytes) -> object:
    """Return the class of that qualified name in the script that runs, if it is that script, else the stored one.

    Called while a value is loaded. Another script's class of the same name may be quite another one.
    """
    found = _of_script(name) if script == _script() else None
    return pickle.loads(stored) if found is None else found


def _script() -> str:
    """Return the file name of the script that runs, without its folder: programs move."""
    return os.path.basename(getattr(sys.modules.get("__main__"), "__file__", None) or "")


def _of_script(name: str) -> type | None:
    found: object = sys.modules.get("__main__")
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) and found.__module__ == "__main__" else None


def _encode_by_value(value: object, plain: bytes, cause: Exception | None) -> bytes:
    data = _whole(_Pickler, value, cause)
    if data == plain:
        return plain  # only a text that says __main__
    return CLOUDPICKLE + VERSION + data


def _whole(pickler: type[_Naming], value: object, cause: Exception | None = None) -> bytes:
    try:
        return _dumped(pickler, value)
    except Exception as error:  # as above
        reason = cause or error
        raise ValueNotEncodable(qualified_name(type(value)), f"{type(reason).__name__}: {reason}") from error


def encode_whole(value: object) -> bytes:
    """Return a value as cloudpickle has it: with its classes where these cannot be imported, or are to be stored whole.

    Raises `ValueNotEncodable`.
    """
    return _encode_by_value(value, b"", None)


def encode_code(code: object) -> bytes:
    """Return functions and classes, with all of the script that runs that they refer to; `decode` loads them.

    Raises `ValueNotEncodable`.
    """
    return CLOUDPICKLE + VERSION + _whole(_Naming, code)


def encode_json(value: object) -> bytes:
    """Return a value as JSON, readable by any program. Raises `ValueNotEncodable`."""
    return JSON + _by_msgspec(msgspec.json.encode, value)


def encode_msgpack(value: object) -> bytes:
    """Return a value as msgpack, readable by any program. Raises `ValueNotEncodable`."""
    return MSGPACK + _by_msgspec(msgspec.msgpack.encode, value)


ENCODERS: Mapping[str, Callable[[object], bytes]] = {
    "pickle": encode,
    "json": encode_json,
    "msgpack": encode_msgpack,
}
"""The codecs by name."""


def _by_msgspec(encoder: Callable[[object], bytes], value: object) -> bytes:
    try:
        return encoder(value)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueNotEncodable(qualified_name(type(value)), str(error)) from error


def decode(data: bytes) -> object:
    """Return the value of bytes that an `encode` function made. Raises `ValueNotLoadable`.

    Runs the code of the value's type, so only for data of this engine's own store or of sealed transport.
    """
    tag = data[:1]
    try:
        if tag == PICKLE:
            return pickle.loads(data)
        if tag == JSON:
            return msgspec.json.decode(memoryview(data)[1:])
        if tag == MSGPACK:
            return msgspec.msgpack.decode(memoryview(data)[1:])
        if tag == CLOUDPICKLE and data[1:CLOUD_HEADER] == VERSION:
            return pickle.loads(memoryview(data)[CLOUD_HEADER:])
    except Exception as error:  # user types raise what they like while they are built
        raise ValueNotLoadable(_stored_type(data), f"{type(error).__name__}: {error}") from error
    raise ValueNotLoadable(_stored_type(data), _refusal(tag, data))


def _stored_type(data: bytes) -> str:
    return type_name(data[CLOUD_HEADER:] if data[:1] == CLOUDPICKLE else data)


def _refusal(tag: bytes, data: bytes) -> str:
    if tag == CLOUDPICKLE and len(data) > CLOUD_HEADER:
        here = f"{VERSION[0]}.{VERSION[1]}"
        return f"it holds code of Python {data[1]}.{data[2]}, this is {here}"
    return f"its codec {tag!r} is unknown"
