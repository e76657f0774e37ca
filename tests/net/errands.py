"""What tests of errands share: a placed handler, starts of it, and a workshop in which nothing runs by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from placet.actors.effects import ExpireReason, Start
from placet.actors.executors.placed import Placed
from placet.actors.messages import Done
from placet.net.errand_host import ErrandHost, ErrandKey
from placet.net.errand_messages import Work
from placet.petri.behaviour import Behaviour
from placet.petri.plan import InputArc, TransitionPlan
from placet.petri.requirement import Requires

GPU = Placed(name="thread/w/gpu=1", workflow="w", version="1", run="thread", requires=Requires(gpu=1), remote=False)
ANY = Placed(name="thread/w/anywhere", workflow="w", version="1", run="thread", requires=Requires(), remote=True)
PLAN = TransitionPlan(
    index=3,
    path="train",
    composite=0,
    inputs=(),
    outputs=((1, 1),),
    choice=False,
    priority=0,
    behaviour=Behaviour(handler=print),
    arguments=(InputArc(place=0, weight=1),),
    output_names=("b",),
)


def start(number: int, attempt: int = 1) -> Start:
    """Return the start of a firing."""
    return Start(
        root=b"0123456789",
        instance="i",
        incarnation=7,
        transition=PLAN,
        number=number,
        attempt=attempt,
        tokens=((0, number, b"value"),),
    )


def done_of(work: Work, outputs: tuple[tuple[int, bytes], ...] = ((0, b"result"),)) -> Done:
    """Return the result of some work."""
    return Done(root=work.root, transition=work.transition, number=work.number, attempt=work.attempt, outputs=outputs)


@dataclass(slots=True)
class Hands:
    """A workshop in which handlers run until they are told to end."""

    host: "ErrandHost | None" = None
    places: int = 4
    knows_all: bool = True
    running: dict[ErrandKey, Work] = field(default_factory=dict[ErrandKey, Work])
    begun: list[ErrandKey] = field(default_factory=list[ErrandKey])
    told: list[tuple[ErrandKey, ExpireReason]] = field(default_factory=list[tuple[ErrandKey, ExpireReason]])

    def knows(self, workflow: str, version: str) -> bool:
        """Return whether handlers of a workflow are here."""
        return self.knows_all and (workflow, version) == ("w", "1")

    def rooms(self) -> Mapping[str, int]:
        """Return how many handlers run at once."""
        return {"thread": self.places}

    def begin(self, key: ErrandKey, work: Work) -> None:
        """Run a handler."""
        assert len(self.running) < self.places
        self.begun.append(key)
        self.running[key] = work

    def end(self, key: ErrandKey, reason: ExpireReason) -> None:
        """Have a handler end."""
        self.told.append((key, reason))

    def finish(self, key: ErrandKey, now_s: float) -> None:
        """Have a handler return."""
        assert self.host is not None
        work = self.running.pop(key)
        self.host.answered(key, done_of(work), now_s)
