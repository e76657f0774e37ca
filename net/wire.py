"""The version of what nodes, engines and clients say to each other."""

from typing import Final

WIRE_VERSION: Final = 1
OLDEST_VERSION: Final = 1  # of a peer that is understood
