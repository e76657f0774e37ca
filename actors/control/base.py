"""What requests from other processes have in common: JSON objects in which `do` tells what is asked."""

import msgspec


class ControlRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """Base of all requests."""


class PersonalRequest(ControlRequest, frozen=True, kw_only=True):
    """Base of interventions: who, when, why; the same `request_id` again gets the recorded answer."""

    instance: str
    by: str
    why: str = ""
    request_id: str = ""
