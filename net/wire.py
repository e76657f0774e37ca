"""The version of what nodes, engines and clients say to each other.

Nodes tell each other theirs before one joins the other: who understands the other's, or is understood by it, is in.
A change that some of today's peers would misread, such as a new field that is needed, is a new `WIRE_VERSION`; one that
makes an older peer useless raises `OLDEST_VERSION` too, and `seal.VERSION`: nodes that are in a cluster already ask no
more, and those that seal otherwise refuse each other before anything is read.
"""

from typing import Final

WIRE_VERSION: Final = 1
OLDEST_VERSION: Final = 1  # of a peer that is understood
