"""Who does what a command asks for, and why."""

import getpass
import os
import uuid
from dataclasses import dataclass
from typing import Annotated

import typer

from placet.cli.bundle import in_place_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """What `--by`, `--why` and `--request-id` say: sent twice, a request of one id has its effect once."""

    by: str
    why: str
    request_id: str


By = Annotated[str, typer.Option(help="Who does it; by default the user's name.", show_default=False)]
Why = Annotated[str, typer.Option(help="Why: recorded in the history.", show_default=False)]
RequestId = Annotated[str, typer.Option(help="The same again has its effect once.", show_default=False)]


def who(by: str = "", why: str = "", request_id: str = "") -> Who:
    """Return what was given, and for what was not the user's name and a new id."""
    return Who(by=by or _user(), why=why, request_id=request_id or uuid.uuid4().hex)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without an entry in the user database
        return f"user {os.getuid()}"


# Gives a command, in place of its parameter `who`, the options that say who does it.
signed = in_place_of("who", (("by", By, ""), ("why", Why, ""), ("request_id", RequestId, "")), who)
