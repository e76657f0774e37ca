"""What an engine's desk lets in, by the kind of key it comes with; and what it says of it, each in one line of JSON."""

import json
import pickle
from collections.abc import Callable, Generator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import pytest

from placet import Actor, Runtime, Workflow
from placet.actors.bundle import bundled, encode_bundle
from placet.actors.control.request import ImportRequest
from placet.actors.control.tokens import ImportPlaceRequest
from placet.net.desk import NetDesk
from placet.net.keyring import KeyKind
from placet.net.request import (
    AskRequest,
    DeployRequest,
    GivenRequest,
    ImportCopyRequest,
    NetRequest,
    ShowRequest,
    SpawnRequest,
    encode_net_request,
)
from tests.endtoend.processes import PATIENCE_S

Face = dict[str, Any]  # JSON of an answer, looked into by assertions
Ask = Callable[[NetRequest, KeyKind], Face]


class Mark:
    """Leaves a mark where it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


class Echo(Actor[str]):
    """Answers with what it is told."""

    def receive(self, message: str) -> object:
        """Answer."""
        return message


def flow(name: str) -> Workflow:
    workflow = Workflow(name)
    start, done = workflow.places("start done")
    workflow.transition(start >> done, "move")
    return workflow


@pytest.fixture
def ask(tmp_path: Path) -> Generator[Ask]:
    """Ask the desk of an engine in this process."""
    with Runtime(tmp_path / "state", [flow("known"), Echo]) as runtime:
        desk = NetDesk(runtime, lambda instance: instance != "elsewhere", frozenset[tuple[int, int]])

        def asked(request: NetRequest, kind: KeyKind) -> Face:
            replies: SimpleQueue[bytes | None] = SimpleQueue()
            desk.take(encode_net_request(request), replies.put, kind)
            line = replies.get(timeout=PATIENCE_S)
            face: Face = {"elsewhere": True} if line is None else json.loads(line)
            return face

        yield asked
        desk.close()


def given(mark: Path, instance: str = "g-1") -> GivenRequest:
    spawn = encode_net_request(SpawnRequest(instance="g-1", workflow="known"))
    return GivenRequest(instance=instance, request=msgspec.Raw(spawn), value=pickle.dumps({"start": [Mark(mark)]}, 5))


def test_code_needs_a_key_for_it(ask: Ask, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code: list[NetRequest] = [
        given(mark),
        DeployRequest(bundle=encode_bundle(bundled(flow("sent").definition()))),
        ImportCopyRequest(instance="i", data=b"x", by="eva"),
        ImportPlaceRequest(instance="i", data=b"x", by="eva"),
    ]
    for request in code:
        error = ask(request, KeyKind.CLIENT)["error"]
        assert error["code"] == "not_allowed", request
    assert not mark.exists()
    assert ask(SpawnRequest(instance="s-1", workflow="sent", tokens={"start": [1]}), KeyKind.CLIENT)["error"]
    for kind in (KeyKind.DEPLOY, KeyKind.CLUSTER):
        assert "error" not in ask(code[1], kind)
    assert ask(code[2], KeyKind.DEPLOY)["error"]["code"] == "bad_copy"
    assert ask(SpawnRequest(instance="i", workflow="sent", tokens={"start": [1]}), KeyKind.DEPLOY)["instance"] == "i"
    assert ask(code[3], KeyKind.DEPLOY)["error"]["code"] == "bad_copy"
    assert ask(SpawnRequest(instance="s-1", workflow="sent", tokens={"start": [1]}), KeyKind.CLIENT) == {
        "instance": "s-1",
        "path": "",
    }


def test_a_file_of_the_engines_host_is_for_nobody(ask: Ask) -> None:
    for kind in KeyKind:
        for request in (ImportRequest, ImportPlaceRequest):
            refused = ask(request(file="/etc/passwd", instance="i", by="eva"), kind)["error"]
            assert refused["code"] == "not_allowed"


def test_values_come_beside_what_takes_values_and_is_about_the_same_instance(ask: Ask, tmp_path: Path) -> None:
    other = given(tmp_path / "mark", "another")
    assert ask(other, KeyKind.DEPLOY)["error"]["code"] == "bad_request"
    show = encode_net_request(ShowRequest(instance="g-1"))
    wrong = msgspec.structs.replace(given(tmp_path / "mark"), request=msgspec.Raw(show))
    assert ask(wrong, KeyKind.DEPLOY)["error"]["code"] == "bad_request"
    assert not (tmp_path / "mark").exists(), "nothing is loaded before that is known"
    nested = msgspec.structs.replace(
        given(tmp_path / "mark"), request=msgspec.Raw(encode_net_request(given(tmp_path / "mark")))
    )
    assert ask(nested, KeyKind.DEPLOY)["error"]["code"] == "bad_request"


def test_values_that_cannot_be_loaded_are_said(ask: Ask, tmp_path: Path) -> None:
    broken = msgspec.structs.replace(given(tmp_path / "mark"), value=b"\x80\x05cut")
    assert ask(broken, KeyKind.DEPLOY)["error"]["code"] == "value_not_loadable"


def test_what_is_about_anothers_instance_is_not_looked_at(ask: Ask, tmp_path: Path) -> None:
    assert ask(given(tmp_path / "mark", "elsewhere"), KeyKind.DEPLOY) == {"elsewhere": True}
    assert not (tmp_path / "mark").exists()
    assert ask(given(tmp_path / "mark", "elsewhere"), KeyKind.CLIENT)["error"]["code"] == "not_allowed"


def test_an_actor_is_asked_plainly_with_a_client_key(ask: Ask) -> None:
    spawn = SpawnRequest(instance="a-1", workflow="Echo", tokens={"born": [{}]})
    assert "error" not in ask(spawn, KeyKind.CLIENT)
    assert ask(AskRequest(instance="a-1", message="hello", request="r"), KeyKind.CLIENT)["id"] == "a-1"
