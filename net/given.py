"""Values that JSON cannot hold, on their way to an engine: pickled, beside the request they belong to.

To load them is to run code, so an engine takes them only from who may send code, and looks at none before it knows.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from placet.actors.control.request import SkipRequest
from placet.actors.control.tasks import ApproveRequest, CompleteRequest, RejectRequest
from placet.actors.control.tokens import EditTokenRequest, InjectRequest, PutRequest
from placet.actors.errors import BadRequest
from placet.net.plain import is_plain
from placet.net.request import (
    AskRequest,
    GivenRequest,
    NetRequest,
    SpawnRequest,
    decode_net_request,
    encode_net_request,
)
from placet.persistence.travelling import encode_value_for_others, local_modules
from placet.persistence.values import decode

_FIELDS: Final[Mapping[type, tuple[str, object]]] = {
    SpawnRequest: ("tokens", {}),
    AskRequest: ("message", None),
    SkipRequest: ("output", None),
    CompleteRequest: ("outputs", None),
    ApproveRequest: ("value", None),
    RejectRequest: ("value", None),
    PutRequest: ("value", None),
    InjectRequest: ("value", None),
    EditTokenRequest: ("value", None),
}
"""By request: which of its fields holds values, and what stands there while they travel beside it."""


def values_in(request: NetRequest) -> object:
    """Return the values that a request holds; None: none."""
    found = _FIELDS.get(type(request))
    value: object = None if found is None else getattr(request, found[0])
    return None if value is msgspec.UNSET else value


def with_values(request: NetRequest, *, are_whole: bool) -> NetRequest:
    """Return a request as it is, or with its values beside it, where JSON would not give them back as they are.

    Where they `are_whole`, the program's own classes go along. Raises `ValueNotEncodable`.
    """
    value = values_in(request)
    if is_plain(value):
        return request
    field, blank = _FIELDS[type(request)]
    bare = msgspec.structs.replace(request, **{field: blank})
    line, instance = encode_net_request(bare), str(getattr(request, "instance", ""))
    return GivenRequest(
        instance=instance,
        request=msgspec.Raw(line),
        value=encode_value_for_others(value, local_modules() if are_whole else ()),
    )


def put_together(given: GivenRequest) -> NetRequest:
    """Return the request with its values, which are loaded; for who may send code alone.

    Raises `BadRequest` and `ValueNotLoadable`.
    """
    request = decode_net_request(bytes(given.request))
    found = _FIELDS.get(type(request))
    if found is None or getattr(request, "instance", "") != given.instance:
        raise BadRequest("that request takes no values")
    return msgspec.structs.replace(request, **{found[0]: decode(given.value)})
