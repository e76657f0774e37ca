"""Actors in a runtime: handles, threads, coroutines, processes, and programs that find them again."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from placet import (
    Actor,
    InstanceState,
    NotAnswered,
    NotFound,
    RequestRefused,
    Runtime,
    Terminated,
    WaitTimeout,
    WrongType,
)
from placet.testing import Rehearsal
from tests.endtoend.processes import until
from tests.own.cast import Add, Counter, Do, Elsewhere, End, LaterCounter, Player, Total
from tests.runtime.workflows import WAIT_S, Gate


def test_many_programs_tell_and_ask_one_actor_and_each_message_counts_once(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [Counter]) as runtime:
        counter = runtime.start(Counter, id="c1")
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(counter.ask, Add(1), timeout_s=WAIT_S) for _ in range(100)]
            answers = [one.result(WAIT_S) for one in asked]
        assert sorted(answers) == list(range(1, 101))
        assert counter.ask(Total(), timeout_s=WAIT_S) == 100


def test_an_actor_is_there_at_the_next_start_with_its_answers(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [Counter]) as runtime:
        assert runtime.start(Counter, id="c1").ask(Add(3), request_id="r", timeout_s=WAIT_S) == 3
    with Runtime(tmp_path / "state") as runtime:  # its class is found where it was defined
        counter = runtime.actor("c1", Counter)
        assert counter.ask(Add(3), request_id="r", timeout_s=WAIT_S) == 3
        assert counter.ask(Add(3), timeout_s=WAIT_S) == 6
        assert counter.state_values() == {"total": 6}


@pytest.mark.parametrize("kind", [LaterCounter, Elsewhere])
def test_receive_runs_as_a_coroutine_and_in_another_process(kind: type[Actor[Add]], tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [kind], processes=1) as runtime:
        counter = runtime.start(kind, id="c1")
        counter.tell(Add(1), timeout_s=WAIT_S)
        assert counter.ask(Add(2), timeout_s=WAIT_S) == 3


def test_tell_and_ask_for_asyncio(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [Counter]) as runtime:
        counter = runtime.start(Counter, id="c1")

        async def talk() -> list[int]:
            await counter.tell_async(Add(1), timeout_s=WAIT_S)
            return list(await asyncio.gather(*(counter.ask_async(Add(1), timeout_s=WAIT_S) for _ in range(5))))

        assert sorted(asyncio.run(talk())) == [2, 3, 4, 5, 6]


def test_who_asks_again_after_a_time_out_gets_the_answer_to_the_first_request(tmp_path: Path) -> None:
    gate = Gate()

    class Slow(Counter):
        def receive(self, message: Add | Total | End) -> int:
            gate.pass_through()
            return super().receive(message)

    with Runtime(tmp_path / "state", [Slow]) as runtime:
        counter = runtime.start(Slow, id="c1")
        with pytest.raises(WaitTimeout):
            counter.ask(Add(1), timeout_s=0.05, request_id="r")
        gate.wait_reached()
        gate.open()
        assert counter.ask(Add(1), timeout_s=WAIT_S, request_id="r") == 1
        assert counter.ask(Total(), timeout_s=WAIT_S) == 1


def test_who_waits_for_an_answer_is_told_when_none_will_come(tmp_path: Path) -> None:
    gate = Gate()

    class Broken(Counter):
        def receive(self, message: Add | Total | End) -> int:
            gate.pass_through()
            raise OSError(f"no room for {message}")

    with Runtime(tmp_path / "state", [Broken, Counter]) as runtime:
        broken = runtime.start(Broken, id="b")
        with ThreadPoolExecutor(2) as pool:
            first, second = (pool.submit(broken.ask, Add(1), timeout_s=WAIT_S) for _ in range(2))
            gate.wait_reached()
            gate.open()
            for asked in (first, second):
                with pytest.raises(NotAnswered, match="incident"):
                    asked.result(WAIT_S)
        counter = runtime.start(Counter, id="c1")
        counter.tell(End())
        counter.instance.wait_until(["completed"], WAIT_S)
        with pytest.raises(NotAnswered, match="c1 is completed"):
            counter.ask(Total(), timeout_s=WAIT_S)
        with pytest.raises(RequestRefused, match="c1 is completed"):
            counter.tell(Total(), timeout_s=WAIT_S)


def test_what_is_no_message_or_no_actor_is_refused(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [Counter, Player]) as runtime:
        counter = runtime.start(Counter, id="c1")
        with pytest.raises(WrongType):
            counter.ask("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - what is tested
        with pytest.raises(NotFound):
            runtime.actor("c1", Player)
        with pytest.raises(NotFound):
            runtime.actor("nobody", Counter)


def test_a_program_watches_an_actor_and_stops_one(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [Counter, Player]) as runtime:
        counter = runtime.start(Counter, id="c1")
        told = counter.watch()
        assert not told.done()
        player = runtime.start(Player, id="p")
        player.ask(Do("watch", ("c1",)), timeout_s=WAIT_S)
        counter.stop(by="eva", why="over", timeout_s=WAIT_S)
        ended = Terminated(id="c1", state="cancelled", reason="c1 is cancelled")
        assert told.result(WAIT_S) == ended
        assert runtime.actor("c1", Counter).watch().result(WAIT_S) == ended
        assert until(lambda: player.state_values().get("heard"), "the end is heard of") == [ended]


def test_a_timer_of_a_runtime_rings(tmp_path: Path) -> None:
    with Runtime(tmp_path / "state", [Player]) as runtime:
        player = runtime.start(Player, id="p")
        player.ask(Do("after", (0.02, Do("stop", ("rang",)))), timeout_s=WAIT_S)
        assert player.instance.result(WAIT_S) == {"stopped": ["rang"]}


def test_a_copy_of_an_actor_has_its_state_answers_and_timers(tmp_path: Path) -> None:
    with Runtime(tmp_path / "here", [Player, Counter]) as runtime:
        player = runtime.start(Player, id="p")
        player.ask(Do("after", (3600.0, Do("stop"))), timeout_s=WAIT_S)
        counter = runtime.start(Counter, id="c1")
        counter.ask(Add(2), request_id="r", timeout_s=WAIT_S)
        player.instance.export_to(tmp_path / "player")
        counter.instance.export_to(tmp_path / "counter")
    with Runtime(tmp_path / "there", [Player, Counter]) as runtime:
        copy = runtime.import_from(tmp_path / "counter", by="eva")
        copy.resume(by="eva")
        counter = runtime.actor("c1", Counter)
        assert counter.ask(Add(2), request_id="r", timeout_s=WAIT_S) == 2
        assert counter.ask(Total(), timeout_s=WAIT_S) == 2
        runtime.import_from(tmp_path / "player", by="eva", id="q").resume(by="eva")
        player = runtime.actor("q", Player)
        player.ask(Do("tell", ("c1", End())), timeout_s=WAIT_S)
        assert counter.instance.result(WAIT_S) == {"stopped": [2]}
        assert player.instance.state is InstanceState.WAITING


def test_an_actor_that_takes_anything_need_not_say_what() -> None:
    class Echo(Actor[object]):
        def receive(self, message: object) -> object:
            return message

    assert Rehearsal(Echo).start(Echo).ask(("anything", 1)) == ("anything", 1)
