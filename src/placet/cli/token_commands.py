"""The commands that lay hands on tokens."""

from typing import Annotated

import typer

from placet.cli.options import Id, Json
from placet.cli.where import Where, anywhere
from placet.cli.who import Who, signed

put_app = typer.Typer(rich_markup_mode=None)
token_app = typer.Typer(help="The free tokens of an instance.", rich_markup_mode=None)

Place = Annotated[str, typer.Argument(help="The path of a place, such as packed or fulfil/packed.")]
Number = Annotated[int, typer.Argument(help="The number of the token, as placet token list has it.")]
Value = Annotated[str, typer.Argument(metavar="JSON", help="The value; or @FILE.")]


@put_app.command()
@anywhere
@signed
def put(id: Id, place: Place, value: Value, where: Where, who: Who, is_json: Json = False) -> int:
    """Put a token into a place that is fed from outside."""
    from placet.actors.control.tokens import PutRequest
    from placet.cli.intervene import intervene
    from placet.cli.json_input import given_json

    given = given_json("the value", value)
    request = PutRequest(instance=id, place=place, value=given, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)


@token_app.command("list")
@anywhere
def list_tokens(id: Id, where: Where, is_json: Json = False) -> int:
    """List the free tokens of an instance with their numbers."""
    from placet.cli import tokens

    return tokens.list_tokens(where, id, is_json=is_json)


@token_app.command()
@anywhere
@signed
def inject(id: Id, place: Place, value: Value, where: Where, who: Who, is_json: Json = False) -> int:
    """Put a token into any place."""
    from placet.actors.control.tokens import InjectRequest
    from placet.cli.intervene import intervene
    from placet.cli.json_input import given_json

    given = given_json("the value", value)
    request = InjectRequest(instance=id, place=place, value=given, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)


@token_app.command()
@anywhere
@signed
def edit(id: Id, token: Number, value: Value, where: Where, who: Who, is_json: Json = False) -> int:
    """Give a free token another value; it keeps its age."""
    from placet.actors.control.tokens import EditTokenRequest
    from placet.cli.intervene import intervene
    from placet.cli.json_input import given_json

    given = given_json("the value", value)
    request = EditTokenRequest(instance=id, token=token, value=given, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)


@token_app.command()
@anywhere
@signed
def move(id: Id, token: Number, place: Place, where: Where, who: Who, is_json: Json = False) -> int:
    """Put a free token into another place; it keeps its age."""
    from placet.actors.control.tokens import MoveTokenRequest
    from placet.cli.intervene import intervene

    request = MoveTokenRequest(instance=id, token=token, place=place, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)


@token_app.command()
@anywhere
@signed
def drop(id: Id, token: Number, where: Where, who: Who, is_json: Json = False) -> int:
    """Remove a free token for good."""
    from placet.actors.control.tokens import DropTokenRequest
    from placet.cli.intervene import intervene

    request = DropTokenRequest(instance=id, token=token, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)


@token_app.command()
@anywhere
@signed
def freeze(id: Id, token: Number, where: Where, who: Who, is_json: Json = False) -> int:
    """Let nothing take a free token until it is thawed."""
    from placet.actors.control.tokens import FreezeTokenRequest
    from placet.cli.intervene import intervene

    request = FreezeTokenRequest(instance=id, token=token, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)


@token_app.command()
@anywhere
@signed
def thaw(id: Id, token: Number, where: Where, who: Who, is_json: Json = False) -> int:
    """Let a frozen token be taken again."""
    from placet.actors.control.tokens import ThawTokenRequest
    from placet.cli.intervene import intervene

    request = ThawTokenRequest(instance=id, token=token, by=who.by, why=who.why, request_id=who.request_id)
    return intervene(where, request, is_json=is_json)
