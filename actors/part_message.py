"""What is said to a place or composite of an instance, made what its instance is told; pure.

A part names places and transitions as it calls them, and itself "". Tasks, tokens and incidents have their ids and
numbers in the whole instance: here is refused what is known to be elsewhere. What is nowhere is left to the instance to
answer, which may have answered the same request before.
"""

from typing import TypeAlias

from msgspec.structs import replace

from placet.actors.errors import BadRequest
from placet.actors.holds import TAG
from placet.actors.messages import (
    Cancel,
    FailIncident,
    Inject,
    MoveToken,
    Pause,
    Put,
    Resume,
    RetryIncident,
    SkipIncident,
    TokenIntervention,
)
from placet.actors.part import Part
from placet.actors.reader import InstanceView
from placet.actors.task_id import TaskId
from placet.actors.task_request import Intervention, TaskRequest
from placet.actors.verbs import Giving

Said: TypeAlias = Intervention | Giving
Numbered: TypeAlias = TokenIntervention | RetryIncident | SkipIncident | FailIncident


def for_instance(message: Said, part: Part) -> Said:
    """Return what the instance of a part is told. Raises `BadRequest` for what is not in the part, or has no part."""
    match message:
        case Cancel():
            remedy = "cancel the instance, pause this part of it, or cancel the children that it has called"
            raise BadRequest(f"{part.path} is part of its instance, and ends with it", remedy)
        case Pause(target=target) | Resume(target=target):
            if target.startswith(TAG):
                raise BadRequest(f"{target} is a tag, of the whole instance", "send it to the instance")
            return replace(message, target=part.inside(target))
        case Put(place=place) | Inject(place=place):
            if not place and not part.is_place:
                raise BadRequest(f"{part.path} is a composite", "find the place in it that the token is for")
            return replace(message, place=part.inside(place))
        case MoveToken(place=place):
            return replace(message, place=part.inside(place))
        case TaskRequest(task=task):
            if not part.has_task_of(TaskId.parse(task).transition):
                raise BadRequest(f"{task} is no task of {part.path}", "send it to the instance")
            return message
        case _:
            return message


def check_token(part: Part, token: int, place: str) -> None:
    """Raise `BadRequest` where the place that has a token is known, and not in the part."""
    if place and not part.has_place(place):
        raise BadRequest(f"token {token} is in {place}, and not in {part.path}", "send it to the instance")


def check_numbered(message: Numbered, part: Part, view: InstanceView) -> None:
    """Raise `BadRequest` where the token or incident of this number is in the instance, and not in the part."""
    if isinstance(message, TokenIntervention):
        place = next((path for path, numbers in view.tokens.items() if message.token in numbers), "")
        check_token(part, message.token, place)
        return
    number = message.incident
    elsewhere = number not in {one.number for one in part.narrowed(view).incidents}
    if elsewhere and number in {one.number for one in view.incidents}:
        raise BadRequest(f"incident {number} is not one of {part.path}", "send it to the instance")
