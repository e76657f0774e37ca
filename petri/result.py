"""Between a transition's arcs and its handler: tokens become arguments, what is returned becomes deposits.

Both directions are compiled once a transition, since they lie on the path of every firing.
"""

from collections.abc import Callable, Sequence
from reprlib import Repr
from typing import NoReturn, TypeAlias, TypeGuard

from placet.petri.errors import OutputError
from placet.petri.net import MANY, MOST_TOKENS
from placet.petri.output import Branches, Output
from placet.petri.plan import Plan, TransitionPlan
from placet.petri.typed import accepts, name_of

Deposits: TypeAlias = list[tuple[int, object]]  # (position among the outputs, value), one a token
ToDeposits: TypeAlias = Callable[[object], Deposits]
ToArguments: TypeAlias = Callable[[Sequence[Sequence[object]]], list[object]]

_SHOWN = 80  # characters of a value in a message
_repr = Repr()
_repr.maxother = _repr.maxstring = _SHOWN


def arguments_of(transition: TransitionPlan, values_by_arc: Sequence[Sequence[object]]) -> list[object]:
    """Return the positional arguments of the handler: a value an input arc, a list where its weight is above 1."""
    return compile_arguments(transition)(values_by_arc)


def outputs_of(transition: TransitionPlan, returned: object) -> Deposits:
    """Return the tokens that `returned` stands for. Raises `OutputError` where it fits no output.

    No output: what is returned does not count. One output: the value, or `b(value)`. A fork: a tuple of one
    `b(value)` for each output, or one plain value that all get. A choice: one `b(value)`. An output of weight
    n takes a list or tuple of n values, each of which becomes a token; one of weight `MANY`, of any number.
    """
    return compile_outputs(transition)(returned)


def prepare(plan: Plan) -> Plan:
    """Compile both directions of every transition of a plan, and return the plan."""
    for transition in plan.transitions:
        transition.to_arguments = None if transition.plain_inputs else compile_arguments(transition)
        transition.to_deposits = compile_outputs(transition)
    return plan


def passed_through(arguments: Sequence[object]) -> object:
    """Return what a transition without a handler returns: its only argument, or a tuple of all."""
    return arguments[0] if len(arguments) == 1 else tuple(arguments)


def compile_arguments(transition: TransitionPlan) -> ToArguments:
    """Return `arguments_of` for one transition."""
    weights = tuple(arc.weight for arc in transition.arguments)
    if len(weights) == 1 and weights[0] == 1:
        return lambda values_by_arc: [values_by_arc[0][0]]
    if set(weights) == {1}:
        return lambda values_by_arc: [values[0] for values in values_by_arc]
    many = tuple(weight != 1 for weight in weights)
    return lambda values_by_arc: [
        list(values) if several else values[0] for several, values in zip(many, values_by_arc, strict=True)
    ]


def compile_outputs(transition: TransitionPlan) -> ToDeposits:
    """Return `outputs_of` for one transition, with a check of types where its outputs have any."""
    to_deposits = _compiled_outputs(transition)
    types = transition.behaviour.types if transition.behaviour else ()
    # An instance may run an older net than today's definition, with other outputs.
    return _checking(transition, to_deposits) if types and len(types) == len(transition.outputs) else to_deposits


def _checking(transition: TransitionPlan, to_deposits: ToDeposits) -> ToDeposits:
    types = transition.behaviour.types if transition.behaviour else ()

    def checked(returned: object) -> Deposits:
        """Return the deposits of what a handler returned, each of the type of its place. Raises `OutputError`."""
        deposits = to_deposits(returned)
        for position, value in deposits:
            if not accepts(types[position], value):
                place, expected = transition.output_names[position], name_of(types[position])
                problem = f"returned {_shown(value)} for `{place}`, which takes {expected}"
                raise OutputError(transition.path, problem, f"a value of type {expected}")
        return deposits

    return checked


def _compiled_outputs(transition: TransitionPlan) -> ToDeposits:
    shape = _Shape(transition)
    if not transition.outputs:
        return _nothing
    if transition.choice:
        return shape.of_choice
    if len(transition.outputs) > 1:
        return shape.of_fork
    return shape.of_single if all(weight == 1 for _, weight in transition.outputs) else shape.of_weighted


def _nothing(_returned: object) -> Deposits:
    return []


class _Shape:
    """The outputs of one transition, and what may be returned for them."""

    def __init__(self, transition: TransitionPlan) -> None:
        self._path = transition.path
        self._names = transition.output_names
        self._weights = tuple(weight for _, weight in transition.outputs)
        self._positions = {name: position for position, name in enumerate(self._names)}
        self._expected = self._describe(transition.choice)

    def of_single(self, returned: object) -> Deposits:
        """Return the deposit of a value for the only output, of one token."""
        kind = type(returned)
        if kind is not Output and kind is not tuple and kind is not list:
            return [(0, returned)]
        return self.of_weighted(returned)

    def of_weighted(self, returned: object) -> Deposits:
        """Return the deposits of a value for the only output, of several tokens."""
        if type(returned) is Output:
            return self._tokens(self._position(returned), returned.value)
        return self._tokens(0, returned)

    def of_choice(self, returned: object) -> Deposits:
        """Return the deposits of a value that says which of the outputs it is for."""
        if type(returned) is not Output:
            self._refuse(f"returned {_shown(returned)}, which does not say which output it is for")
        return self._tokens(self._position(returned), returned.value)

    def of_fork(self, returned: object) -> Deposits:
        """Return the deposits of values for all outputs, or of one value for each."""
        if type(returned) is Branches and len(returned.values) == len(self._names):
            pairs = enumerate(returned.values)
            return [token for position, value in pairs for token in self._tokens(position, value)]
        branches = _branches(returned)
        if branches is None:
            return [token for position in range(len(self._names)) for token in self._tokens(position, returned)]
        values: dict[int, object] = {}
        for branch in branches:
            if type(branch) is not Output:
                self._refuse(f"returned {_shown(branch)} beside outputs, without a place")
            position = self._position(branch)
            if position in values:
                self._refuse(f"returned two values for `{branch.place}`")
            values[position] = branch.value
        lacking = [name for position, name in enumerate(self._names) if position not in values]
        if lacking:
            self._refuse(f"returned nothing for {_listed(lacking, 'and')}")
        return [token for position, value in values.items() for token in self._tokens(position, value)]

    def _position(self, output: Output) -> int:
        position = self._positions.get(output.place)
        if position is None:
            self._refuse(f"returned a value for `{output.place}`, which is none of its outputs")
        return position

    def _tokens(self, position: int, value: object) -> Deposits:
        if type(value) is Output or (_is_several(value) and _holds_output(value)):
            self._refuse(f"returned an output inside a value, {_shown(value)}")
        weight = self._weights[position]
        if weight == 1:
            return [(position, value)]
        if not _is_several(value):
            count = "any number of" if weight == MANY else weight
            self._refuse(f"returned {_shown(value)} for `{self._names[position]}`, which takes {count} tokens")
        if len(value) > MOST_TOKENS:
            self._refuse(f"returned {len(value)} values for `{self._names[position]}`, {MOST_TOKENS} is the limit")
        if weight not in (len(value), MANY):
            self._refuse(f"returned {len(value)} values for `{self._names[position]}`, which takes {weight} tokens")
        return [(position, one) for one in value]

    def _describe(self, choice: bool) -> str:
        calls = [
            f"{name}(value)" if weight == 1 else f"{name}([{weight or 'any'} values])"
            for name, weight in zip(self._names, self._weights, strict=True)
        ]
        if choice:
            return "one of " + _listed(calls, "or")
        if len(calls) > 1:
            return f"`({', '.join(calls)})`, or one value for all"
        return "a value" if self._weights == (1,) else f"a list of {self._weights[0] or 'any'} values" if calls else ""

    def _refuse(self, problem: str) -> NoReturn:
        raise OutputError(self._path, problem, self._expected)


def _branches(returned: object) -> Sequence[object] | None:
    """Return the outputs that a fork's handler named, or None where it returned one value for all."""
    if type(returned) is Output:
        return (returned,)
    if type(returned) is not list and _is_several(returned) and _holds_output(returned):
        return returned
    return None


def _is_several(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple)


def _holds_output(values: Sequence[object]) -> bool:
    return Output in map(type, values)


def _listed(names: list[str], word: str) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {word} {quoted[-1]}"


def _shown(value: object) -> str:
    return f"{_repr.repr(value)} ({type(value).__name__})"
