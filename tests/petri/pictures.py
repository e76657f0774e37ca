"""Nets to be drawn: random ones with every kind of arc, and some of known shape."""

from hypothesis import strategies as st

from placet.petri.net import CONSUME, INHIBIT, READ, RESET, Arc, Composite, Net, Place, Transition
from tests.petri.nets import nets

NAMES = st.text(max_size=40)


def places(*names: str) -> tuple[Place, ...]:
    return tuple(Place(name=name) for name in names)


def chain(length: int) -> Net:
    """Return a net of `length` transitions, each after the other."""
    transitions = tuple(
        Transition(name=f"step{number}", inputs=(Arc(place=f"at{number}"),), outputs=(Arc(place=f"at{number + 1}"),))
        for number in range(length)
    )
    return Net(name="chain", places=places(*(f"at{number}" for number in range(length + 1))), transitions=transitions)


def fan(width: int) -> Net:
    """Return a net that forks into `width` transitions and joins again."""
    names = [f"{side}{number}" for side in ("todo", "done") for number in range(width)]
    work = [
        Transition(name=f"w{n}", inputs=(Arc(place=f"todo{n}"),), outputs=(Arc(place=f"done{n}"),), handler="m:work")
        for n in range(width)
    ]
    fork = Transition(name="fork", inputs=(Arc(place="in"),), outputs=tuple(Arc(place=n) for n in names[:width]))
    join = Transition(name="join", inputs=tuple(Arc(place=n) for n in names[width:]), outputs=(Arc(place="out"),))
    return Net(name="fan", places=places("in", *names, "out"), transitions=(fork, *work, join))


def shop() -> Net:
    """Return a net with every kind of arc, a loop, and composites within each other; one is nothing but ports."""
    pack = Transition(
        name="pack",
        inputs=(Arc(place="paid"), Arc(place="stock", kind=READ)),
        outputs=(Arc(place="packed"),),
        error="stock",
        handler="shop:pack",
    )
    deep = Net(
        name="deep",
        places=places("in", "x", "out"),
        transitions=(
            Transition(name="one", inputs=(Arc(place="in"),), outputs=(Arc(place="x", weight=3),), handler="shop:one"),
            Transition(name="two", inputs=(Arc(place="x", weight=3),), outputs=(Arc(place="out"),)),
        ),
    )
    ports_only = Net(name="ports only", places=places("a", "b"))
    fulfil = Net(
        name="fulfil",
        places=places("paid", "packed", "sent", "stock"),
        transitions=(
            pack,
            Transition(
                name="ship", inputs=(Arc(place="packed", guarded=True, keyed=True),), outputs=(Arc(place="sent"),)
            ),
        ),
        composites=(
            Composite(name="deep", net=deep, ports=(("in", "packed"), ("out", "sent"))),
            Composite(name="empty", net=ports_only, ports=(("a", "packed"), ("b", "sent"))),
        ),
    )
    check = Transition(
        name="check",
        inputs=(Arc(place="received"), Arc(place="holiday", kind=INHIBIT)),
        outputs=(Arc(place="paid"), Arc(place="rejected")),
        choice=True,
        handler="shop:check",
    )
    close = Transition(
        name="close", inputs=(Arc(place="done"), Arc(place="audit", kind=RESET)), outputs=(Arc(place="received"),)
    )
    return Net(
        name="shop",
        places=(
            Place(name="received", entry=True, type="Order", capacity=9, external=True),
            *places("paid", "holiday", "done", "audit", "rejected"),
        ),
        transitions=(check, close),
        composites=(Composite(name="fulfil", net=fulfil, ports=(("paid", "paid"), ("sent", "done"))),),
    )


@st.composite
def drawn_nets(draw: st.DrawFn) -> Net:
    """Draw a random net with every kind of arc, and names of any characters."""
    return _varied(draw, draw(nets(depth=2)))


def _varied(draw: st.DrawFn, net: Net) -> Net:
    kinds = st.sampled_from((CONSUME, READ, INHIBIT, RESET))
    names = {place.name: f"{draw(NAMES)}{number}" for number, place in enumerate(net.places)}

    def arc(old: Arc, kind: str = CONSUME) -> Arc:
        return Arc(place=names[old.place], weight=old.weight, guarded=old.guarded, keyed=draw(st.booleans()), kind=kind)

    transitions = tuple(
        Transition(
            name=f"{draw(NAMES)}{number}",
            inputs=tuple(arc(one, draw(kinds)) for one in old.inputs),
            outputs=tuple(arc(one) for one in old.outputs),
            choice=old.choice,
            handler=draw(st.sampled_from(("", "module:function"))),
            error=draw(st.sampled_from(("", *names.values()))),
        )
        for number, old in enumerate(net.transitions)
    )
    composites: list[Composite] = []
    for number, old in enumerate(net.composites):
        inner = _varied(draw, old.net)
        renamed = {before.name: after.name for before, after in zip(old.net.places, inner.places, strict=True)}
        ports = tuple((renamed[inside], names[outside]) for inside, outside in old.ports)
        composites.append(Composite(name=f"{draw(NAMES)}{number}", net=inner, ports=ports))
    return Net(
        name=draw(NAMES),
        places=tuple(Place(name=names[place.name], entry=draw(st.booleans())) for place in net.places),
        transitions=transitions,
        composites=tuple(composites),
    )
