"""Engines that are restored from a backup, by hand: what calls, channels and moves become."""

from placet.actors.copies.backup import as_copy
from placet.actors.effects import Start
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Call, Done, decode_delivery
from placet.actors.shards.records import Moved, Owned, Restored, Staged, read_owner
from placet.persistence.keys import shard_of
from placet.persistence.memory_store import MemoryStore
from placet.persistence.values import encode
from placet.petri.workflow import Workflow
from tests.actors.shards.flows import orders
from tests.actors.shards.group import Group, Member

CHILD = "one/ask.2"


def child() -> Workflow:
    workflow = Workflow("child")
    asked, answered = workflow.places("asked answered")
    workflow.transition(asked >> answered, "answer", delay_s=100.0)
    return workflow


def children() -> Workflow:
    """Return another version of `child`, which takes more."""
    workflow = Workflow("child", version="2")
    asked, by, answered = workflow.places("asked by answered")
    workflow.transition(asked >> answered, "answer", delay_s=100.0)
    workflow.transition(by >> answered, "note", run="inline")
    return workflow


def caller() -> Workflow:
    workflow = Workflow("caller")
    begun, done = workflow.places("begun done")
    workflow.call(begun >> done, "ask", "child")
    return workflow


def back_up(member: Member) -> MemoryStore:
    copy = member.store.snapshot()
    as_copy(copy)
    return copy


def restore(member: Member, backup: MemoryStore) -> None:
    """Let an engine go on with a backup, and the table say that this counts."""
    lost(member, backup)
    for other in member.group.members.values():
        other.hear()
    member.group.pump()
    for other in member.group.members.values():
        other.hear()
    member.group.pump()


def done(start: Start, value: int) -> Done:
    """Return what a handler says that has returned a value."""
    return Done(
        root=start.root,
        transition=start.transition.index,
        number=start.number,
        attempt=start.attempt,
        outputs=((0, encode(value)),),
    )


def lost(member: Member, backup: MemoryStore) -> None:
    """Let an engine start on a backup, of which nobody has heard yet."""
    member.store = backup
    member.start()


def called_across() -> Group:
    """Return engines of which a has the caller `one`, and b its child."""
    group = Group(caller(), child())
    group.move(shard_of(CHILD), "a", "b")
    group.pump()
    group.pass_time(3.0)
    group["a"].spawn(caller(), "one", {"begun": [1]})
    group.pump()
    assert group["b"].instance(CHILD) is not None
    return group


def test_a_call_said_again_finds_its_child_whatever_version_of_its_workflow_is_known_by_then() -> None:
    group = called_across()
    backup = back_up(group["a"])
    group.workflows = (caller(), children())
    group["b"].start()
    group["b"].hear()
    group.pump()
    restore(group["a"], backup)
    group.pass_time(150.0)
    one = group["a"].instance("one")
    assert one is not None
    assert one.header.state is InstanceState.COMPLETED


def test_a_copy_whose_owner_was_restored_before_the_table_knew_of_its_move_is_thrown_away() -> None:
    group = Group(caller(), child())
    shard = shard_of("one")
    group["a"].spawn(caller(), "one", {"begun": [1]})
    group.pump()
    backup = back_up(group["a"])
    group.is_up = False  # so that the table does not hear of the move
    group.move(shard, "a", "b")
    group.pump()
    group.pass_time(3.0)
    assert isinstance(read_owner(group["a"].store, shard), Moved)
    assert isinstance(read_owner(group["b"].store, shard), Staged)
    lost(group["a"], backup)
    group.is_up = True
    group["a"].hear()
    group["a"].run()
    group["a"].run()
    assert group.table[shard] == (2, "a")
    group["b"].hear()
    group.pump()
    group.pass_time(10.0)
    assert read_owner(group["b"].store, shard) is None
    group.move(shard, "a", "b", "again")
    group.pump()
    group.pass_time(3.0)
    assert read_owner(group["b"].store, shard) == Owned(epoch=3)


def asked_again(member: Member) -> list[list[str]]:
    """Return the callers that said calls again, batch by batch."""
    return [
        [parcel.sender for parcel in batch.parcels if isinstance(decode_delivery(parcel.message), Call)]
        for batch in member.batches
    ]


def test_shards_that_are_restored_one_after_the_other_are_heeded_together_by_those_who_call_there() -> None:
    group = Group(caller(), child())
    for number in range(6):
        group["a"].spawn(caller(), f"one-{number}", {"begun": [1]})
    group.pump()
    children = {shard_of(f"one-{number}/ask.2"): f"one-{number}" for number in range(6)}
    callers = {shard_of(instance) for instance in children.values()}
    assert len(children) == len(callers | children.keys()) - len(callers) == 6
    for shard in children:
        group.move(shard, "a", "b", f"m{shard}")
    group.pump()
    group.pass_time(5.0)
    before = len(group["a"].batches)
    *some, other = children  # which of them the table says that they were restored
    for shard in some:
        group.table[shard] = (3, "b")
        group.restored[shard] = (3, "r")
        group["a"].hear()
        group["a"].run()
    assert not any(asked_again(group["a"])[before:])
    group.pass_time(1.2)
    said = [found for found in asked_again(group["a"])[before:] if found]
    assert [sorted(found) for found in said] == [sorted(children[shard] for shard in some)]
    assert children[other] not in said[0]


def test_what_a_handler_returns_where_its_shard_was_counts_for_no_firing_of_a_restored_one() -> None:
    group = Group(orders)
    first, second = [name for name in map("order-{}".format, range(2_000)) if shard_of(name) == 7][:2]
    backup = back_up(group["a"])
    group.move(7, "a", "b", "there")
    group.pump()
    group.pass_time(3.0)
    group["b"].spawn(orders, first, {"received": [5]})
    (start,) = group["b"].started
    group.move(7, "b", "a", "back")
    group.pump()
    group.pass_time(3.0)
    assert group.table[7] == (3, "a")
    restore(group["a"], backup)
    group["a"].spawn(orders, second, {"received": [50]})
    (again,) = group["a"].started
    assert (again.root, again.number, again.attempt) == (start.root, start.number, start.attempt)
    group["b"].tell(done(start, 6))
    group.pump()
    group["a"].tell(done(again, 51))
    group.pump()
    found = group["a"].instance(second)
    assert found is not None
    assert found.marking["shipped"] == [encode(102)]


def test_a_backup_of_another_engine_is_not_opened_and_not_removed() -> None:
    group = Group(caller(), child())
    group["a"].spawn(caller(), "one", {"begun": [1]})
    group.pump()
    lost(group["b"], back_up(group["a"]))
    group["b"].hear()
    group.pump()
    group.pass_time(3.0)
    assert not group["b"].here
    assert isinstance(read_owner(group["b"].store, shard_of("one")), Restored)
    assert group["b"].instance("one") is not None
