"""Tokens as handlers send them to other instances: `Put` and `Inject`, with values as they are."""

from dataclasses import KW_ONLY, dataclass

from placet.actors import messages
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


def to_token_message(request: TokenRequest, by: str) -> messages.Put | messages.Inject:
    """Return what the kernel is told. Raises `ValueNotEncodable`."""
    kind = messages.Inject if isinstance(request, Inject) else messages.Put
    value = encode(request.value)
    return kind(place=place_name(request.place), value=value, by=by, why=request.why, request_id=request.request_id)
