"""Requests and answers: what JSON carries, errors that come back as what they were, and interventions as requests."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet import (
    BadRequest,
    Busy,
    Cancel,
    EngineStopped,
    FailIncident,
    InvalidId,
    NotFound,
    Pause,
    PlacetError,
    RequestRefused,
    Resume,
    RetryIncident,
    SkipIncident,
    SpawnConflict,
    UnknownWorkflow,
    ValueNotEncodable,
    ValueTooLarge,
    WaitTimeout,
)
from placet.actors.control.request import SkipRequest
from placet.actors.task_request import Intervention
from placet.net.answer import InstanceFound, decode_net_answer, encode_error, encode_net_answer
from placet.net.errors import TooLarge
from placet.net.plain import check_plain
from placet.net.request import SpawnRequest, decode_net_request, encode_net_request
from placet.net.telling import to_request
from placet.persistence.values import encode

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(value=plain)
def test_plain_values_cross_as_they_are(value: object) -> None:
    try:
        check_plain(value)
    except ValueNotEncodable:  # a lone surrogate
        with pytest.raises((UnicodeEncodeError, msgspec.MsgspecError)):
            msgspec.json.encode(value)
        return
    request = SpawnRequest(instance="i", workflow="w", tokens={"p": [value]})
    assert decode_net_request(encode_net_request(request)) == request


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b'{"do": "fly"}', b'{"do": "spawn"}', b"\xff", b"[" * 100_000])
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(BadRequest):
        decode_net_request(line)


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("r"),
        Busy(3, 2),
        EngineStopped("r"),
        InvalidId("a/b", "r"),
        NotFound("i", "r"),
        SpawnConflict("i", "r"),
        TooLarge(3, 2),
        UnknownWorkflow("w"),
        ValueNotEncodable("t", "r"),
        ValueTooLarge(3, 2),
    ],
)
def test_an_error_comes_back_as_what_it_was(error: PlacetError) -> None:
    with pytest.raises(type(error)) as caught:
        decode_net_answer(InstanceFound, "i", encode_error(error))
    assert caught.value.args == error.args
    assert vars(caught.value) == vars(error)


def test_an_error_that_is_not_known_there_keeps_its_code_and_its_message() -> None:
    for error in (RequestRefused("i", "because", "ended"), RequestRefused("i", "because")):
        with pytest.raises(RequestRefused, match="because") as caught:
            decode_net_answer(InstanceFound, "i", encode_error(error))
        assert caught.value.refusal in ("ended", "refused")
    with pytest.raises(WaitTimeout):
        decode_net_answer(InstanceFound, "i", encode_error(WaitTimeout("i", "late")))


def test_an_answer_comes_back() -> None:
    found = InstanceFound(instance="i")
    assert decode_net_answer(InstanceFound, "i", encode_net_answer(found)) == found


@pytest.mark.parametrize(
    "message",
    [
        Pause(by="eva", why="w", request_id="r"),
        Resume(by="eva", why="w", request_id="r"),
        Cancel(by="eva", why="w", request_id="r"),
        RetryIncident(by="eva", why="w", request_id="r", incident=3),
        FailIncident(by="eva", why="w", request_id="r", incident=3),
        SkipIncident(by="eva", why="w", request_id="r", incident=3, outputs=(("", encode(1)),)),
    ],
)
def test_every_intervention_crosses_with_who_why_and_request_id(message: Intervention) -> None:
    request = to_request("i", message)
    assert (request.instance, request.by, request.why, request.request_id) == ("i", "eva", "w", "r")
    assert getattr(request, "incident", 3) == 3
    assert decode_net_request(encode_net_request(request)) == request


def test_an_intervention_without_a_request_id_gets_one_so_that_it_can_be_sent_again() -> None:
    ids = {to_request("i", Pause(by="eva")).request_id for _ in range(5)}
    assert len(ids) == 5


def test_outputs_cross_as_people_write_them() -> None:
    one = to_request("i", SkipIncident(by="eva", incident=1, outputs=(("", encode([1])),)))
    several = (("a", encode(1)), ("b", encode(2)), ("a", encode(3)))
    many = to_request("i", SkipIncident(by="eva", incident=1, outputs=several))
    assert isinstance(one, SkipRequest)
    assert isinstance(many, SkipRequest)
    assert (one.output, many.output) == ([1], {"a": [1, 3], "b": [2]})
