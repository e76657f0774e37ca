"""Fork and join: one task, many that need it alone, and one that needs them all.

Source: the fork-join workflows of WfCommons (https://wfcommons.org), which bind a processor for about a
hundred seconds in every task.
"""

from placet.traces.sketch import Sketch

_LEAST_S, _MOST_S = 95.0, 110.0


def fits(tasks: int) -> bool:
    """True where a fork and join of exactly so many tasks exists: 3 or more."""
    return tasks >= 3


def draw(sketch: Sketch, tasks: int) -> None:
    """Draw a fork and join of `tasks` tasks."""
    fork = sketch.task("fork", [], _LEAST_S, _MOST_S)
    branches = [sketch.task("work", [fork], _LEAST_S, _MOST_S) for _ in range(tasks - 2)]
    sketch.task("join", branches, _LEAST_S, _MOST_S)
