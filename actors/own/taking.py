"""Which messages an actor's class takes, as it says: `class Counter(Actor[Add | Total])`."""

from typing import Any, TypeVar, get_args, get_origin

from placet.actors.own.actor import Actor
from placet.actors.own.work import INBOX
from placet.petri.errors import WrongType
from placet.petri.typed import accepts, name_of


def message_type(kind: type[Actor[Any]]) -> object:  # `Any`: of whatever messages
    """Return the type of the messages that a class takes, or None: it does not say."""
    for one in kind.__mro__:
        for base in getattr(one, "__orig_bases__", ()):
            origin, given = get_origin(base), get_args(base)
            if isinstance(origin, type) and issubclass(origin, Actor) and not isinstance(given[0], TypeVar):
                return given[0]
    return None


def check_message(kind: type[Actor[Any]], message: object) -> None:
    """Raise `WrongType` for a message that a class does not take."""
    declared = message_type(kind)
    if not accepts(declared, message):
        raise WrongType(INBOX, name_of(declared), f"a message of type {type(message).__name__}")
