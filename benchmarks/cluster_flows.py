"""What nodes run while they are measured."""

from typing import TYPE_CHECKING

from placet import Put, Workflow

if TYPE_CHECKING:
    from placet import Context

AT_ONCE = 500  # tokens that one firing sends

flood = Workflow("flood")
orders, sent = flood.places("orders sent")


@flood.transition(orders >> sent)
def send(order: tuple[str, int, bool], context: "Context") -> None:
    """Send tokens to another instance, and after the last of them the one that ends it."""
    target, count, is_last = order
    for number in range(count):
        context.tell(target, Put("comes", number))
    if is_last:
        context.tell(target, Put("end", None))


sink = Workflow("sink")
begun, come = sink.place("begun", entry=True), sink.place("come")
comes, end = sink.place("comes", external=True), sink.place("end", external=True)
ended = sink.place("ended")
sink.transition(comes >> come, "take", handler=lambda number: number, run="inline")
sink.transition((begun & end) >> ended, "finish", handler=lambda *_: None, run="inline", priority=-1)

answering = Workflow("answering")
asked, answered = answering.places("asked answered")
answering.transition(asked >> answered, "answer", handler=lambda value: value, run="inline")

asking = Workflow("asking")
todo, done = asking.places("todo done")
asking.call(todo >> done, "ask", answering)

ten = Workflow("ten")
place = ten.place("p0")
for step in range(10):
    following = ten.place(f"p{step + 1}")
    ten.transition(place >> following, f"step{step}", handler=lambda value: value, run="inline")
    place = following
