"""Workflows that clients bring along: sent once, run on every engine, kept over restarts, and at times refused."""

import pickle
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from placet import NotAllowed, UnknownWorkflow, ValueNotEncodable, Workflow, WorkflowTaken, WrongType
from placet.actors.bundle import bundled, encode_bundle
from placet.actors.loading import load_file
from placet.net.answer import Deployed
from placet.net.client import Client, connect, node_of
from placet.net.gathering import ask_running
from placet.net.keyring import KeyKind
from placet.net.request import DeployRequest, GivenRequest
from placet.net.twins import blocked
from tests.endtoend.processes import PATIENCE_S, finished
from tests.net.nodes import RunningNode, running
from tests.net.programs import script
from tests.project.sources import ROOT


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningNode]:
    with running(tmp_path_factory.mktemp("node"), "--engines", "2") as started:
        yield started


def connected(node: RunningNode, kind: KeyKind) -> Client:
    return connect(node.address, key_file=node.key_of(kind), timeout_s=PATIENCE_S)


@pytest.fixture(scope="module")
def deployer(node: RunningNode) -> Generator[Client]:
    with connected(node, KeyKind.DEPLOY) as client:
        yield client


@pytest.fixture(scope="module")
def plain_client(node: RunningNode) -> Generator[Client]:
    with connected(node, KeyKind.CLIENT) as client:
        yield client


def run(text: str, folder: Path, *arguments: object) -> tuple[int, str, str]:
    folder.mkdir(exist_ok=True)
    (folder / "shop.py").write_text(text, encoding="utf-8")
    return finished(["shop.py", *map(str, arguments)], cwd=folder)


def kept(node: RunningNode) -> list[list[str]]:
    """Return the names of the bundles that each engine keeps."""
    return [
        sorted(one.name for one in (node.folder / "state" / f"engine-{engine}" / "bundles").iterdir())
        for engine in (0, 1)
    ]


def test_a_script_runs_embedded_and_on_a_node_unchanged(node: RunningNode, tmp_path: Path) -> None:
    key_file = node.key_of(KeyKind.DEPLOY)
    assert run(script(), tmp_path / "here", tmp_path / "state") == (0, "30\n", "")
    for number in range(4):  # other ids, other engines; other processes, the same classes
        text = script(id=f"o-{number}")
        assert run(text, tmp_path / "there", node.address, key_file) == (0, "30\n", "")
    one, two = kept(node)
    assert one == two
    assert len(one) == 1


def test_the_example_says_the_same_here_and_there(node: RunningNode, tmp_path: Path) -> None:
    example = str(ROOT / "examples" / "greenhouse.py")
    here = finished([example, str(tmp_path / "state")], cwd=tmp_path)
    there = [finished([example, node.address, str(node.key_of(KeyKind.DEPLOY))], cwd=tmp_path) for _ in range(2)]
    assert here[0] == 0, here
    assert there == [here, here]
    assert "cacti: 0.5 l" in here[1]


def test_what_has_changed_needs_another_version(node: RunningNode, tmp_path: Path) -> None:
    key_file = node.key_of(KeyKind.DEPLOY)
    assert run(script(version="5", id="v-0"), tmp_path / "0", node.address, key_file)[1] == "30\n"
    code, _, err = run(script(version="5", factor=11, id="v-1"), tmp_path / "1", node.address, key_file)
    assert code == 1
    assert "is not what the node runs: another one of that version is there" in err
    assert run(script(version="6", factor=11, id="v-1"), tmp_path / "2", node.address, key_file)[1] == "33\n"
    code, _, err = run(script(version="5", id="v-2"), tmp_path / "0", node.address, key_file)
    assert code == 1
    assert re.search(r"version 6\+\w+ has taken its place", err)
    moved = "\n# a remark\n\n" + script(version="6", factor=11, id="v-3")
    assert run(moved, tmp_path / "elsewhere", node.address, key_file)[1] == "33\n"


def doubled(value: int) -> int:
    return value * 2


def doubling(name: str, version: str = "1") -> Workflow:
    workflow = Workflow(name, version)
    start, done = workflow.places("start done")
    workflow.transition(start >> done, "double", handler=doubled)
    return workflow


async def tripled(value: int) -> int:
    return value * 3


def test_executors_are_made_for_what_comes_while_the_engine_runs(deployer: Client) -> None:
    workflow = Workflow("later")
    start, half, done = workflow.places("start half done")
    workflow.transition(start >> half, "triple", handler=tripled)
    workflow.transition(half >> done, "double", handler=doubled, run="process")
    assert deployer.spawn(workflow, {"start": [7]}).result(PATIENCE_S) == {"done": [42]}


def test_a_workflow_brings_those_it_calls(deployer: Client) -> None:
    inner = doubling("inner-of-caller")
    caller = Workflow("caller")
    asked, told = caller.places("asked told")
    caller.call(asked >> told, "ask", inner)
    for number in range(6):  # children on either engine
        assert deployer.spawn(caller, {"asked": [number]}, id=f"call-{number}").result(PATIENCE_S) == {
            "told": [number * 2]
        }
    assert deployer.spawn(inner, {"start": [4]}).result(PATIENCE_S) == {"done": [8]}


def test_a_client_key_sends_no_code(plain_client: Client) -> None:
    with pytest.raises(NotAllowed, match="no node has workflow unheard-of, and a client key sends no code"):
        plain_client.spawn(doubling("unheard-of"), {"start": [1]})
    with pytest.raises(UnknownWorkflow):
        plain_client.spawn("unheard-of", {"start": [1]})
    request = DeployRequest(bundle=encode_bundle(bundled(doubling("unheard-of").definition())))
    with pytest.raises(NotAllowed, match="deploy key"):
        blocked(ask_running(node_of(plain_client), request, Deployed, PATIENCE_S))


def test_a_client_key_sends_plain_values(plain_client: Client) -> None:
    assert plain_client.spawn("echo", {"given": [{"n": 1}]}).result(PATIENCE_S) == {"got": [{"got": {"n": 1}}]}
    for value in ((1, 2), {1}, b"x", Path("x")):
        with pytest.raises(ValueNotEncodable):
            plain_client.spawn("echo", {"given": [value]})


class Bomb:
    """Leaves a mark where it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def test_nothing_from_a_client_key_is_loaded(plain_client: Client, deployer: Client, tmp_path: Path) -> None:
    spawn = b'{"do":"spawn","instance":"bomb","workflow":"echo","tokens":{}}'

    def given(client: Client, mark: Path) -> None:
        value = pickle.dumps({"given": [Bomb(mark)]}, 5)
        request = GivenRequest(instance="bomb", request=msgspec.Raw(spawn), value=value)
        blocked(node_of(client).ask(request, object, "bomb", PATIENCE_S))

    with pytest.raises(NotAllowed):
        given(plain_client, tmp_path / "client")
    given(deployer, tmp_path / "deploy")
    assert not (tmp_path / "client").exists()
    assert (tmp_path / "deploy").exists(), "it would have gone off"


@dataclass(frozen=True)
class Weight:
    """A value that is not plain."""

    grams: int


def added(given: Weight, put: Weight) -> Weight:
    return Weight(given.grams + put.grams)


def test_a_deploy_key_sends_any_value(deployer: Client) -> None:
    value = {("a", 1): {2, 3}, "raw": b"x"}
    assert deployer.spawn("echo", {"given": [value]}).result(PATIENCE_S) == {"got": [{"got": value}]}
    workflow = Workflow("weighing")
    put, given, weighed = (
        workflow.place("put", external=True),
        workflow.place("given", entry=True),
        workflow.place("weighed"),
    )
    workflow.transition((given & put) >> weighed, "weigh", handler=added)
    instance = deployer.spawn(workflow, {"given": [Weight(1)]})
    instance.put("put", Weight(2))
    assert instance.result(PATIENCE_S) == {"weighed": [Weight(3)]}


def test_a_value_of_another_type_is_refused(deployer: Client, tmp_path: Path) -> None:
    workflow = Workflow("typed")
    given = workflow.place("given", type=Weight, entry=True)
    workflow.transition(given >> workflow.place("got"), "get")
    with pytest.raises(WrongType):
        deployer.spawn(workflow, {"given": ["heavy"]})
    assert deployer.spawn(workflow, {"given": [Weight(3)]}).result(PATIENCE_S) == {"got": [Weight(3)]}


def test_what_a_file_of_the_node_has_is_not_sent(node: RunningNode, deployer: Client) -> None:
    before = kept(node)
    with pytest.raises(WorkflowTaken, match="a file of the node says what it is; give it another name"):
        deployer.spawn(doubling("echo"), {"start": [1]})
    assert kept(node) == before


def test_the_same_file_at_both_ends_is_known(node: RunningNode, deployer: Client) -> None:
    before = kept(node)
    flows = load_file(node.folder / "flows.py")
    assert deployer.spawn(flows.echo, {"given": [1]}).result(PATIENCE_S) == {"got": [{"got": 1}]}
    assert deployer.spawn(flows.outer, {"ordered": []}, id="same-file").id == "same-file"
    assert kept(node) == before


def test_bundles_survive_the_engine(tmp_path: Path) -> None:
    workflow = doubling("lasting")
    with running(tmp_path) as node, connected(node, KeyKind.DEPLOY) as client:
        client.spawn(workflow, {"start": [1]}, id="one").result(PATIENCE_S)
        engine = node.engine()
        engine.kill()
        node.next_engine(engine)
        assert client.spawn("lasting", {"start": [2]}, id="two").result(PATIENCE_S) == {"done": [4]}
        engine = node.engine()
        for file in (tmp_path / "state" / "engine-0" / "bundles").iterdir():
            file.unlink()
        engine.kill()
        node.next_engine(engine)
        assert client.spawn(workflow, {"start": [3]}, id="three").result(PATIENCE_S) == {"done": [6]}
