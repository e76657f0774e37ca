"""What people say to tasks crosses the network as JSON and means the same at the other end."""

import enum

import pytest

from placet import (
    Approve,
    BadRequest,
    Claim,
    Complete,
    DropToken,
    FreezeToken,
    MoveToken,
    Outputs,
    Pause,
    Reject,
    SkipIncident,
    ThawToken,
    Unclaim,
)
from placet.actors.addressee import Addressee
from placet.actors.control.request import decode_request
from placet.actors.control.tasks import AboutTask, to_task_request
from placet.actors.control.tokens import AboutTokens, to_token_message
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Decide, EditToken, Inject, Put
from placet.actors.reader import StateReader
from placet.actors.records import Header
from placet.actors.task_request import TaskRequests
from placet.net.given import put_together, with_values
from placet.net.request import (
    AskRequest,
    GivenRequest,
    NetRequest,
    SpawnRequest,
    decode_net_request,
    encode_net_request,
)
from placet.net.telling import to_request
from placet.persistence.memory_store import MemoryStore
from placet.persistence.values import encode
from placet.petri.plan import make_plan
from placet.petri.workflow import Workflow


class Level(enum.StrEnum):
    """A text, and more than that."""

    HIGH = "high"


def addressee() -> Addressee:
    workflow = Workflow("w")
    start, left, right = workflow.places("start left right")
    workflow.task(start >> (left & right), "boss")
    header = Header("i", "w", "", b"", 1, b"", InstanceState.WAITING, 0.0)
    return Addressee(header=header, plan=make_plan(workflow.definition().net, {}), types={})


@pytest.mark.parametrize(
    "said",
    [
        Approve("i/boss.4", by="eva", why="fine", roles=("boss",), request_id="r"),
        Approve("i/boss.4", by="eva", value=None, request_id="r"),
        Reject("i/boss.4", by="eva", value={"left": 1}, request_id="r"),
        Complete("i/boss.4", by="eva", request_id="r"),
        Complete("i/boss.4", by="eva", outputs=[1], request_id="r"),
        Complete("i/boss.4", by="eva", outputs={"a": 1}, output="left", request_id="r"),
        Claim("i/boss.4", by="eva", roles=("boss",), request_id="r"),
        Unclaim("i/boss.4", by="eva", request_id="r"),
    ],
)
def test_what_is_said_to_a_task_comes_out_as_it_went_in(said: TaskRequests) -> None:
    received = decode_request(encode_net_request(to_request("i", said)))
    assert isinstance(received, AboutTask)
    assert to_task_request(received, addressee()) == said


def test_outputs_by_place_are_still_by_place() -> None:
    said = Complete("i/boss.4", by="eva", outputs=Outputs({"left": [1], "right": [2]}))
    received = decode_request(encode_net_request(to_request("i", said)))
    assert isinstance(received, AboutTask)
    made = to_task_request(received, addressee())
    assert isinstance(made, Complete)
    assert isinstance(made.outputs, Outputs)
    assert made.outputs.by_place == {"left": [1], "right": [2]}


@pytest.mark.parametrize("value", [(1, 2), {1}, b"x", {1: 2}, [{"deep": (1,)}], Level.HIGH, 2**70, float("inf")])
def test_a_value_that_json_would_change_goes_beside_its_request(value: object) -> None:
    several: list[NetRequest] = [
        to_request("i", Approve("i/boss.4", by="eva", value=value, request_id="r")),
        to_request("i", Complete("i/boss.4", by="eva", outputs=Outputs({"left": [value]}), request_id="r")),
        to_request("i", Put(place="left", value=encode(value), by="eva", request_id="r")),
        to_request("i", EditToken(token=4, value=encode(value), by="eva", request_id="r")),
        to_request("i", SkipIncident(incident=4, outputs=(("", encode(value)),), by="eva", request_id="r")),
        SpawnRequest(instance="i", workflow="w", tokens={"p": [value]}),
        AskRequest(instance="i", message=value, request="r"),
    ]
    for request in several:
        crossing = decode_net_request(encode_net_request(with_values(request, are_whole=False)))
        assert isinstance(crossing, GivenRequest), request
        assert crossing.instance == "i"
        assert put_together(crossing) == request


def test_a_plain_value_goes_as_it_is() -> None:
    values: list[object] = [None, True, 1, 2.5, "text", [1, {"a": [2]}], {"a": None}]
    for value in values:
        request = to_request("i", Approve("i/boss.4", by="eva", value=value, request_id="r"))
        assert with_values(request, are_whole=False) is request
    bare = to_request("i", Approve("i/boss.4", by="eva", request_id="r"))
    assert with_values(bare, are_whole=False) is bare


def test_the_target_of_a_pause_goes_along() -> None:
    received = decode_request(encode_net_request(to_request("i", Pause(by="eva", target="#urgent"))))
    assert getattr(received, "target", "") == "#urgent"


@pytest.mark.parametrize(
    "message",
    [
        MoveToken(token=4, place="left", by="eva", why="wrong way", request_id="r"),
        DropToken(token=4, by="eva", request_id="r"),
        FreezeToken(token=4, by="eva", request_id="r"),
        ThawToken(token=4, by="eva", request_id="r"),
    ],
)
def test_what_is_done_to_a_token_comes_out_as_it_went_in(
    message: MoveToken | DropToken | FreezeToken | ThawToken,
) -> None:
    received = decode_request(encode_net_request(to_request("i", message)))
    assert isinstance(received, AboutTokens)
    assert to_token_message(received, addressee(), StateReader(MemoryStore())) == message


@pytest.mark.parametrize("kind", [Put, Inject])
def test_a_given_value_comes_out_as_it_went_in(kind: type[Put | Inject]) -> None:
    message = kind(place="left", value=encode({"total": [1, 2.5, None]}), by="eva", why="late", request_id="r")
    received = decode_request(encode_net_request(to_request("i", message)))
    assert isinstance(received, AboutTokens)
    assert to_token_message(received, addressee(), StateReader(MemoryStore())) == message


def test_what_has_no_id_gets_one_so_that_it_may_be_sent_again() -> None:
    first, second = (to_request("i", DropToken(token=4, by="eva")).request_id for _ in range(2))
    assert first
    assert first != second


def test_what_is_nothing_to_tell_is_refused() -> None:
    with pytest.raises(BadRequest, match="a Decide is nothing to tell; use a message such as `Pause`, or a method"):
        to_request("i", Decide(task=4, by="eva"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - as a user may
