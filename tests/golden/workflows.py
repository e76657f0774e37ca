"""The workflows whose instances the golden states hold. Paths of transitions and places must stay as they are."""

from placet.petri.behaviour import Source
from placet.petri.workflow import Workflow
from placet.supervision.retry import Retry

BACKOFF_S = 60.0
TIMEOUT_S = 30.0
SOURCE = Source(file="/srv/shop/flows.py", module="shop.flows", name="order")


def size(value: object) -> object:
    """Return a large value's size, and anything else as it is."""
    return len(value) if isinstance(value, bytes) else value


def same(value: object) -> object:
    """Return what was given."""
    return value


def gather(*values: object) -> object:
    """Return all that was given."""
    return values


def is_wanted(value: object) -> bool:
    """Let all but "unwanted" pass."""
    return value != "unwanted"


def workflows() -> tuple[Workflow, ...]:
    """Return all of them: `order` with a composite, `check` with a guard, `join` with weights, `sort` with a choice."""
    pack = Workflow("pack")
    todo, half, ready = pack.places("todo half ready")
    pack.transition(todo >> half, "wrap", handler=size)
    pack.transition(half >> ready, "seal", handler=same, run="inline")
    order = Workflow("order", "1.0", source=SOURCE)
    received = order.place("received", type=str, category="shop", properties={"shelf": 3})
    packed, sent = order.places("packed sent")
    order.composite("fulfil", pack, {todo: received, ready: packed}, category="shop", properties={"floor": "second"})
    order.transition(
        packed >> sent,
        "send",
        handler=same,
        retry=Retry(attempts=2, first_s=BACKOFF_S, jitter=0),
        timeout_s=TIMEOUT_S,
        priority=2,
        category="courier",
        properties={"insured": True},
    )
    return order, _check(), _join(), _sort()


def _check() -> Workflow:
    check = Workflow("check", source=Source())
    a, b = check.places("a b")
    check.transition(a >> b, "look", handler=same, guard=is_wanted)
    return check


def _join() -> Workflow:
    join = Workflow("join", source=Source())
    left, right, both = join.places("left right both")
    join.transition((left * 2 & right) >> both, "meet", handler=gather)
    return join


def _sort() -> Workflow:
    sort = Workflow("sort", source=Source())
    new, good, bad = sort.places("new good bad")

    @sort.transition(new >> (good | bad))
    def choose(value: object) -> object:
        return good(value)

    return sort
