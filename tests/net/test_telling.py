"""What people say to tasks crosses the network as JSON and means the same at the other end."""

import pytest

from placet import Approve, Claim, Complete, Outputs, Pause, Reject, Unclaim, ValueNotEncodable
from placet.actors.addressee import Addressee
from placet.actors.control.request import decode_request
from placet.actors.control.tasks import AboutTask, to_task_request
from placet.actors.lifecycle import InstanceState
from placet.actors.records import Header
from placet.actors.task_request import TaskRequests
from placet.net.request import encode_net_request
from placet.net.telling import to_request
from placet.petri.plan import make_plan
from placet.petri.workflow import Workflow


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


def test_a_value_that_json_would_change_is_refused() -> None:
    with pytest.raises(ValueNotEncodable):
        to_request("i", Approve("i/boss.4", by="eva", value=(1, 2)))


def test_the_target_of_a_pause_goes_along() -> None:
    received = decode_request(encode_net_request(to_request("i", Pause(by="eva", target="#urgent"))))
    assert getattr(received, "target", "") == "#urgent"
