"""The public id of a task, such as `order-17/manager.41`: instance, path of the transition, number."""

import re
from dataclasses import dataclass

from placet.actors.arguments import check_text
from placet.actors.errors import BadRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskId:
    """What names one task in a whole state; `str` gives its text."""

    instance: str
    transition: str  # path: `manager` or `fulfil/inspect`
    number: int

    def __str__(self) -> str:
        return f"{self.instance}/{self.transition}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> "TaskId":
        """Return the id that `str` wrote. Raises `BadRequest` for any other text.

        The number is what follows the last dot. The id of an instance ends before the first `/`; that of a child of a
        call, such as `order-17/fulfil.41`, where a part ends in a number.
        """
        rest, _, number = check_text("the id of a task", text).rpartition(".")
        parts = rest.split("/")
        first = max((index for index, part in enumerate(parts[:-1]) if index and _CHILD.search(part)), default=0) + 1
        instance, transition = "/".join(parts[:first]), "/".join(parts[first:])
        if not (instance and transition and number.isascii() and number.isdigit() and len(number) < _DIGITS):
            raise BadRequest(f"{text!r} is no task", "tasks are called as in order-17/manager.41")
        return cls(instance=instance, transition=transition, number=int(number))


_CHILD = re.compile(r"\.[0-9]+$")
_DIGITS = 20  # of a number that fits 64 bits
