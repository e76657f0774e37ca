"""Outputs that a person gives for a transition, checked against its arcs."""

from placet.petri.net import MANY
from placet.petri.plan import TransitionPlan


def positions(
    transition: TransitionPlan, outputs: tuple[tuple[str, bytes], ...]
) -> tuple[tuple[int, bytes], ...] | str:
    """Return outputs, each (place, value), by position; or what is wrong with them. Place "" is the only output."""
    names = transition.output_names
    if any(name == "" for name, _ in outputs) and len(names) == 1:
        outputs = tuple((name or names[0], value) for name, value in outputs)
    unknown = [name for name, _ in outputs if name not in names]
    if unknown:
        return f"{transition.path} has no output {unknown[0]!r}; its outputs are {', '.join(names) or 'none'}"
    counts = {name: sum(1 for other, _ in outputs if other == name) for name in names}
    weights = {name: weight for name, (_, weight) in zip(names, transition.outputs, strict=True)}
    filled = [name for name in names if counts[name]]
    if transition.choice and len(filled) != 1:
        return f"{transition.path} gives to exactly one of {', '.join(names)}; name one"
    for name in filled if transition.choice else names:
        if weights[name] not in (counts[name], MANY):
            return f"{transition.path} gives {weights[name]} to {name}, not {counts[name]}; name each output"
    return tuple((names.index(name), value) for name, value in outputs)
