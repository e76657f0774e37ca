"""Every mistake in a definition is one clear error: what is wrong, where, and how to mend it."""

import pickle
from collections.abc import Callable

import pytest

from placet.petri.errors import DefinitionError
from placet.petri.workflow import Workflow

LINE = "snippet.py"  # the file that errors in these snippets must name


def mistake(snippet: str) -> DefinitionError:
    """Run a snippet as a user's file; return the error it ends with."""
    workflow, other = Workflow("orders"), Workflow("other")
    a, b, c, d = workflow.places("a b c d")
    names: dict[str, object] = {"w": workflow, "other": other, "foreign": other.place("foreign"), "Workflow": Workflow}
    names |= {"a": a, "b": b, "c": c, "d": d, "one": one, "two": two, "__name__": "snippet"}
    with pytest.raises(DefinitionError) as caught:
        exec(compile(snippet, LINE, "exec"), names)
    return caught.value


def one(value: object) -> object:
    return value


def two(first: object, second: object) -> object:
    return (first, second)


ARROWS = {
    "a & b >> c": "write `(a & b) >> c`",
    "a & b & c >> d": "write `(a & b & c) >> d`",
    "a & b * 2 >> c": "write `(a & b * 2) >> c`",
    "a & b >> (c & d)": "write `(a & b) >> (c & d)`",
    "a >> b & c": "write `a >> (b & c)`",
    "a >> b & c * 2": "write `a >> (b & c * 2)`",
    "a >> b | c": "write `a >> (b | c)`",
    "(a & b) >> c | d": "write `(a & b) >> (c | d)`",
    "a >> (b | c) | d": "write `a >> (b | c | d)`",
    "a | b >> c": "`a >> c` and `b >> c`",
    "(a | b) >> c": "`a >> c` and `b >> c`",
    "(a | b).consumed()": "`a.consumed()` and `b.consumed()`",
    "a >> b >> c": "two transitions, `a >> b` and `b >> c`",
    "a >> b & c >> d": "declare one transition for each",
    "a.consumed() & b": "declare one transition for each",
    "a >> (b & (c | d))": "mixes `&`",
    "a >> (b | c) & d": "mixes `&`",
    "a >> None": "`a.consumed()`",
    "a >> 'b'": "`a.consumed()`",
    "a & 3": "joins what is no place",
    "a * 0 >> b": "a whole number from 1 to 1,000,000",
    "a * -1": "a whole number from 1 to 1,000,000",
    "a * 1.5": "a whole number from 1 to 1,000,000",
    "a * True": "a whole number from 1 to 1,000,000",
    "a * 10**30": "a whole number from 1 to 1,000,000",
    "a.inhibit(2**63)": "a whole number from 1 to 1,000,000",
    "(a & b) * 2": "weigh each place by itself",
    "a * 2 * 3": "weigh each place by itself",
    "(a and b) >> c": "not with `and`",
    "a >> b and c": "not with `and`",
    "(a & b) or c": "not with `and`",
}


@pytest.mark.parametrize("arrow", ARROWS)
def test_an_arrow_written_wrong_says_how_to_write_it(arrow: str) -> None:
    error = mistake(arrow)
    assert ARROWS[arrow] in str(error)
    assert error.location == f"{LINE}:1"


CALLS = {
    # names
    "w.places('e e')": ("the name `e` is taken", "choose another name"),
    "w.transition(a >> b, 'a')": ("the name `a` is taken", "choose another name"),
    "w.transition(a >> b, 'x'); w.transition(a >> b, 'x')": ("the name `x` is taken", "choose another name"),
    "w.transition(a >> b)(one); w.transition(b >> c)(one)": ("the name `one` is taken", "choose another name"),
    "w.composite('a', other, {foreign: b})": ("the name `a` is taken", "choose another name"),
    "w.place('')": ("must not be blank", "use a short name"),
    "w.place('  ')": ("must not be blank", "use a short name"),
    "w.place(' a')": ("begins or ends with a blank", "use a short name"),
    "w.place('x/y')": ("holds a `/`", "use a short name"),
    "w.place('.x')": ("begins with a dot", "use a short name"),
    "w.place('x\\ny')": ("control character", "use a short name"),
    "w.place('x\\x1b[0m')": ("control character", "use a short name"),
    "w.place('x\\ud800')": ("control character", "use a short name"),
    "w.place(3)": ("must be text", "use a short name"),
    "Workflow('a/b')": ("holds a `/`", "use a short name"),
    "w.transition(a >> b, '')": ("must not be blank", "use a short name"),
    # places
    "w['aa']": ("has no place `aa`", "did you mean `a`?"),
    "w['elsewhere']": ("has no place `elsewhere`", '.places("elsewhere")'),
    "w.transition(a >> foreign, 'x')": ("belongs to another workflow, `other`", "use a place of `orders`"),
    "w.transition(foreign >> a, 'x')": ("belongs to another workflow, `other`", "use a place of `orders`"),
    "w.transition((a & a) >> b, 'x')": ("place `a` is twice among the inputs", "`a * 2`"),
    "w.transition(a >> (b & b), 'x')": ("place `b` is twice among the outputs", "`b * 2`"),
    "w.transition(a, 'x')": ("`a` is no flow", "write `a >> b`"),
    "w.transition(None, 'x')": ("None is no flow", "write `a >> b`"),
    "w.place('e', properties={'k': []})": ("property 'k' is []", "text, numbers or truth values"),
    "w.transition(a >> b, 'x', properties={1: 2})": ("property 1 is 2", "text, numbers or truth values"),
    "w.place('e', properties={'k': -2**63 - 1})": ("property 'k' is -9", "up to 64 bits"),
    "w.place('e', properties={'k': float('nan')})": ("property 'k' is nan", "a finite number"),
    "w.place('e', properties={'k': '\\ud800'})": ("which is no text", "half a character"),
    "w.place('e', properties={'\\ud800': 1})": ("which is no text", "half a character"),
    # options
    "w.transition(a >> b, 'x', retrys=3)": ("no option `retrys` here", "did you mean `retry`?"),
    "w.call(a >> b, 'x', 'other', run='thread')": ("no option `run` here", "use any of category, deadline_s"),
    "w.map('x', a >> b, one, delay_s=1)": ("no option `delay_s` here", "use any of category, deadline_s"),
    "w.task(a >> b, 'x', role=['boss'])": ("no option `role` here", "did you mean `roles`?"),
    "w.approval('x', a, approve=b, reject=c, role=[])": ("no option `role` here", "did you mean `roles`?"),
    "Workflow.sequence('s', [one], runs='inline')": ("no option `runs` here", "did you mean `run`?"),
    # versions
    "Workflow('w', '\\ud800')": ("version=", "up to 200 characters"),
    "Workflow('w', 'x' * 201)": ("version=", "up to 200 characters"),
    "Workflow('w', 5)": ("version=5", "up to 200 characters"),
    # guards
    "def g(v): yield v\nw.transition(a >> b, 'x', guard=g)": ("the guard is a generator", "instead of yielding"),
    "w.transition(a >> b, 'x', guard=3)": ("the guard 3 is not callable", "pass a function"),
    "w.transition(a >> b, 'x', guard={a: 3})": ("the guard 3 is not callable", "pass a function"),
    "w.transition(a >> b, 'x', guard=b)": ("is not callable", "pass a function"),
    "w.transition(a >> b, 'x', guard={b: one})": (
        "names `b`, which is no such input here",
        "that take a guard are `a`",
    ),
    "w.transition((a & b) >> c, 'x', guard=one)": ("one guard for 2 inputs", "guard={a: …}"),
    "w.transition(a >> b, 'x', guard=two)": ("cannot take one value", "one token's value"),
    "async def g(v): ...\nw.transition(a >> b, 'x', guard=g)": ("always count as true", "plain `def`"),
    # handlers
    "w.transition(a >> b, 'x', handler=3)": ("the handler 3 is not callable", "pass a function"),
    "w.transition(a >> b)(3)": ("the handler 3 is not callable", "pass a function"),
    "w.transition(a >> b)(two)": ("cannot be called with 1 argument", "match its parameters"),
    "w.transition((a & b) >> c)(one)": ("cannot be called with 2 arguments", "match its parameters"),
    "w.transition(a >> b)(lambda v, /, context, more: v)": ("cannot be called with 1 argument", "match its"),
    "w.transition(a >> b)(lambda context, /: 1)": ("cannot be called with 1 argument", "match its parameters"),
    "w.transition(a >> b)(lambda v: v)": ("has no name to use", "give the transition a name"),
    "w.transition(a >> b, handler=one)(one)": ("it has a handler already", "declare another transition"),
    "@w.transition(a >> b, run='thread')\nasync def h(v): ...": ("is an `async def`", "leave `run` out"),
    "@w.transition(a >> b, run='async')\ndef h(v): ...": ("is a plain `def`", "make it an `async def`"),
    "@w.transition(a >> b)\ndef h(v): yield v": ("is a generator", "return the values"),
    # policies
    "w.transition(a >> b, run='gpu')": ("run='gpu' names no executor", "'inline', 'thread'"),
    "w.transition(a >> b, retry=5)": ("retry=5 is no retry policy", "retry=Retry(attempts=5)"),
    "w.transition(a >> b, timeout_s=1e308)": ("timeout_s=1e+308", "up to a hundred years"),
    "w.transition(a >> b, deadline_s=1e10)": ("deadline_s=10000000000.0", "up to a hundred years"),
    "w.transition(a >> b, delay_s=10**400)": ("delay_s=1", "up to a hundred years"),
    "w.transition(a >> b, priority=2**63)": ("priority=9223372036854775808", "up to 64 bits"),
    "w.place('e', capacity=2**63)": ("capacity=9223372036854775808", "a whole number"),
    "w.transition(a >> b, timeout_s=0)": ("timeout_s=0", "above 0"),
    "w.transition(a >> b, timeout_s=float('nan'))": ("timeout_s=nan", "above 0"),
    "w.transition(a >> b, timeout_s='1')": ("timeout_s='1'", "above 0"),
    "w.transition(a >> b, timeout_s=1, run='inline')": ("an inline handler has no timeout", "run='thread'"),
    "w.transition(a >> b, heartbeat_s=0)": ("heartbeat_s=0", "above 0"),
    "w.transition(a >> b, heartbeat_s=-1.5)": ("heartbeat_s=-1.5", "above 0"),
    "w.transition(a >> b, heartbeat_s=1, run='inline')": ("an inline handler has no heartbeat", "run='thread'"),
    "@w.transition(a >> b, heartbeat_s=1)\ndef h(v): ...": ("no parameter named `context`", "context.heartbeat()"),
    "w.map('m', a >> b, lambda v: v, heartbeat_s=1)": ("no parameter named `context`", "context.heartbeat()"),
    "w.task(a >> b, 'ask', heartbeat_s=1)": ("there is no option `heartbeat_s` here", "use any of"),
    "w.call(a >> b, 'c', 'other', heartbeat_s=1)": ("there is no option `heartbeat_s` here", "use any of"),
    "w.transition(a >> b, priority='high')": ("priority='high'", "whole number"),
    # composites
    "w.composite('x', w, {})": ("would contain itself", "loop with arcs"),
    "other.composite('y', w, {}); w.composite('x', other, {})": ("would contain itself", "loop with arcs"),
    "w.composite('x', other, {'nowhere': 'a'})": ("`other` has no place `nowhere`", "declare it"),
    "w.composite('x', other, {'foreign': 'nowhere'})": ("`orders` has no place `nowhere`", "declare it"),
    "w.composite('x', other, {a: b})": ("place `a` belongs to another workflow", "use a place of `other`"),
    # steps
    "Workflow.sequence('s', [])": ("no steps", "at least one function"),
    "Workflow.parallel('s', [two])": ("cannot be called with 1 argument", "match its parameters"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_call_is_refused_at_once(call: str) -> None:
    error, (problem, remedy) = mistake(call), CALLS[call]
    assert problem in error.problem
    assert remedy in error.remedy
    assert error.where.startswith("workflow `")
    assert error.location.startswith(f"{LINE}:")
    assert "\n" not in str(error)


CONNECT = "w.transition(a >> b, 'ab'); w.transition(b >> (c & d), 'bcd');"
FINISHED = {
    "": ("place `a`", "no transition takes from it or gives to it", "connect it"),
    f"{CONNECT} w.place('lone')": ("place `lone`", "no transition takes from it", "connect it"),
    f"{CONNECT} w.transition(c >> d)": ("transition `c >> d`", "no handler and no name", "decorate a function"),
    f"{CONNECT} w.transition(a >> (b | c), 'x')": ("transition `x`", "nobody chooses", "returns one of the outputs"),
    "w.transition(a >> b, 'x'); w.transition(b >> a, 'y'); w.transition(c >> d, 'z')": (
        "transition `x`",
        "it can never fire: no token comes to `a`",
        "entry=True",
    ),
    f"{CONNECT} x, y = other.places('x y'); other.transition(foreign >> x, 't'); other.transition((x & y) >> y, 'u');"
    "w.composite('in', other, {foreign: d})": (
        "transition `in/u`",
        "it can never fire: no token comes to `in/y`",
        "entry=True",
    ),
    f"{CONNECT} other.places('x y'); other.transition(foreign >> other['x'], 't'); w.composite('in', other, dict("
    "foreign='d', x='d'))": ("composite `in`", "the outer place `d` is ported 2 times", "a place of its own"),
    f"{CONNECT} w.place('e', category='\\ud800'); w.transition(a >> w['e'], 'x')": (
        "workflow `orders`",
        "it cannot be stored",
        "plain text as categories",
    ),
    "w = Workflow('void')": ("workflow `void`", "has no places", "declare some"),
}


@pytest.mark.parametrize("snippet", FINISHED)
def test_what_only_the_whole_shows_is_refused_by_definition(snippet: str) -> None:
    error, (where, problem, remedy) = mistake(f"{snippet}\nw.definition()"), FINISHED[snippet]
    assert where in error.where
    assert problem in error.problem
    assert remedy in error.remedy


def test_an_error_names_the_line_of_the_declaration_not_of_the_check() -> None:
    error = mistake("w.transition(a >> b, 'ab')\nw.transition(b >> (c & d), 'bcd')\n\nw.place('lone')\nw.definition()")
    assert error.location == f"{LINE}:4"


ANNOTATED = [
    ("int", "str", True),
    ("int", "int", False),
    ("bool", "int", False),
    ("int", "float", False),
    ("None", "dict", True),
    ("'Unknown'", "str", False),
    ("object", "str", False),
    ("tuple", "str", False),
    ("dict[str, int]", "str", False),
    ("int", "None", False),
    ("int", "dict[str, int]", False),
]


@pytest.mark.parametrize(("returned", "declared", "refused"), ANNOTATED)
def test_an_annotated_return_must_fit_an_output(returned: str, declared: str, refused: bool) -> None:
    workflow = Workflow("typed")
    names: dict[str, object] = {"w": workflow, "a": workflow.place("a")}
    exec(f"b = w.place('b', type={declared})\n@w.transition(a >> b)\ndef h(value) -> {returned}: ...", names)
    if not refused:
        assert workflow.definition().behaviours["h"].handler is names["h"]
        return
    with pytest.raises(DefinitionError, match="which no output takes") as caught:
        workflow.definition()
    assert f"return `{declared}`" in caught.value.remedy


def test_an_annotated_return_may_fit_any_output_of_a_choice() -> None:
    workflow = Workflow("typed")
    a, b, c = workflow.place("a"), workflow.place("b", type=str), workflow.place("c", type=int)

    @workflow.transition(a >> (b | c))
    def handler(value: object) -> int:
        raise NotImplementedError

    assert workflow.definition().behaviours["handler"].handler is handler


def too_many_composites() -> Workflow:
    """Sixty levels, each holding the one below twice."""
    inner = Workflow("level-0")
    for level in range(60):
        outer = Workflow(f"level-{level + 1}")
        outer.composite("left", inner, {})
        outer.composite("right", inner, {})
        inner = outer
    return inner


def too_many_places() -> Workflow:
    workflow = Workflow("wide")
    workflow.places(" ".join(f"p{number}" for number in range(32_001)))
    return workflow


def too_deep() -> Workflow:
    inner = Workflow("level-0")
    for level in range(101):
        outer = Workflow(f"level-{level + 1}")
        outer.composite("in", inner, {})
        inner = outer
    return inner


@pytest.mark.parametrize(
    ("build", "problem"),
    [(too_many_composites, "composites, 32000"), (too_many_places, "32001 places"), (too_deep, "composites nest")],
)
def test_a_net_beyond_the_limits_is_refused_without_building_it(build: Callable[[], Workflow], problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        build().definition()


def test_errors_survive_pickling() -> None:
    error = mistake("w.transition(a >> b, 'x', guard=3)")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert copy.args == (error.problem, error.remedy, error.where, error.location)
