"""What nodes run while they are measured."""

from typing import TYPE_CHECKING

from placet import Put, Workflow

if TYPE_CHECKING:
    from placet import Context

AT_ONCE = 500  # tokens that one firing sends


def same(value: object) -> object:
    """Return what was given."""
    return value


def nothing(*_values: object) -> None:
    """End what was begun."""


flood = Workflow("flood")
orders, sent = flood.place("orders", entry=True), flood.place("sent")


@flood.transition(orders >> (orders | sent))
def send(order: tuple[str, int], context: "Context") -> object:
    """Send tokens to another instance, again and again, and after the last of them the one that ends it."""
    target, left = order
    for number in range(AT_ONCE):
        context.tell(target, Put("comes", number))
    if left > 1:
        return orders((target, left - 1))
    context.tell(target, Put("end", None))
    return sent(None)


sink = Workflow("sink")
begun = sink.place("begun", entry=True)
comes, end = sink.place("comes", external=True), sink.place("end", external=True)
ended = sink.place("ended")
sink.transition((begun & end & comes.read()) >> ended, "finish", handler=nothing, run="inline")

answering = Workflow("answering")
asked, answered = answering.places("asked answered")
answering.transition(asked >> answered, "answer", handler=same, run="inline")

asking = Workflow("asking")
todo, done = asking.places("todo done")
asking.call(todo >> done, "ask", answering)

ten = Workflow("ten")
place = ten.place("p0")
for step in range(10):
    following = ten.place(f"p{step + 1}")
    ten.transition(place >> following, f"step{step}", handler=same, run="inline")
    place = following

laps = Workflow("laps")
track = [laps.place(f"p{step}", entry=not step) for step in range(10)]
run = laps.place("run")
for step in range(9):
    laps.transition(track[step] >> track[step + 1], f"step{step}", handler=same, run="inline")


@laps.transition(track[9] >> (track[0] | run), run="inline")
def turn_back(left: int) -> object:
    """Begin another lap, or end."""
    return track[0](left - 1) if left > 1 else run(0)
