"""What lies in an actor's inbox, where a message alone does not say enough, and the answer to one."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message with what goes with it. In an inbox, a value that is no `Letter` is a message by itself."""

    message: object
    sender: str = ""  # id of the actor that sent it; "" is a program, or an instance
    request: str = ""  # under which an answer is wanted
    asker: str = ""  # the actor it goes to; "": it is kept for the program that asks
    timer: str = ""  # name of the timer that sent it
    setting: str = ""  # which setting of that timer: others were replaced or cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What an actor that was asked by another one returned; `request` is what `Actor.ask` returned."""

    request: str
    value: Any  # `Any`: whatever `receive` returned there
    by: str  # id of the actor that was asked
