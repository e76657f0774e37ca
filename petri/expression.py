"""The language of arcs: `(a & b * 2) >> (c | d)` as values, and an explanation for each slip of the pen.

Python binds `*` tighter than `>>`, `>>` tighter than `&`, and `&` tighter than `|`. So a join or a fork
needs parentheses; without them the operators meet a `Flow` where a place should be, and say so.
"""

from dataclasses import dataclass
from typing import NamedTuple, NoReturn, TypeGuard

from placet.petri.errors import DefinitionError
from placet.petri.location import caller
from placet.petri.net import CONSUME, INHIBIT, MANY, MOST_TOKENS, READ, RESET
from placet.petri.output import Output

FORK = "&"
CHOICE = "|"


_WEIGHT = f"a whole number from 1 to {MOST_TOKENS:,}"


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """Tells the places of one workflow from those of another, even of the same name."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class PlaceRef:
    """A place of one workflow: an operand of arc expressions, a key of inputs, and a maker of outputs."""

    name: str
    owner: Owner

    @property
    def workflow(self) -> str:
        """The name of the workflow the place belongs to."""
        return self.owner.name

    def __call__(self, value: object) -> Output:
        """Return `value` marked as meant for this place, for a handler to return."""
        return Output(self.name, value)

    def __mul__(self, weight: int) -> "Bundle":
        return _weighted(self, weight)

    def __rmul__(self, weight: int) -> "Bundle":
        return _weighted(self, weight)

    def __and__(self, other: "PlaceRef | Bundle") -> "Bundle":
        return _joined(_bundle(self), FORK, other)

    def __or__(self, other: "PlaceRef | Bundle") -> "Bundle":
        return _joined(_bundle(self), CHOICE, other)

    def __rshift__(self, other: "PlaceRef | Bundle") -> "Flow":
        return _flow(_bundle(self), other)

    def read(self, weight: int = 1) -> "Bundle":
        """Return a read arc: the transition needs the token, hands its value to the handler, and leaves it there."""
        return _special(self, READ, weight)

    def inhibit(self, at: int = 1) -> "Bundle":
        """Return an inhibitor arc: the transition is not enabled while this place holds `at` tokens or more."""
        return _special(self, INHIBIT, at)

    def reset(self) -> "Bundle":
        """Return a reset arc: when a result of the transition counts, all tokens are removed from this place."""
        return _special(self, RESET, 1)

    def many(self) -> "Bundle":
        """Return an arc for as many tokens as there are, which need not be known when the net is made.

        As an output: one token for each value of the list that the handler returns. As an input: all tokens with one
        join key, a tuple whose last part says how many there are; the handler gets a list.
        """
        return Bundle((Term(self, MANY),))

    def consumed(self) -> "Flow":
        """Return a flow without outputs: the transition takes the token and gives none."""
        return _sink(_bundle(self))

    def __bool__(self) -> bool:
        _refuse_bool()

    def __str__(self) -> str:
        return self.name


def place_name(place: PlaceRef | str) -> str:
    """Return the path of a place that is given as such, or by its path."""
    return place.name if isinstance(place, PlaceRef) else place


class Term(NamedTuple):
    """One arc of a flow."""

    place: PlaceRef
    weight: int = 1
    kind: str = CONSUME


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """Places on one side of a flow: one with a weight, or several joined by `&` or by `|`."""

    terms: tuple[Term, ...]
    joint: str = ""  # FORK or CHOICE; "" for a single place

    def __mul__(self, weight: int) -> "Bundle":
        _refuse(
            f"`({self}) * {weight}` weighs what is no single place", "weigh each place by itself, once, as in `a * 2`"
        )

    __rmul__ = __mul__

    def __and__(self, other: "PlaceRef | Bundle") -> "Bundle":
        return _joined(self, FORK, other)

    def __or__(self, other: "PlaceRef | Bundle") -> "Bundle":
        return _joined(self, CHOICE, other)

    def __rshift__(self, other: "PlaceRef | Bundle") -> "Flow":
        return _flow(self, other)

    def consumed(self) -> "Flow":
        """Return a flow without outputs: the transition takes the tokens and gives none."""
        return _sink(self)

    def __bool__(self) -> bool:
        _refuse_bool()

    def __str__(self) -> str:
        return f" {self.joint} ".join(_written(term) for term in self.terms)


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """The arcs of one transition: what it takes and what it gives."""

    inputs: tuple[Term, ...]
    outputs: tuple[Term, ...] = ()
    choice: bool = False

    @property
    def arguments(self) -> int:
        """How many arguments the handler gets: one an input that is taken or read."""
        return sum(term.kind in (CONSUME, READ) for term in self.inputs)

    def __and__(self, other: object) -> NoReturn:
        _refuse_trailing(self, FORK, other)

    def __or__(self, other: object) -> NoReturn:
        _refuse_trailing(self, CHOICE, other)

    def __rshift__(self, other: object) -> NoReturn:
        middle = _side(self.outputs, self.choice) or "…"
        _refuse(
            f"`{self} >> {other}` is two steps in one", f"declare two transitions, `{self}` and `{middle} >> {other}`"
        )

    def __bool__(self) -> bool:
        _refuse_bool()

    def __str__(self) -> str:
        inputs = _side(self.inputs, choice=False)
        return f"{inputs} >> {_side(self.outputs, self.choice)}" if self.outputs else f"{inputs}.consumed()"


def _written(term: Term) -> str:
    place, weight, kind = term
    if kind != CONSUME:
        return f"{place.name}.{kind}({'' if weight == 1 else weight})"
    if weight == MANY:
        return f"{place.name}.many()"
    return place.name if weight == 1 else f"{place.name} * {weight}"


def _side(terms: tuple[Term, ...], choice: bool) -> str:
    joint = CHOICE if choice else FORK
    text = f" {joint} ".join(_written(term) for term in terms)
    return f"({text})" if len(terms) > 1 else text


def _refuse(problem: str, remedy: str) -> NoReturn:
    raise DefinitionError(problem, remedy, "", str(caller()))


def _refuse_bool() -> NoReturn:
    _refuse("places and flows are neither true nor false", "join places with `&` or `|`, not with `and`, `or`, `not`")


def _bundle(place: PlaceRef) -> Bundle:
    return Bundle((Term(place),))


def _weighted(place: PlaceRef, weight: object) -> Bundle:
    if not _is_weight(weight):
        _refuse(f"`{place} * {weight!r}`: a weight is {_WEIGHT}", f"write for example `{place} * 2`")
    return Bundle((Term(place, weight),))


def _special(place: PlaceRef, kind: str, weight: object) -> Bundle:
    if not _is_weight(weight):
        _refuse(f"`{place}.{kind}({weight!r})`: give {_WEIGHT}", f"write for example `{place}.{kind}(2)`")
    return Bundle((Term(place, weight, kind),))


def _is_weight(weight: object) -> TypeGuard[int]:
    return isinstance(weight, int) and not isinstance(weight, bool) and 1 <= weight <= MOST_TOKENS


def _joined(left: Bundle, joint: str, right: object) -> Bundle:
    if isinstance(right, PlaceRef):
        right = _bundle(right)
    if isinstance(right, Flow):
        _refuse_leading(left, joint, right)
    if not isinstance(right, Bundle):
        _refuse(f"`{left} {joint} {right!r}` joins what is no place", "join places with `&` or `|`")
    if {left.joint, right.joint} - {"", joint}:
        _refuse(
            f"`{left} {joint} {right}` mixes `&` (all of them) with `|` (one of them)",
            "use one of the two for a transition, and a second transition for the other",
        )
    return Bundle(left.terms + right.terms, joint)


def _flow(left: Bundle, right: object) -> Flow:
    if isinstance(right, PlaceRef):
        right = _bundle(right)
    if left.joint == CHOICE:
        _refuse_alternatives(left.terms, f"({left}) >> {right}", right)
    if isinstance(right, Bundle):
        special = next((term for term in right.terms if term.kind != CONSUME), None)
        if special is not None:
            _refuse(
                f"`{_written(special)}` stands among outputs", "put it among the inputs, as in `(a & b.read()) >> c`"
            )
        return Flow(left.terms, right.terms, right.joint == CHOICE)
    side = _side(left.terms, choice=False)
    _refuse(
        f"`{side} >> {right}` leads to what is no place", f"for a transition without outputs write `{side}.consumed()`"
    )


def _sink(left: Bundle) -> Flow:
    if left.joint == CHOICE:
        _refuse_alternatives(left.terms, f"({left}).consumed()", None)
    return Flow(left.terms)


def _refuse_alternatives(inputs: tuple[Term, ...], written: str, right: object) -> NoReturn:
    ending = ".consumed()" if right is None else f" >> {_operand(right)}"
    each = " and ".join(f"`{_written(term)}{ending}`" for term in inputs)
    _refuse(
        f"`{written}`: inputs joined by `|`, but a transition takes from all of its inputs",
        f"declare one transition for each, {each}, or join them with `&`",
    )


def _operand(value: object) -> str:
    return _side(value.terms, value.joint == CHOICE) if isinstance(value, Bundle) else str(value)


def _outputs(flow: Flow) -> Bundle:
    single = len(flow.outputs) < 2
    return Bundle(flow.outputs, "" if single else CHOICE if flow.choice else FORK)


def _refuse_leading(left: Bundle, joint: str, right: Flow) -> NoReturn:
    """Explain `a & b >> c`, which Python reads as `a & (b >> c)`."""
    inputs = left.terms + right.inputs
    if CHOICE in (joint, left.joint):
        _refuse_alternatives(inputs, f"{left} {joint} {right}", _outputs(right) if right.outputs else None)
    mended = Flow(inputs, right.outputs, right.choice)
    _refuse(f"`{left} & {right}` lacks parentheses: Python reads `{left} & ({right})`", f"write `{mended}`")


def _refuse_trailing(left: Flow, joint: str, right: object) -> NoReturn:
    """Explain `a >> b & c`, which Python reads as `(a >> b) & c`."""
    if isinstance(right, Flow) or not left.outputs:
        remedy = "declare one transition for each; joined places need parentheses, as in `a >> (b & c)`"
        _refuse(f"`{left} {joint} {right}` goes on after a whole flow", remedy)
    outputs = _joined(_outputs(left), joint, right)
    mended = Flow(left.inputs, outputs.terms, joint == CHOICE)
    _refuse(
        f"`{left} {joint} {_operand(right)}` lacks parentheses: Python reads `({left}) {joint} {_operand(right)}`",
        f"write `{mended}`",
    )
