"""Every error of the product: it travels whole, says what happened and what to do, and has an exit code."""

import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator

import pytest

import placet
from placet.actors import errors as engine
from placet.actors.executors.portable import NotPortable
from placet.actors.given import WrongTokens
from placet.actors.lifecycle import IllegalMove
from placet.actors.own import errors as own
from placet.actors.phases import IllegalPhase
from placet.actors.shards import errors as shards
from placet.cli import errors as command
from placet.cli.output import NotWritten
from placet.cli.signals import Interrupted
from placet.net import coordinator_errors as agreed
from placet.net import errors as net
from placet.net.seal import SealBroken
from placet.nets.errors import NetError
from placet.persistence import copy_errors as copies
from placet.persistence import errors as store
from placet.petri import errors as petri
from placet.petri.errors import PlacetError
from placet.petri.graphviz import LayoutMissing
from placet.testing import errors as testing
from placet.traces.errors import TraceError

BASES: set[type[PlacetError]] = {
    petri.PlacetError,
    store.StoreError,
    engine.InstanceError,
    net.Declined,
    net.NetworkError,
}  # never raised themselves
ENDED, USAGE, INTERNAL, TIMED_OUT = 1, 2, 70, 124

EXAMPLES: dict[PlacetError, int] = {
    petri.DefinitionError("place `x` leads nowhere", "give it an arc", "workflow `w`", "w.py:3"): USAGE,
    petri.OutputError("pack", "returned nothing", "one value"): USAGE,
    petri.MapError("a map was given no list", "give it one"): USAGE,
    petri.WrongType("paid", "int", "a value of type str"): USAGE,
    LayoutMissing("no module"): USAGE,
    store.StoreFull(5, 4): USAGE,
    store.StoreFailed("Input/output error", path="state"): ENDED,
    store.StoreDamaged("history 5a does not match its checksum", "the newest backup is b.mdb", "state"): USAGE,
    store.StoreInUse("state", 17): USAGE,
    store.FormatTooNew("state", 9, 1): USAGE,
    store.FormatTooOld("state", 1, 9): USAGE,
    shards.WrongEpoch(17, 3, "moved with epoch 4"): USAGE,
    shards.ForeignShard(17, 3): USAGE,
    store.ValueTooLarge(5, 4): USAGE,
    store.StateUnusable("state", "it is a file, not a directory; choose another path"): USAGE,
    store.StateMissing("state"): USAGE,
    store.ValueNotEncodable("lock", "cannot pickle it"): USAGE,
    store.ValueNotLoadable("Order", "no module named shop"): USAGE,
    copies.CopyExists("one.export"): USAGE,
    copies.CopyFailed("one.export", "No space left on device", "make room"): ENDED,
    copies.BadCopy("one.export", "it is cut off"): USAGE,
    copies.StateOccupied("state"): USAGE,
    engine.no_instance("order-17"): USAGE,
    own.NotAnswered("c1", "c1 has an open incident; placet show c1 says which"): ENDED,
    own.StateTooNew("c1", 3, 2): USAGE,
    engine.SpawnConflict("order-17", "an instance order-17 exists with other inputs; use another id"): USAGE,
    engine.RequestRefused("order-17", "eva has decided it; nothing was done", "decided", "eva", 3.0): ENDED,
    engine.NotCompleted("order-17", "order-17 is stuck; placet show order-17 says where", "stuck"): ENDED,
    engine.WaitTimeout("order-17", "order-17: not within 3 s; it goes on"): TIMED_OUT,
    engine.Busy(5, 4): ENDED,
    engine.SentTooMuch(5, 4): USAGE,
    engine.ShardFull("order-9", 17, 1_024): USAGE,
    engine.EngineStopped("the runtime is closed; open it again"): ENDED,
    engine.WaitsForItself(): USAGE,
    engine.DeclaredPure(): USAGE,
    engine.HandlerReturned(): USAGE,
    engine.AttemptOver("it has had its time"): USAGE,
    engine.InvalidId("a/b", "'/' separates an instance from the actors in it"): USAGE,
    engine.UnknownWorkflow("orders"): USAGE,
    engine.BundleUnusable("orders", "it is damaged"): USAGE,
    engine.WorkflowTaken("orders", "2", "another one is there", "give it another name"): USAGE,
    engine.BadRequest("an id must be a text"): USAGE,
    engine.EngineSilent("state", 17, "no answer within 30 s"): ENDED,
    engine.OwnError("KeyError('x')"): INTERNAL,
    NotPortable("pack", "it holds a lock"): USAGE,
    WrongTokens("`x` is no place", "name one of a, b"): USAGE,
    IllegalMove("completed", "running"): USAGE,
    IllegalPhase("running", "offered"): USAGE,
    net.KeyUnusable("node.key", "others may read it", "chmod 600 it"): USAGE,
    net.BadAddress("nowhere", "it has no port", "write HOST:PORT"): USAGE,
    net.AddressTaken("127.0.0.1:1900"): USAGE,
    net.WrongKey("127.0.0.1:1900", "node.key"): USAGE,
    net.NodeUnreachable("127.0.0.1:1900", "connection refused"): ENDED,
    net.OtherVersion("127.0.0.1:1900", 1, 2): USAGE,
    net.NodeFailed("its engine ended 3 times within 60 s"): ENDED,
    net.TooLarge(5, 4): USAGE,
    net.NotAllowed("a client key sends no code", "connect with a deploy key"): USAGE,
    net.BundleMissing("orders"): USAGE,
    net.ShardsMissing({"c/0": [1, 2, 3]}): ENDED,
    net.NotPossible("no engine a/9 runs now", "name one that does"): USAGE,
    net.NotYet("this node has not found its cluster yet", "ask again"): USAGE,
    agreed.LeaseGone(7): USAGE,
    agreed.CoordinatorFailed("the store is full"): ENDED,
    agreed.CoordinatorClosed("Transact"): ENDED,
    agreed.BadRecord("shards/007", "it has format 9, this Placet reads up to 1", "upgrade Placet on this host"): USAGE,
    SealBroken("a frame is not of this connection"): USAGE,
    command.MachineLimit("this process may open no more files", "raise the limit (ulimit -n)"): ENDED,
    command.WrongUsage("quick needs tokens in start", "give them with --input JSON"): USAGE,
    command.BadFile("w.py", "invalid syntax", "mend it", 3): USAGE,
    command.BadJson("--input", "a comma is missing", 1, 13): USAGE,
    NotWritten("No space left on device"): ENDED,
    Interrupted(15): USAGE,
    NetError("it has no name", "give it one", "w.json", "$"): USAGE,
    TraceError("it has no tasks", "add one", "t.json", "$"): USAGE,
    testing.Violation("no token is lost", "token 7"): USAGE,
    testing.InsideHandler(): USAGE,
    testing.NotRehearsed("orders"): USAGE,
    testing.UnknownTransition("pack", ("ship",)): USAGE,
    testing.Restless(1000): USAGE,
}
"""One of each class as it is raised, and the exit code of a command that ends with it."""


def classes(base: type[PlacetError]) -> Iterator[type[PlacetError]]:
    for found in base.__subclasses__():
        yield found
        yield from classes(found)


def named(error: PlacetError) -> str:
    return type(error).__name__


def exampled(one: PlacetError | int) -> str:
    return type(one).__name__


def test_there_is_an_example_of_every_class() -> None:
    for module in pkgutil.walk_packages(placet.__path__, "placet."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    product = {found for found in classes(PlacetError) if found.__module__.partition(".")[0] == "placet"}
    assert product - BASES == {type(error) for error in EXAMPLES}


def test_every_code_belongs_to_one_class() -> None:
    owners: dict[str, type[PlacetError]] = {}
    for error in EXAMPLES:
        owner = owners.setdefault(error.code, type(error))
        assert issubclass(type(error), owner), f"{error.code} is that of {owner} too"
    assert set(command.EXIT_CODES) <= set(owners), "exit codes of errors that are no more"
    assert not {base.code for base in BASES} & set(owners), "a class without a code of its own"


@pytest.mark.parametrize("error", EXAMPLES, ids=named)
def test_an_error_travels_whole(error: PlacetError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (copy.args, vars(copy), str(copy)) == (error.args, vars(error), str(error))


@pytest.mark.parametrize("error", EXAMPLES, ids=named)
def test_what_an_error_is_made_of_are_its_fields(error: PlacetError) -> None:
    names = [] if not error.args else list(inspect.signature(type(error)).parameters)
    assert tuple(vars(error)[name] for name in names) == error.args


@pytest.mark.parametrize("error", EXAMPLES, ids=named)
def test_an_error_says_in_one_line_what_happened_and_what_to_do(error: PlacetError) -> None:
    happened, _, to_do = str(error).partition("; ")
    assert happened
    assert to_do
    assert str(error).isprintable()


@pytest.mark.parametrize(("error", "code"), EXAMPLES.items(), ids=exampled)
def test_the_command_line_knows_how_to_end(error: PlacetError, code: int) -> None:
    assert command.exit_code(error) == code
    face = command.error_face(error)
    assert (face["code"], face["message"]) == (error.code, str(error))
