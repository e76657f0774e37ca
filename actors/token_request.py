"""Tokens for instances, with values as they are: `Put`, `Inject`, and `EditToken`, a new value for one there."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

from placet.actors import messages
from placet.actors.errors import BadRequest
from placet.persistence.values import encode
from placet.petri.expression import PlaceRef, place_name


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Base of a token for another instance; the same `request_id` counts once there."""

    place: PlaceRef | str
    value: object
    _: KW_ONLY
    why: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Put(TokenRequest):
    """Put a token into a place that is fed from outside."""


@dataclass(frozen=True, slots=True)
class Inject(TokenRequest):
    """Put a token into any place."""


@dataclass(frozen=True, slots=True)
class EditToken:
    """Give a free token another value: what `Instance.edit_token` says; it goes to `tell`."""

    token: int
    value: object
    _: KW_ONLY
    by: str
    why: str = ""
    request_id: str = ""


GivingRequest: TypeAlias = Put | Inject | EditToken
Encode: TypeAlias = Callable[[PlaceRef | str | int, object], bytes]  # of a value for a place, or for the token there is


def to_giving_message(request: GivingRequest, encoded: Encode) -> messages.Put | messages.EditToken:
    """Return what the kernel is told for a person or program.

    Raises `BadRequest` for an `Inject`, and as `encoded` does.
    """
    match request:
        case EditToken(token, value, by=by, why=why, request_id=request_id):
            return messages.EditToken(token=token, value=encoded(token, value), by=by, why=why, request_id=request_id)
        case Put(place, value, why=why, request_id=request_id):
            return messages.Put(place=place_name(place), value=encoded(place, value), why=why, request_id=request_id)
        case Inject():
            raise BadRequest("Inject does not say who does it; call `inject(place, value, by=...)` of the instance")


def to_token_message(request: TokenRequest, by: str) -> messages.Put | messages.Inject:
    """Return what the kernel is told. Raises `ValueNotEncodable`."""
    kind = messages.Inject if isinstance(request, Inject) else messages.Put
    value = encode(request.value)
    return kind(place=place_name(request.place), value=value, by=by, why=request.why, request_id=request.request_id)
