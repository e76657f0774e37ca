"""What a person gives for the outputs of a transition: one value, or values by place."""

from collections.abc import Mapping, Sequence

from placet.persistence.values import encode


class Outputs:
    """Values for several outputs of a skipped firing or a completed task, by the name of the place."""

    def __init__(self, by_place: Mapping[str, Sequence[object]]) -> None:
        self.by_place = {place: list(values) for place, values in by_place.items()}


def encoded_outputs(outputs: object) -> tuple[tuple[str, bytes], ...]:
    """Return what a person gives for a skipped firing: one value, or `Outputs`, encoded."""
    if not isinstance(outputs, Outputs):
        return (("", encode(outputs)),)
    return tuple((place, encode(value)) for place, values in outputs.by_place.items() for value in values)
