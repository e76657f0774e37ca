"""Interventions as requests: what `tell` is given, in the form in which it crosses to an engine."""

import secrets

from placet.actors.control_request import (
    CancelRequest,
    FailRequest,
    PauseRequest,
    PersonalRequests,
    ResumeRequest,
    RetryRequest,
    SkipRequest,
)
from placet.actors.errors import BadRequest
from placet.actors.messages import (
    Cancel,
    FailIncident,
    InterventionMessage,
    Pause,
    Resume,
    RetryIncident,
    SkipIncident,
)
from placet.net.plain import check_plain
from placet.persistence.values import decode


def to_request(instance: str, message: InterventionMessage) -> PersonalRequests:
    """Return the request for an intervention, with a `request_id` of its own where it has none.

    Raises `ValueNotEncodable` for outputs that are not plain.
    """
    by, why, request_id = message.by, message.why, message.request_id or secrets.token_hex(8)
    match message:
        case Pause():
            return PauseRequest(instance=instance, by=by, why=why, request_id=request_id)
        case Resume():
            return ResumeRequest(instance=instance, by=by, why=why, request_id=request_id)
        case Cancel():
            return CancelRequest(instance=instance, by=by, why=why, request_id=request_id)
        case RetryIncident(incident=number):
            return RetryRequest(instance=instance, by=by, why=why, request_id=request_id, incident=number)
        case FailIncident(incident=number):
            return FailRequest(instance=instance, by=by, why=why, request_id=request_id, incident=number)
        case SkipIncident(incident=number):
            output = _output(message)
            check_plain(output)
            return SkipRequest(instance=instance, by=by, why=why, request_id=request_id, incident=number, output=output)
        case _:
            raise BadRequest(f"a {type(message).__name__} cannot be sent to a node yet; use the commands on its host")


def _output(message: SkipIncident) -> object:
    """Return the outputs as people write them: one value, or `{place: [values]}`."""
    if len(message.outputs) == 1 and not message.outputs[0][0]:
        return decode(message.outputs[0][1])
    by_place: dict[str, list[object]] = {}
    for place, value in message.outputs:
        by_place.setdefault(place, []).append(decode(value))
    return by_place
