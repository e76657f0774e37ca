"""Requests about free tokens from other processes, and what they become: values come as JSON."""

from pathlib import Path
from typing import TypeAlias, assert_never

from placet.actors.addressee import Addressee
from placet.actors.control.base import PersonalRequest
from placet.actors.copies.part_import import part_in_bytes, part_message, read_part
from placet.actors.messages import (
    DropToken,
    EditToken,
    FreezeToken,
    ImportTokens,
    Inject,
    MoveToken,
    Put,
    ThawToken,
    TokenMessage,
)
from placet.actors.reader import StateReader


class PutRequest(PersonalRequest, frozen=True, kw_only=True, tag="put"):
    """Put a token into a place that is fed from outside."""

    place: str
    value: object


class InjectRequest(PersonalRequest, frozen=True, kw_only=True, tag="inject"):
    """Put a token into any place."""

    place: str
    value: object


class AboutToken(PersonalRequest, frozen=True, kw_only=True):
    """Base of what is done to one free token."""

    token: int


class EditTokenRequest(AboutToken, frozen=True, kw_only=True, tag="edit_token"):
    """Give a token another value."""

    value: object


class MoveTokenRequest(AboutToken, frozen=True, kw_only=True, tag="move_token"):
    """Put a token into another place."""

    place: str


class DropTokenRequest(AboutToken, frozen=True, kw_only=True, tag="drop_token"):
    """Remove a token for good."""


class FreezeTokenRequest(AboutToken, frozen=True, kw_only=True, tag="freeze_token"):
    """Let nothing take a token until it is thawed."""


class ThawTokenRequest(AboutToken, frozen=True, kw_only=True, tag="thaw_token"):
    """Let a frozen token be taken again."""


class ImportPlaceRequest(PersonalRequest, frozen=True, kw_only=True, tag="import_place"):
    """Put the tokens of an exported place or composite into the same: of a `file` that the engine reads, or `data`."""

    file: str = ""  # absolute
    data: bytes = b""  # what is in the file: its values are pickles


AboutTokens: TypeAlias = (
    PutRequest
    | ImportPlaceRequest
    | InjectRequest
    | EditTokenRequest
    | MoveTokenRequest
    | DropTokenRequest
    | FreezeTokenRequest
    | ThawTokenRequest
)


def to_token_message(
    request: AboutTokens, addressee: Addressee, reader: StateReader
) -> TokenMessage | Put | ImportTokens:
    """Return what the kernel is told. Raises `WrongType` and `ValueNotEncodable`, and as `part_message` does."""
    by, why, request_id = request.by, request.why, request.request_id
    match request:
        case PutRequest(place=place):
            value = addressee.encoded(place, request.value)
            return Put(place=place, value=value, by=by, why=why, request_id=request_id)
        case ImportPlaceRequest(file=file, data=data):
            found = read_part(Path(file)) if file else part_in_bytes(data)
            return part_message(found, request.instance, reader, by=by, why=why, request_id=request_id)
        case InjectRequest(place=place):
            value = addressee.encoded(place, request.value)
            return Inject(place=place, value=value, by=by, why=why, request_id=request_id)
        case EditTokenRequest(token=token):
            value = addressee.encoded(reader.token_place(request.instance, token), request.value)
            return EditToken(token=token, value=value, by=by, why=why, request_id=request_id)
        case MoveTokenRequest(token=token, place=place):
            return MoveToken(token=token, place=place, by=by, why=why, request_id=request_id)
        case DropTokenRequest(token=token):
            return DropToken(token=token, by=by, why=why, request_id=request_id)
        case FreezeTokenRequest(token=token):
            return FreezeToken(token=token, by=by, why=why, request_id=request_id)
        case ThawTokenRequest(token=token):
            return ThawToken(token=token, by=by, why=why, request_id=request_id)
        case _:
            assert_never(request)
