"""Instances and those they have called: as a tree in `placet list --tree`, and around one instance in `placet show`."""

from collections.abc import Iterator, Mapping, Sequence

from placet.actors.instance import InstanceSummary
from placet.actors.lifecycle import TERMINAL
from placet.actors.reader import StateReader
from placet.actors.records import Header

SHOWN_CHILDREN = 10


def in_tree(summaries: Sequence[InstanceSummary]) -> Iterator[tuple[int, InstanceSummary]]:
    """Yield (depth, instance), each below the one that called it; whose caller is not among them stands outermost."""
    known = {summary.instance for summary in summaries}
    below: dict[str, list[InstanceSummary]] = {}
    for summary in summaries:
        below.setdefault(summary.caller if summary.caller in known else "", []).append(summary)
    left = [(0, summary) for summary in reversed(below.get("", []))]
    while left:  # no recursion: calls nest as deep as they please
        depth, summary = left.pop()
        yield depth, summary
        left += [(depth + 1, child) for child in reversed(below.get(summary.instance, []))]


def family_lines(caller: str, children: Sequence[InstanceSummary]) -> list[str]:
    """Return who called an instance and whom it has called; those that still go on first."""
    going_on = sorted(children, key=lambda child: child.state in TERMINAL)
    lines = [f"called by {caller}"] if caller else []
    lines += [f"child {child.instance}  {child.state.value}" for child in going_on[:SHOWN_CHILDREN]]
    if len(children) > SHOWN_CHILDREN:
        lines.append(f"and {len(children) - SHOWN_CHILDREN} more children; placet list --tree has all")
    return lines


def child_face(child: InstanceSummary) -> Mapping[str, object]:
    """Return what is shown of a child with its parent."""
    return {"id": child.instance, "workflow": child.workflow, "state": child.state.value}


def outermost(reader: StateReader, header: Header) -> Header:
    """Return the instance that nobody has called, at the top of those an instance is below."""
    while header.caller is not None and (above := reader.header(header.caller.instance)) is not None:
        header = above
    return header
