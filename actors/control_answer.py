"""What a command gets back for a request, as JSON: the same from a running engine and without one."""

from typing import TypeAlias, cast

from placet.actors.answers import Receipt
from placet.actors.errors import EngineStopped, NotFound, RequestRefused, WaitTimeout
from placet.actors.given import WrongTokens
from placet.actors.reader import StateReader
from placet.petri.errors import PlacetError

Face: TypeAlias = dict[str, object]


def receipt_face(receipt: Receipt, reader: StateReader) -> Face:
    """Return a receipt, with the state the instance is in now."""
    header = reader.header(receipt.instance)
    state = header.state.value if header else ""
    return {"id": receipt.instance, "at": receipt.at, "already": receipt.already, "state": state}


def error_face(error: PlacetError) -> Face:
    """Return an error; `checked` makes it an exception again on the other side."""
    code = error.refusal if isinstance(error, RequestRefused) and error.refusal else error.code
    return {"error": {"code": code, "message": str(error)}}


def checked(instance: str, face: Face) -> Face:
    """Return an answer that is no error.

    Raises `NotFound`, `WrongTokens`, `WaitTimeout`, `EngineStopped` and `RequestRefused` as the engine did.
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
        case WaitTimeout.code:
            raise WaitTimeout(instance, message)
        case EngineStopped.code:
            raise EngineStopped(message)
        case _:
            raise RequestRefused(instance, message, code)
