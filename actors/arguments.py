"""What clients name things by: ids, addresses and states, checked before anything is looked up or sent."""

from typing import cast

from placet.actors.errors import BadRequest, InvalidId
from placet.actors.lifecycle import InstanceState

LONGEST_ID = 1_000  # characters


def chosen_id(given: object, otherwise: str) -> str:
    """Return the id an instance is to have: `given`, or `otherwise` where that is empty.

    Raises `BadRequest` for what is no text, and `InvalidId`.
    """
    chosen = _exact("an id", given) or otherwise
    check_id(chosen)
    return chosen


def check_id(instance: str) -> None:
    """Raise `InvalidId` unless `instance` may be the id of an instance."""
    if not instance.strip():
        raise InvalidId(instance, "it is blank")
    if len(instance) > LONGEST_ID:
        raise InvalidId(instance[:40] + "…", f"it is longer than {LONGEST_ID} characters")
    if "/" in instance:
        raise InvalidId(instance, "'/' separates an instance from the actors in it")
    if not instance.isprintable():
        raise InvalidId(instance, "it has characters that cannot be printed")


def check_text(what: str, given: object) -> str:
    """Return `given` as a text that can be stored. Raises `BadRequest`; `what` says what it was to be."""
    text = _exact(what, given)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"{what} must be valid text, and {text!r} is not") from error
    return text


def check_state(given: object) -> InstanceState:
    """Return the state that `given` is or names. Raises `BadRequest`."""
    found = next((state for state in InstanceState if state == given), None)
    if found is None:
        raise BadRequest(f"{given!r} is no state of an instance", f"there are {', '.join(InstanceState)}")
    return found


def _exact(what: str, given: object) -> str:
    """Return a text as a plain `str`: a class made from it may compare and hash as it likes, on the engine's thread."""
    if type(given) is str:
        return given
    if not issubclass(type(given), str):
        raise _no_text(what, given)
    return str.__str__(cast("str", given))  # not what the class makes of it


def _no_text(what: str, given: object) -> BadRequest:
    return BadRequest(f"{what} must be a text, and {given!r} is of type {type(given).__name__}")
