"""A million tokens in one place, each with a join key of its own: what it takes to put them, to wake them, to fire."""

import json
import sys
import time
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from threading import Thread

from benchmarks.awaken import anonymous_mb
from benchmarks.figure import Figure
from benchmarks.fresh import in_fresh_process
from benchmarks.setting import PATIENCE_S, Setting
from placet import Instance, InstanceState, Runtime, Workflow

CHUNK = 10_000
PAID = 2_000  # orders paid at a time
Order = dict[str, object]

_settled: SimpleQueue[int] = SimpleQueue()


def orders_of(chunk: int) -> list[Order]:
    """Return one chunk of the orders."""
    return [{"id": number, "note": "to be matched"} for number in range(chunk * CHUNK, (chunk + 1) * CHUNK)]


def payments_of(chunk: int) -> list[int]:
    """Return payments, each for the order whose id it is."""
    return list(range(chunk * PAID, (chunk + 1) * PAID))


def id_of(order: Order) -> object:
    """Return the join key of an order."""
    return order["id"]


def paid_id(payment: int) -> int:
    """Return the join key of a payment."""
    return payment


def settle(order: Order, payment: int) -> Order:
    """Return an order that is paid, and tell of the last one of a chunk: matches come in the order of age."""
    if payment % PAID == PAID - 1:
        _settled.put(payment)
    return {**order, "paid": payment}


def settling() -> Workflow:
    """Return a workflow that keeps orders until their payments come from outside."""
    workflow = Workflow("settling")
    chunks, orders, payments, paid = workflow.places("chunks orders payments paid")
    bank = workflow.place("bank", external=True)
    workflow.transition(chunks >> orders.many(), "receive", handler=orders_of)
    workflow.transition(bank >> payments.many(), "pay", handler=payments_of)
    workflow.transition(
        (orders & payments) >> paid, "settle", handler=settle, key={orders: id_of, payments: paid_id}, run="inline"
    )
    return workflow


def million(setting: Setting) -> list[Figure]:
    """Measure one instance: how it is filled here, and how it wakes in a fresh process over its state."""
    state, tokens = setting.fresh(), setting.pick(1_000_000, 20_000)
    begin_s = time.perf_counter()
    with Runtime(state, [settling()]) as runtime:
        instance = runtime.spawn("settling", {"chunks": list(range(tokens // CHUNK))}, id="settling")
        instance.wait_until([InstanceState.WAITING], PATIENCE_S)
    fill_s = time.perf_counter() - begin_s
    empty, found = in_fresh_process(__name__, setting.fresh(), 0), in_fresh_process(__name__, state, tokens)
    empty_mb = empty["anonymous_mb"]
    note = f"{tokens} tokens with keys of their own"
    return [
        Figure(name="million.fill_s", value=fill_s, unit="s", note=f"{note}, {CHUNK} a firing"),
        Figure(name="million.wake_s", value=found["wake_s"], unit="s", note="over many batches, with a token put"),
        Figure(
            name="million.beside_ms",
            value=found["beside_s"] * 1e3,
            unit="ms",
            note="the slowest of the spawns that follow one another meanwhile",
        ),
        Figure(
            name="million.anonymous_mb",
            value=max(0.001, found["anonymous_mb"] - empty_mb),
            unit="MB",
            note=f"{note}, awake; an empty engine has {empty_mb:.1f} MB",
        ),
        Figure(
            name="million.firing_us",
            value=found["firing_us"],
            unit="us",
            note=f"processor time of a payment and its match; {found['few_us']:.0f} us among {CHUNK} tokens",
        ),
    ]


def awake(state: Path, tokens: int) -> dict[str, float]:
    """Open a state, wake the instance by a message, and settle some of its orders, and some of a small one's."""
    with Runtime(state, [settling()]) as runtime:
        if not tokens:
            return {"anonymous_mb": anonymous_mb()}
        instance = runtime.instance("settling")
        begin_s = time.perf_counter()
        waking = Thread(target=instance.put, args=("bank", 0), kwargs={"timeout_s": PATIENCE_S})
        waking.start()
        beside_s = _beside(runtime, waking)
        wake_s = time.perf_counter() - begin_s
        _settled.get(timeout=PATIENCE_S)
        held_mb = anonymous_mb()
        few = runtime.spawn("settling", {"chunks": [0]}, id="few")
        few.wait_until([InstanceState.WAITING], PATIENCE_S)
        costs_us: list[tuple[float, float]] = [(_settle(few, turn), _settle(instance, turn + 1)) for turn in range(4)]
        few_us, many_us = (median(costs) for costs in zip(*costs_us, strict=True))
        return {
            "wake_s": wake_s,
            "beside_s": beside_s,
            "anonymous_mb": held_mb,
            "firing_us": many_us,
            "few_us": few_us,
        }


def _beside(runtime: Runtime, waking: Thread) -> float:
    """Spawn small instances, one after the other, while another wakes; return how long one of them took at most."""
    longest_s = 0.0
    for number in count(1):
        begin_s = time.perf_counter()
        runtime.spawn("settling", {"chunks": []}, id=f"beside-{number}", timeout_s=PATIENCE_S)
        longest_s = max(longest_s, time.perf_counter() - begin_s)
        if not waking.is_alive():
            break
    return longest_s


def _settle(instance: Instance, chunk: int) -> float:
    """Have a chunk of orders paid and return the processor time of each."""
    begin_s = time.process_time()
    instance.put("bank", chunk, timeout_s=PATIENCE_S)
    _settled.get(timeout=PATIENCE_S)
    return (time.process_time() - begin_s) / PAID * 1e6


if __name__ == "__main__":
    print(json.dumps(awake(Path(sys.argv[1]), int(sys.argv[2]))))
