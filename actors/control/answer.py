"""What a command gets back for a request, as JSON: the same from a running engine and without one."""

from typing import TypeAlias, cast

from placet.actors.answers import Receipt
from placet.actors.errors import BadRequest, EngineStopped, NotFound, RequestRefused, WaitTimeout
from placet.actors.given import WrongTokens
from placet.actors.reader import StateReader
from placet.petri.errors import PlacetError, WrongType

Face: TypeAlias = dict[str, object]


def receipt_face(receipt: Receipt, reader: StateReader) -> Face:
    """Return a receipt, with the state the instance is in now."""
    header = reader.header(receipt.instance)
    state = header.state.value if header else ""
    return {"id": receipt.instance, "at": receipt.at, "already": receipt.already, "state": state}


def error_face(error: PlacetError) -> Face:
    """Return an error; `checked` makes it an exception again on the other side."""
    said: Face = {"code": error.code, "message": str(error)}
    match error:
        case RequestRefused(refusal=refusal, by=by, at=at):
            said |= {"code": refusal or error.code, "by": by, "at": at}
        case WrongType(place=place, expected=expected, found=found):
            said |= {"place": place, "expected": expected, "found": found}
        case BadRequest(reason=reason, remedy=remedy):
            said |= {"reason": reason, "remedy": remedy}
        case _:
            pass
    return {"error": said}


def checked(instance: str, face: Face) -> Face:
    """Return an answer that is no error.

    Raises `NotFound`, `WrongTokens`, `WrongType`, `BadRequest`, `WaitTimeout`, `EngineStopped` and `RequestRefused` as
    the engine did.
    """
    error = face.get("error")
    if not isinstance(error, dict):
        return face
    said = cast("dict[str, object]", error)
    code, message = str(said.get("code")), str(said.get("message"))
    match code:
        case NotFound.code:
            raise NotFound(instance, message)
        case WrongTokens.code:
            problem, _, remedy = message.partition("; ")
            raise WrongTokens(problem, remedy)
        case WrongType.code:
            raise WrongType(str(said.get("place")), str(said.get("expected")), str(said.get("found")))
        case BadRequest.code:
            raise BadRequest(str(said.get("reason", message)), str(said.get("remedy", "")))
        case WaitTimeout.code:
            raise WaitTimeout(instance, message)
        case EngineStopped.code:
            raise EngineStopped(message)
        case _:
            by, at = str(said.get("by", "")), said.get("at", 0.0)
            raise RequestRefused(instance, message, code, by, at if isinstance(at, float) else 0.0)
