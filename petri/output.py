"""What a handler returns to name the place a value goes to."""

import msgspec


class Output(msgspec.Struct, frozen=True):
    """A value for one output place. Made by calling a place: `shipped(order)`."""

    place: str  # name within the transition's own net
    value: object
