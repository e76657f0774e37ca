"""The keywords of declarations, each said once: a builder's methods take them, and hand them on, as a whole.

`Unpack` spells them out to type checkers and editors; `check_options` does so for who uses neither.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TypedDict

from placet.petri.behaviour import Guard, Key, RetryPolicy
from placet.petri.expression import PlaceRef
from placet.petri.location import Site
from placet.petri.net import Scalar
from placet.petri.requirement import Remote, Requires


class Tags(TypedDict, total=False):
    """What a node of a net carries for those who look at it; it changes nothing in how the node works."""

    category: str
    properties: Mapping[str, Scalar] | None


class FiringOptions(Tags, total=False):
    """What may be said of the firings of a transition, whatever they run; as in `Workflow.transition`."""

    retry: RetryPolicy | None
    timeout_s: float | None  # per attempt
    deadline_s: float | None  # for all attempts together
    priority: int  # higher goes first


class HandlerOptions(FiringOptions, total=False):
    """What may be said of firings that run a function; as in `Workflow.transition`."""

    run: str | Remote | None  # name of the executor
    requires: Requires | None  # what the host must have
    heartbeat_s: float | None  # longest time without a sign of life


class CallOptions(FiringOptions, total=False):
    """What may be said of a called composite; as in `Workflow.transition`."""

    guard: Guard | Mapping[PlaceRef, Guard] | None
    key: Key | Mapping[PlaceRef, Key] | None
    delay_s: float
    error: PlaceRef | None  # where what failed for good goes


class TransitionOptions(HandlerOptions, CallOptions, total=False):
    """What may be said of a transition; see `Workflow.transition`."""


class TaskOptions(Tags, total=False):
    """What may be said of a manual transition; see `Workflow.task`."""

    guard: Guard | None
    roles: Sequence[str]
    assignees: Sequence[str]


def check_options(options: Mapping[str, object], known: frozenset[str], site: Site) -> None:
    """Raise `DefinitionError` for a keyword that is not one of `known`, the `__optional_keys__` of the above."""
    for name in options:
        if name not in known:
            close = get_close_matches(name, sorted(known), n=1)
            remedy = f"did you mean `{close[0]}`?" if close else f"use any of {', '.join(sorted(known))}"
            raise site.error(f"there is no option `{name}` here", remedy)
