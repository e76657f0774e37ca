"""Large values: one of 100 MB, a stream of 10 MB a second, and a place that holds more than ought to be in memory."""

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Event

from benchmarks.awaken import anonymous_mb
from benchmarks.figure import Figure
from benchmarks.finish import Finish
from benchmarks.fresh import in_fresh_process
from benchmarks.setting import PATIENCE_S, Setting
from placet import Instance, InstanceState, Runtime, Workflow

MB = 1_000_000
LARGE_BYTES, STREAMED_BYTES, KEPT_BYTES = 100 * MB, 100_000, 50_000
RATE_MB = 10  # a second
WARM_S = 2.0  # of the stream, before memory is looked at


def handing_on() -> Workflow:
    """Return a workflow of one step that returns what it is given."""
    workflow = Workflow("values")
    given, done = workflow.places("given done")
    workflow.transition(given >> done, "hand_on", handler=bytes)
    return workflow


def large_value(setting: Setting) -> list[Figure]:
    """Measure one large value from its spawn through a handler to its result."""
    size = setting.pick(LARGE_BYTES, MB)
    value = hashlib.shake_128(b"benchmark").digest(size)
    with Runtime(setting.fresh(), [handing_on()]) as runtime:
        runtime.spawn("values", {"given": [b""]}, id="first").result(PATIENCE_S)
        before_mb = _peak_mb()
        begin_s = time.perf_counter()
        found = runtime.spawn("values", {"given": [value]}, id="large").result(PATIENCE_S)
        elapsed_s = time.perf_counter() - begin_s
        assert found == {"done": [value]}
        beyond_mb = _peak_mb() - before_mb
    note = f"{size / MB:.0f} MB"
    return [
        Figure(name="values.large_s", value=elapsed_s, unit="s", note=f"{note} through a handler, and the result read"),
        Figure(
            name="values.large_peak_mb",
            value=max(0.001, beyond_mb),
            unit="MB",
            note=f"most that the process had at once beyond the value itself, of {note}; what is mapped counts too",
        ),
    ]


def stream(setting: Setting) -> list[Figure]:
    """Measure the memory of an engine that hands on 10 MB of values a second."""
    seconds, size = setting.pick(20, 3), STREAMED_BYTES
    a_second = RATE_MB * MB // size
    values = [hashlib.shake_128(bytes((number,))).digest(size) for number in range(16)]
    grown: list[float] = []
    with Runtime(setting.fresh(), [handing_on()]) as runtime:
        warm_mb = 0.0
        begin_s = time.perf_counter()
        for second in range(seconds):
            _hand_on(runtime, [f"{second}-{number}" for number in range(a_second)], values)
            Event().wait(max(0.0, begin_s + second + 1 - time.perf_counter()))
            if second + 1 <= WARM_S:
                warm_mb = anonymous_mb()
            else:
                grown.append(anonymous_mb() - warm_mb)
        elapsed_s = time.perf_counter() - begin_s
    rate = seconds * RATE_MB / elapsed_s
    note = f"{rate:.1f} MB/s in values of {size // 1000} kB for {elapsed_s:.0f} s"
    return [
        Figure(name="values.stream_mb", value=max(0.001, *grown), unit="MB", note=f"most beyond the start; {note}"),
        Figure(name="values.stream_rate", value=rate, unit="MB/s", note=f"{RATE_MB} were asked for"),
    ]


def _hand_on(runtime: Runtime, names: Sequence[str], values: Sequence[bytes]) -> None:
    finish = Finish(runtime, InstanceState.COMPLETED, len(names))
    spawned: list[Future[Instance]] = []
    for number, name in enumerate(names):
        finish.expect(name)
        spawned.append(runtime.spawn_later("values", {"given": [values[number % len(values)]]}, id=name))
    finish.wait()
    for future in spawned:
        future.result()


def keeping() -> Workflow:
    """Return a workflow that keeps what it is given until it is told to go on."""
    workflow = Workflow("keeping")
    kept, gone = workflow.places("kept gone")
    word = workflow.place("word", external=True)
    workflow.transition((kept & word) >> gone, "let_go", handler=max)
    return workflow


def kept_values(setting: Setting) -> list[Figure]:
    """Measure the memory of an engine that has just woken a place with many values."""
    count, state = setting.pick(8_000, 200), setting.fresh()
    with Runtime(state, [keeping()]) as runtime:
        runtime.spawn("keeping", {"kept": [*map(_value, range(count))]}, id="keeping", timeout_s=PATIENCE_S)
    empty_mb = in_fresh_process(__name__, setting.fresh())["anonymous_mb"]
    held_mb = in_fresh_process(__name__, state, "keeping")["anonymous_mb"] - empty_mb
    note = (
        f"{count * KEPT_BYTES / MB:.0f} MB in {count} values of one place, awake; an empty engine has {empty_mb:.1f} MB"
    )
    return [Figure(name="values.kept_mb", value=max(0.001, held_mb), unit="MB", note=note)]


def awake(state: Path, *instances: str) -> dict[str, float]:
    """Open a state and wake instances by looking after a token of theirs."""
    with Runtime(state, [keeping()]) as runtime:
        for instance in instances:
            runtime.instance(instance).freeze_token(1, by="benchmark", why="to wake it", timeout_s=PATIENCE_S)
        return {"anonymous_mb": anonymous_mb()}


def _value(number: int) -> bytes:
    return hashlib.shake_128(number.to_bytes(4, "big")).digest(KEPT_BYTES)


def _peak_mb() -> float:
    """Return the most memory this process has had at once."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / MB
    raise OSError("/proc/self/status has no line `VmHWM`")


if __name__ == "__main__":
    print(json.dumps(awake(Path(sys.argv[1]), *sys.argv[2:])))
