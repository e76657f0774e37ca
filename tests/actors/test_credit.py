"""What waits for engines that are slow or away stays bounded, and holds up nobody but who has to wait for it."""

import pickle

import pytest

from placet import Busy, Context, Near, Put, Spread, Workflow
from placet.actors.effects import Batch, Start
from placet.actors.errors import ShardFull
from placet.actors.executors.in_place import answered_in_place
from placet.actors.executors.perform import errand_of, perform
from placet.actors.lifecycle import InstanceState
from placet.actors.messages import Acknowledged, Call, Cancel, Parcel, decode_delivery, encode_message
from placet.actors.notes import Notes
from placet.actors.outbox import PORTION, WINDOW, Outbox
from placet.actors.reader import StateReader
from placet.actors.records import Failure, Phase
from placet.actors.report import explain
from placet.persistence.keys import CHANNEL, LIVE, address_key, shard_of, split_channel
from placet.petri.placement import Placement
from placet.testing.image import read_image
from tests.actors.driver import failed
from tests.actors.shards.group import Group, Letter, cancel

FAR = "far"
child = Workflow("child")
child.transition(child.place("start") >> child.place("end"), "step", run="inline")


def calling(placement: Placement) -> Workflow:
    workflow = Workflow("calling")
    workflow.call(workflow.place("given") >> workflow.place("done"), "far", child, placement=placement)
    return workflow


def telling() -> Workflow:
    workflow = Workflow("telling")

    @workflow.transition(workflow.place("given") >> workflow.place("done"))
    def tell(value: int, context: Context) -> int:
        context.tell(FAR, Put("start", value))
        return value

    return workflow


def apart(*workflows: Workflow, limit: int = 2) -> Group:
    """Return two engines: all is in `a` but the shard of `FAR`, which is in `b`; each has windows of `limit`."""
    group = Group(*workflows, child)
    group.move(shard_of(FAR), "a", "b")
    group.pump()
    assert group["b"].here == {shard_of(FAR)}
    for member in group.members.values():
        member.kernel.credit.limit = limit
    return group


def is_parcel(letter: Letter) -> bool:
    return isinstance(letter, Parcel)


def is_acknowledgement(letter: Letter) -> bool:
    return isinstance(letter, Acknowledged)


def nothing(_letter: Letter) -> bool:
    return False


def waiting(group: Group, engine: str = "a") -> list[int]:
    """Return the numbers of the parcels that an engine has on disk."""
    keys = [split_channel(key)[1] for key, _ in group[engine].store.scan(CHANNEL)]
    return [number for number in keys if number]


def states(group: Group, *instances: str) -> list[str]:
    found = [group.owner(one).instance(one) for one in instances]
    return [one.header.state.value for one in found if one is not None]


def names(count: int) -> list[str]:
    """Return ids of instances that live in `a`."""
    return [one for one in (f"c{number}" for number in range(2 * count)) if shard_of(one) != shard_of(FAR)][:count]


def test_calls_to_a_full_shard_wait_with_the_reason_and_go_on_when_there_is_room() -> None:
    workflow = calling(Near(FAR))
    group = apart(workflow)
    group.loses = is_parcel
    for name in names(5):
        group["a"].spawn(workflow, name, {"given": [1]})
    group.pump()
    assert states(group, *names(5)) == ["running", "running", "waiting", "waiting", "waiting"]
    assert len(waiting(group)) == 2
    told = explain(StateReader(group["a"].store), names(3)[2])
    assert told.startswith(f"{names(3)[2]} is waiting: shard {shard_of(FAR)} takes no more for now")
    group.loses = nothing
    group["a"].kernel.send_again()
    group.pump()
    assert states(group, *names(5)) == ["completed"] * 5


def test_only_as_many_go_on_as_there_is_room_for_in_the_order_in_which_they_came() -> None:
    workflow = calling(Near(FAR))
    group = apart(workflow)
    group.loses = is_parcel
    for name in names(6):
        group["a"].spawn(workflow, name, {"given": [1]})
    group["a"].kernel.receive(Acknowledged(channel=(shard_of(names(1)[0]), shard_of(FAR)), number=1))
    batch = group["a"].run()
    assert batch.turns == 1
    assert states(group, *names(6)) == ["running", "running", "running", "waiting", "waiting", "waiting"]


def test_one_instance_calls_no_more_in_a_turn_than_there_is_room_for() -> None:
    workflow = calling(Near(FAR))
    group = apart(workflow, limit=3)
    group.loses = is_parcel
    group["a"].spawn(workflow, names(1)[0], {"given": list(range(20))})
    group.pump()
    assert len(waiting(group)) == 3
    group.loses = nothing
    group["a"].kernel.send_again()
    group.pump()
    assert states(group, names(1)[0]) == ["completed"]


def test_children_that_may_live_anywhere_go_past_a_shard_that_is_full() -> None:
    workflow = calling(Spread())
    group = apart(workflow, limit=0)
    group["a"].spawn(workflow, names(1)[0], {"given": list(range(2_000))})
    group.pump(steps=4_000)
    assert states(group, names(1)[0]) == ["completed"]
    assert not [parcel for batch in group["a"].batches for parcel in batch.parcels]


def test_a_full_shard_holds_up_no_other_call_of_the_same_instance() -> None:
    workflow = calling(Near(FAR))
    workflow.call(workflow.place("also") >> workflow.place("here"), "near", child, placement=Near())
    group = apart(workflow, limit=0)
    group["a"].spawn(workflow, names(1)[0], {"given": [1], "also": [2]})
    group.pump()
    view = group["a"].instance(names(1)[0])
    assert view is not None
    assert [place for place, tokens in view.marking.items() if tokens] == ["given", "here"]
    assert view.header.state is InstanceState.WAITING


def test_returns_and_cancellations_go_whatever_is_full() -> None:
    workflow = calling(Near(FAR))
    group = apart(workflow, limit=1)
    group["b"].kernel.credit.limit = 0
    first, second = names(2)
    group["a"].spawn(workflow, first, {"given": [1]})
    group.pump()
    assert states(group, first) == ["completed"]
    group.loses = is_parcel
    group["a"].spawn(workflow, second, {"given": [1]})
    group["a"].tell(cancel(second))
    assert len(waiting(group)) == 2  # the call, and what calls it off
    group.loses = nothing
    group["a"].kernel.send_again()
    group.pump()
    assert states(group, second) == ["cancelled"]


def test_two_shards_that_call_each_other_with_full_windows_go_on() -> None:
    there, back = Workflow("there"), Workflow("back")
    there.call(there.place("given") >> there.place("done"), "far", child, placement=Near(FAR))
    back.call(back.place("given") >> back.place("done"), "near", child, placement=Near("c0"))
    group = apart(there, back, limit=1)
    group.loses = is_parcel
    in_b = next(one for one in (f"d{number}" for number in range(10_000)) if shard_of(one) == shard_of(FAR))
    group["a"].spawn(there, "c0", {"given": [1] * 10})
    group["b"].spawn(back, in_b, {"given": [1] * 10})
    group.pump()
    group.loses = nothing
    for member in group.members.values():
        member.kernel.send_again()
    group.pump(steps=2_000)
    assert states(group, "c0", in_b) == ["completed", "completed"]


def test_what_waits_is_counted_anew_at_a_start() -> None:
    workflow = calling(Near(FAR))
    group = apart(workflow)
    group.loses = is_parcel
    for name in names(3):
        group["a"].spawn(workflow, name, {"given": [1]})
    group["a"].start()
    group["a"].kernel.credit.limit = 2
    group["a"].hear()
    group["a"].run()
    group.pump()
    assert group["a"].kernel.credit.full == {shard_of(FAR)}
    assert states(group, *names(3)) == ["running", "running", "waiting"]
    group.loses = nothing
    group["a"].kernel.send_again()
    group.pump()
    assert states(group, *names(3)) == ["completed"] * 3


def test_who_waits_for_room_goes_on_where_its_shard_moves_to() -> None:
    workflow = calling(Near(FAR))
    group = apart(workflow, limit=0)
    group["a"].spawn(workflow, names(1)[0], {"given": [1]})
    group.move(shard_of(names(1)[0]), "a", "b")
    group.pump()
    assert group.owner(names(1)[0]) is group["b"]
    assert group["a"].kernel.credit.leave(LIVE) == []  # nobody waits there any more
    assert states(group, names(1)[0]) == ["completed"]


# -- handlers ----------------------------------------------------------------------------------------------------


def start_of_telling(group: Group, workflow: Workflow) -> Start:
    """Fill the window of `FAR`, and return the start of a handler that is to tell it something."""
    filler = calling(Near(FAR))
    group["a"].spawn(filler, names(1)[0], {"given": [1]})
    group["a"].spawn(workflow, names(2)[1], {"given": [1]})
    return group["a"].started.pop()


def test_a_handler_that_cannot_send_runs_again_when_there_is_room_and_spends_no_attempt() -> None:
    workflow = telling()
    group = apart(workflow, calling(Near(FAR)), limit=1)
    group.loses = is_parcel
    start = start_of_telling(group, workflow)
    assert start.full == {shard_of(FAR)}
    answer = answered_in_place(start)
    group["a"].tell(answer)
    group.pump()
    assert group["a"].started == []
    root = group["a"].store.get(address_key(names(2)[1]))
    image = read_image(group["a"].store, root) if root else None
    assert image is not None
    (firing,) = image.firings.values()
    assert (firing.phase, firing.failed, firing.held_up) == (Phase.READY, 0, shard_of(FAR))
    assert states(group, names(2)[1]) == ["waiting"]
    group.loses = nothing
    group["a"].kernel.send_again()
    group.pump()
    (again,) = group["a"].started
    assert (again.number, again.attempt, again.full) == (start.number, 2, frozenset())
    group["a"].tell(answered_in_place(again))
    assert states(group, names(2)[1]) == ["completed"]


def test_one_that_is_held_up_where_it_is_to_end_is_put_back() -> None:
    workflow = telling()
    group = apart(workflow, calling(Near(FAR)), limit=1)
    group.loses = is_parcel
    start = start_of_telling(group, workflow)
    group["a"].tell(cancel(names(2)[1]))
    group["a"].tell(answered_in_place(start))
    assert states(group, names(2)[1]) == ["cancelled"]


def test_a_handler_that_makes_another_error_of_it_has_failed() -> None:
    workflow = telling()
    group = apart(workflow, calling(Near(FAR)), limit=1)
    group.loses = is_parcel
    start = start_of_telling(group, workflow)
    group["a"].tell(failed(start, Failure(type="ValueError", message="", types=("ValueError",))))
    assert states(group, names(2)[1]) == ["incident"]


def test_a_handler_in_another_process_sees_what_was_full_when_it_was_started() -> None:
    workflow = telling()
    group = apart(workflow, calling(Near(FAR)), limit=1)
    group.loses = is_parcel
    start = start_of_telling(group, workflow)
    errand = pickle.loads(pickle.dumps(errand_of(start)))
    result = perform(start.transition, errand)
    assert isinstance(result, Failure)
    assert result.shard == shard_of(FAR)


def test_spawn_and_tell_raise_where_a_shard_is_full_and_answers_always_go() -> None:
    workflows = {"child": child.definition()}
    notes = Notes(firing="i#1.1", workflows=workflows, full=frozenset({shard_of(FAR)}))
    with pytest.raises(Busy, match=f"shard {shard_of(FAR)}, which takes no more") as caught:
        notes.tell(FAR, Put("start", 1))
    assert isinstance(caught.value, ShardFull)
    assert pickle.loads(pickle.dumps(caught.value)).shard == shard_of(FAR)
    with pytest.raises(ShardFull):
        notes.spawn("child", {"start": [1]}, FAR)
    notes.tell("c0", Put("start", 1))
    notes.tell(FAR, Put("start", 1), answers=True)
    assert len(notes.sent) == 2


# -- sending again -----------------------------------------------------------------------------------------------


def filled(channels: int, parcels: int) -> tuple[Outbox, dict[bytes, bytes | None]]:
    """Return an outbox with so many parcels in each of so many channels."""
    outbox, writes = Outbox(0, frozenset({shard_of("me")})), dict[bytes, bytes | None]()
    targets: dict[int, str] = {}
    for number in range(5_000):
        targets.setdefault(shard_of(f"t{number}"), f"t{number}")
    for target in list(targets.values())[:channels]:
        message = encode_message(Cancel(instance=target, by="eva"))
        for _ in range(parcels):
            outbox.post("me", message, writes.get, writes, Batch())
    return outbox, writes


def sent_again(outbox: Outbox, writes: dict[bytes, bytes | None]) -> list[Parcel]:
    batch = Batch()
    outbox.exchange(writes.get, writes, batch)
    return batch.parcels


def test_no_more_than_a_portion_is_sent_again_at_a_time_and_all_channels_have_their_turn() -> None:
    outbox, writes = filled(channels=40, parcels=100)
    seen: list[int] = []
    for _ in range(2):
        outbox.say_again()
        parcels = sent_again(outbox, writes)
        assert PORTION <= len(parcels) < PORTION + WINDOW
        seen += dict.fromkeys(parcel.channel[1] for parcel in parcels)
        assert not outbox.has_work
    assert len(set(seen)) == 40


def test_the_rest_is_sent_as_what_was_sent_again_arrives() -> None:
    outbox, writes = filled(channels=2, parcels=WINDOW + 10)
    outbox.say_again()
    first = sent_again(outbox, writes)
    assert [parcel.number for parcel in first] == [*range(1, WINDOW + 1)] * 2
    outbox.come.append(Acknowledged(channel=first[0].channel, number=WINDOW))
    rest = sent_again(outbox, writes)
    assert [(one.channel, one.number) for one in rest] == [
        (first[0].channel, number) for number in range(WINDOW + 1, WINDOW + 11)
    ]


def test_what_a_batch_calls_is_what_is_on_its_way() -> None:
    workflow = calling(Near(FAR))
    group = apart(workflow)
    group.loses = is_acknowledgement
    group["a"].spawn(workflow, names(1)[0], {"given": [1]})
    parcels = [parcel for batch in group["a"].batches for parcel in batch.parcels]
    assert [type(decode_delivery(parcel.message)) for parcel in parcels] == [Call]
    assert group["a"].kernel.credit.spent == {shard_of(FAR): 1}
