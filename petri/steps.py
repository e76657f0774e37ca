"""Names for steps that are given as plain functions: `Workflow.sequence` and `Workflow.parallel`."""

from collections.abc import Sequence


def step_names(steps: Sequence[object], taken: set[str]) -> list[str]:
    """Return a name of its own for each step, none of them taken, nor with `_todo` or `_done` behind it."""
    names: list[str] = []
    used = set(taken)
    for number, step in enumerate(steps, 1):
        label = step_name(step, f"step_{number}")
        while used & {label, f"{label}_todo", f"{label}_done"}:
            label = f"{label}_{number}"
        used |= {label, f"{label}_todo", f"{label}_done"}
        names.append(label)
    return names


def step_name(step: object, otherwise: str) -> str:
    """Return the name of a function, or `otherwise` where it has none that can be a node's."""
    name = getattr(step, "__name__", "")
    return name if isinstance(name, str) and name.isidentifier() else otherwise
