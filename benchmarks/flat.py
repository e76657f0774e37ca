"""What a firing costs among few tokens and among many, in a small net and in a large one."""

import time
from collections.abc import Callable
from queue import SimpleQueue
from statistics import median

from benchmarks.figure import Figure
from benchmarks.setting import PATIENCE_S, Setting
from placet import Instance, PlaceRef, Runtime, Workflow

TOKENS = (10, 1_000, 100_000)
TRANSITIONS = (10, 5_000, 10_000)


def is_going(left: int) -> bool:
    """Guard of a firing that is followed by another."""
    return left > 0


def is_over(left: int) -> bool:
    """Guard of the firing that ends a round."""
    return left <= 0


def any_stock(value: int) -> bool:
    """Guard every token of the stock: true for all there are."""
    return value >= 0


class Rounds:
    """One instance over a state of its own, which fires as often as it is told, in the kernel."""

    def __init__(self, setting: Setting, workflow: Workflow, start: PlaceRef, tokens: dict[str, list[int]]) -> None:
        self._ended: SimpleQueue[int] = SimpleQueue()
        end = workflow.place("end")
        workflow.transition(start >> end, "say", handler=self._say, guard=is_over, run="inline")
        self._runtime = Runtime(setting.fresh(), [workflow])
        self._instance: Instance = self._runtime.spawn(workflow, tokens, id="rounds")

    def _say(self, left: int) -> int:
        self._ended.put(left)
        return left

    def cpu_us(self, firings: int) -> float:
        """Fire so often and return the processor time of this process a firing, in microseconds."""
        begin_s = time.process_time()
        self._instance.put("start", firings, by="benchmark", timeout_s=PATIENCE_S)
        self._ended.get(timeout=PATIENCE_S)
        return (time.process_time() - begin_s) / firings * 1e6

    def close(self) -> None:
        """End it."""
        self._runtime.close()


def among_tokens(setting: Setting, count: int) -> Rounds:
    """Return an instance with so many guarded tokens in a place, of which every firing takes one and gives one."""
    workflow = Workflow("stock")
    stock, start = workflow.place("stock", entry=True), workflow.place("start", entry=True, external=True)

    @workflow.transition((start & stock) >> (start & stock), run="inline", guard={start: is_going, stock: any_stock})
    def turn_over(left: int, value: int) -> object:
        return start(left - 1), stock(value)

    return Rounds(setting, workflow, start, {"stock": list(range(count))})


def ring(count: int) -> tuple[Workflow, PlaceRef]:
    """Return a net of so many guarded transitions in a ring, which a token goes round, and where it begins."""
    workflow = Workflow("ring")
    places = [
        workflow.place("start", entry=True, external=True),
        *(workflow.place(f"p{number}") for number in range(1, count)),
    ]
    for number, place in enumerate(places):
        following = places[(number + 1) % count]
        workflow.transition(place >> following, f"go_{number}", handler=count_down, guard=is_going, run="inline")
        if number:
            workflow.transition(place >> places[0], f"back_{number}", guard=is_over)
    anchor, never, gone = workflow.places("anchor never gone")  # so that it does not complete
    workflow.transition((anchor & never) >> gone, "go", handler=max)
    return workflow, places[0]


def count_down(left: int) -> int:
    """Return one less."""
    return left - 1


def flat_tokens(setting: Setting) -> list[Figure]:
    """Measure firings among few and many tokens, in turns."""
    sizes = setting.pick(TOKENS, (10, 100, 1_000))
    return _ratios(setting, "flat.tokens", sizes, TOKENS, lambda size: among_tokens(setting, size))


def flat_transitions(setting: Setting) -> list[Figure]:
    """Measure firings in small and large nets, in turns."""
    sizes = setting.pick(TRANSITIONS, (10, 50, 100))
    return _ratios(
        setting, "flat.transitions", sizes, TRANSITIONS, lambda size: Rounds(setting, *ring(size), {"anchor": [0]})
    )


def _ratios(
    setting: Setting, name: str, sizes: tuple[int, ...], named: tuple[int, ...], make: Callable[[int], Rounds]
) -> list[Figure]:
    """Measure each size over the smallest."""
    firings = setting.pick(20_000, 1_000)
    rounds = {size: make(size) for size in sizes}
    for one in rounds.values():
        one.cpu_us(firings)  # to warm up
    costs_us: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(setting.pick(7, 2)):
        for size, one in rounds.items():
            costs_us[size].append(one.cpu_us(firings))
    for one in rounds.values():
        one.close()
    least = costs_us[sizes[0]]
    figures: list[Figure] = []
    for size, label in list(zip(sizes, named, strict=True))[1:]:
        ratio = median(cost / small for cost, small in zip(costs_us[size], least, strict=True))
        note = f"{median(costs_us[size]):.0f} us of processor time a firing, {median(least):.0f} with {sizes[0]}"
        figures.append(Figure(name=f"{name}{label}", value=ratio, unit="ratio", note=note))
    return figures


def large_net(setting: Setting) -> list[Figure]:
    """Measure the spawn of an instance of a net of 10,000 transitions, and its first turn in a fresh engine."""
    count = setting.pick(TRANSITIONS[-1], 100)
    state, spawns_s = setting.fresh(), list[float]()
    with Runtime(state, [ring(count)[0]]) as runtime:
        runtime.spawn("ring", {"anchor": [0]}, id="first")
        for number in range(setting.pick(100, 5)):
            begin_s = time.perf_counter()
            runtime.spawn("ring", {"start": [0], "anchor": [0]}, id=f"ring-{number}")
            spawns_s.append(time.perf_counter() - begin_s)
    wakes_s: list[float] = []
    with Runtime(state, [ring(count)[0]]) as runtime:
        runtime.instance("first").put("start", 0, by="benchmark")  # the net is read and planned
        for number in range(setting.pick(100, 5)):
            begin_s = time.perf_counter()
            runtime.instance(f"ring-{number}").put("start", 0, by="benchmark")
            wakes_s.append(time.perf_counter() - begin_s)
    note = f"{count} transitions; with its commit"
    return [
        Figure(name="flat.spawn_ms", value=median(spawns_s) * 1e3, unit="ms", note=note),
        Figure(name="flat.wake_ms", value=median(wakes_s) * 1e3, unit="ms", note=f"from disk, and a token put; {note}"),
    ]
