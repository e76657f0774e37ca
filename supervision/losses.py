"""What becomes of a firing whose engine died under it: tried again, run alone, or left to a person.

A handler that kills its process must not become a crash loop, and its neighbours, which die with it, must not
be blamed. So losses are counted apart from failures: after a few the firing is run with nothing beside it,
and only what is lost alone, time and again, is found guilty.
"""

from enum import Enum

ALONE_FROM = 3  # losses after which a firing runs alone
GUILTY_AFTER_ALONE = 3  # losses while alone after which it is an incident


class LossVerdict(Enum):
    """What to do with a lost firing."""

    AGAIN = "again"
    ALONE = "alone"
    INCIDENT = "incident"


def after_loss(losses: int) -> LossVerdict:
    """Return what to do after the `losses`-th loss (>= 1)."""
    if losses >= ALONE_FROM + GUILTY_AFTER_ALONE:
        return LossVerdict.INCIDENT
    return LossVerdict.ALONE if losses >= ALONE_FROM else LossVerdict.AGAIN
