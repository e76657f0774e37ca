"""A client's verbs against a node in another process: the same answers and errors as in the engine's own."""

import threading
from pathlib import Path

import pytest

import placet
from placet import (
    BadRequest,
    InstanceState,
    InvalidId,
    NotCompleted,
    NotFound,
    Outputs,
    Pause,
    RequestRefused,
    SkipIncident,
    SpawnConflict,
    UnknownWorkflow,
    ValueNotEncodable,
    WaitTimeout,
)
from placet.net.client import Client
from placet.net.errors import NodeUnreachable, TooLarge
from placet.net.node_client import MOST_REQUEST_BYTES
from placet.persistence.values import encode
from tests.endtoend.processes import PATIENCE_S
from tests.net.nodes import RunningNode, in_threads


def test_spawn_and_result(client: Client) -> None:
    value: object = {"text": "ä\u2028", "list": [1, 2.5, None, True], "deep": {"er": [[1]]}}
    instance = client.spawn("echo", {"given": [value]}, id="r-1")
    assert instance.result(PATIENCE_S) == {"got": [{"got": value}]}
    assert instance.state is InstanceState.COMPLETED
    assert repr(client.find("r-1")) == repr(client.instance("r-1")) == "RemoteInstance('r-1')"
    assert instance.marking() == {"got": [{"got": value}]}


def test_connect_is_part_of_the_face(node: RunningNode) -> None:
    with placet.connect(node.address, key_file=node.key_file, timeout_s=PATIENCE_S) as client:
        instance = client.spawn("echo", {"given": [1, 2]})
        assert instance.id.startswith("echo-")
        assert instance.result(PATIENCE_S) == {"got": [{"got": 1}, {"got": 2}]}


def test_a_result_of_any_type_comes_as_it_is(client: Client) -> None:
    strange = client.spawn("odd", {"plain": [1]}, id="odd-1").result(PATIENCE_S)["strange"]
    assert strange == [{("a", "tuple"): {1, 2}, "bytes": b"x"}]


def test_view_and_history_are_those_of_the_engine(client: Client, node: RunningNode) -> None:
    instance = client.spawn("echo", {"given": [5]}, id="v-1")
    instance.result(PATIENCE_S)
    view = instance.view()
    assert (view.header.instance, view.header.workflow, view.fired) == ("v-1", "echo", 1)
    assert view.marking == {"got": [encode({"got": 5})]}
    assert [record.kind for _, record in instance.history()] == ["spawned", "fired", "completed"]


def test_list_all_and_by_state(client: Client) -> None:
    client.spawn("echo", {"given": [1]}, id="l-1").result(PATIENCE_S)
    client.spawn("gated", {"first": ["l-2"]}, id="l-2")
    assert {"l-1", "l-2"} <= {one.instance for one in client.list()}
    completed = {one.instance: one for one in client.list("completed")}
    assert "l-1" in completed
    assert "l-2" not in completed
    assert completed["l-1"].workflow == "echo"


def test_the_same_id_is_the_same_instance_and_other_inputs_are_refused(client: Client) -> None:
    client.spawn("echo", {"given": [1]}, id="s-1")
    assert client.spawn("echo", {"given": [1]}, id="s-1").id == "s-1"
    with pytest.raises(SpawnConflict):
        client.spawn("echo", {"given": [2]}, id="s-1")


def test_interventions_have_their_receipts(client: Client) -> None:
    instance = client.spawn("gated", {"first": ["i-1"]}, id="i-1")
    receipt = instance.pause(by="eva", why="look")
    assert (receipt.instance, receipt.already) == ("i-1", False)
    assert instance.wait_until(["paused"], PATIENCE_S) is InstanceState.PAUSED
    assert instance.pause(by="eva").already
    assert client.tell("i-1", Pause(by="max")).already
    instance.resume(by="eva")
    instance.cancel(by="eva", why="enough", request_id="r")
    told = [record for _, record in instance.history() if isinstance(record.detail, dict) and "by" in record.detail]
    assert [record.kind for record in told] == ["paused", "resumed", "cancel_requested"]
    assert told[0].detail == {"by": "eva", "why": "look"}


def test_an_incident_is_an_error_and_can_be_skipped_retried_or_failed(client: Client) -> None:
    instances = [client.spawn("broken", {"whole": [n]}, id=f"b-{n}") for n in range(4)]
    for instance in instances:
        with pytest.raises(NotCompleted, match="no way") as caught:
            instance.result(PATIENCE_S)
        assert caught.value.state == "incident"
    numbers = [instance.view().incidents[0].number for instance in instances]
    instances[0].skip(numbers[0], {"any": 1}, by="eva")
    assert instances[0].result(PATIENCE_S) == {"mended": [{"any": 1}]}
    instances[1].skip(numbers[1], Outputs({"mended": [[7]]}), by="eva")
    assert instances[1].result(PATIENCE_S) == {"mended": [[7]]}
    instances[2].retry(numbers[2], by="eva")
    assert instances[2].wait_until("incident", PATIENCE_S) is InstanceState.INCIDENT
    instances[3].fail(numbers[3], by="eva")
    assert instances[3].wait_until("failed", PATIENCE_S) is InstanceState.FAILED
    with pytest.raises(RequestRefused):
        instances[3].pause(by="eva")


def test_a_skip_with_values_that_are_not_plain_is_refused_here(client: Client) -> None:
    message = SkipIncident(incident=1, outputs=(("", encode({1, 2})),), by="eva")
    with pytest.raises(ValueNotEncodable):
        client.tell("b-9", message)


def test_errors_are_those_of_the_runtime(client: Client) -> None:
    for missing in (client.find, client.instance):
        with pytest.raises(NotFound) as caught:
            missing("nobody")
        assert caught.value.instance == "nobody"
    client.spawn("echo", {"given": [1]}, id="e-1")
    with pytest.raises(NotFound, match="no place or composite 'nowhere'"):
        client.find("e-1/nowhere")
    assert repr(client.find("e-1/got")) == "RemoteActorHandle('e-1/got')"
    with pytest.raises(UnknownWorkflow) as unknown:
        client.spawn("none", {})
    assert unknown.value.workflow == "none"
    with pytest.raises(NotFound, match="has no entry place 'got'"):
        client.spawn("echo", {"got": [1]}, id="e-2")
    with pytest.raises(InvalidId):
        client.spawn("echo", {"given": [1]}, id="a/b")
    with pytest.raises(BadRequest):
        client.list("sideways")
    with pytest.raises(ValueError, match="needs `by`"):
        client.tell("e-1", Pause(by=""))
    with pytest.raises(TypeError, match="must be a list"):
        client.spawn("echo", {"given": "text"})
    ended = client.instance("e-1")
    ended.result(PATIENCE_S)
    with pytest.raises(RequestRefused, match="completed"):
        ended.pause(by="eva")
    with pytest.raises(NotFound):
        client.tell("nobody", Pause(by="eva"))


@pytest.mark.parametrize("value", [(1, 2), {1, 2}, b"x", {1: 2}, float("nan"), Path("x"), [{"deep": (1,)}], object()])
def test_values_that_json_would_change_are_refused_before_they_are_sent(client: Client, value: object) -> None:
    with pytest.raises(ValueNotEncodable):
        client.spawn("echo", {"given": [value]}, id="never")
    with pytest.raises(NotFound):
        client.find("never")


def test_a_request_that_is_too_large_is_refused_before_it_is_sent(client: Client) -> None:
    with pytest.raises(TooLarge):
        client.spawn("echo", {"given": ["x" * (MOST_REQUEST_BYTES + 1)]})


def test_values_of_megabytes_come_back(client: Client) -> None:
    text = "x" * (8 << 20)
    assert client.spawn("echo", {"given": [text]}, id="m-1").result(PATIENCE_S) == {"got": [{"got": text}]}


def test_an_answer_that_is_too_large_says_so_and_the_node_goes_on(client: Client) -> None:
    instance = client.spawn("large", {"size": [60 << 20]}, id="m-2")
    with pytest.raises(TooLarge, match="look on the node's host"):
        instance.result(PATIENCE_S)
    assert instance.state is InstanceState.COMPLETED
    assert client.spawn("echo", {"given": [1]}, id="m-3").result(PATIENCE_S) == {"got": [{"got": 1}]}


def test_a_wait_that_is_over_says_what_is_known(client: Client) -> None:
    instance = client.spawn("gated", {"first": ["w-1"]}, id="w-1")
    with pytest.raises(WaitTimeout, match=r"w-1 was not seen so far within 0\.2 s; it goes on"):
        instance.result(0.2)
    assert instance.state is InstanceState.RUNNING


def test_sixteen_threads_of_one_client_get_their_own_answers(client: Client) -> None:
    def ask(number: int) -> None:
        for turn in range(25):
            id = f"t-{number}-{turn}"
            assert client.spawn("echo", {"given": [id]}, id=id).result(PATIENCE_S) == {"got": [{"got": id}]}

    in_threads(16, ask)


def test_a_client_that_is_closed_refuses_and_lets_those_go_who_wait(node: RunningNode) -> None:
    client = node.connect()
    instance = client.spawn("gated", {"first": ["c-1"]}, id="c-1")
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            instance.result(PATIENCE_S)
        except NodeUnreachable as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    client.close()
    thread.join(PATIENCE_S)
    assert len(errors) == 1
    client.close()
    with pytest.raises(NodeUnreachable, match="closed"):
        client.find("c-1")


def test_clients_that_come_and_go_leave_nothing_behind(node: RunningNode) -> None:
    engine = node.engine()

    def come_and_go() -> None:
        with node.connect() as client:
            client.spawn("echo", {"given": [1]}, id="g-1").result(PATIENCE_S)

    come_and_go()
    threads = threading.active_count()
    for _ in range(20):
        come_and_go()
    assert threading.active_count() == threads
    with node.connect() as client:  # what the last one left is seen to by now
        client.find("g-1")
        assert engine.num_fds() < 100
