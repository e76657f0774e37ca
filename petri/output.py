"""What a handler returns to name the place a value goes to."""

import msgspec


class Output(msgspec.Struct, frozen=True):
    """A value for one output place. Made by calling a place: `shipped(order)`."""

    place: str  # name within the transition's own net
    value: object


class Branches(msgspec.Struct, frozen=True):
    """A value for each output of a fork, in written order: for handlers that know no names of places."""

    values: tuple[object, ...]
