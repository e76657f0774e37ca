"""What becomes of an instance in which an actor raised: restarted, rid of a message, or left alone. Pure.

A restart never touches tokens: the turn that raised is dropped. The three verdicts are a ladder: a message is tried
again while the budget of its instance allows; then it is parked, with a budget that begins anew; where parking it
raises as often, the actors are past help, and nothing but the instance itself is given up, until the next start.
"""

from enum import Enum

from placet.supervision.budget import RestartBudget

BUDGET = RestartBudget(limit=2, window_s=5.0)


class FaultVerdict(Enum):
    """What to do after an actor's fault."""

    RESTART = "restart"  # bring the actors back, and handle the message again
    PARK = "park"  # bring them back, and let them park the message, where a person can see it
    BREAK = "break"  # park it without them, and leave the instance alone until the next start


def after_fault(
    past_s: tuple[float, ...], now_s: float, *, is_parking: bool, budget: RestartBudget = BUDGET
) -> tuple[FaultVerdict, tuple[float, ...]]:
    """Return (what to do, the restarts that count from now on).

    `past_s` are the restarts that counted so far; `is_parking` says that what raised was parking a message.
    """
    recent_s = budget.spend(past_s, now_s)
    if recent_s is not None:
        return FaultVerdict.RESTART, recent_s
    return FaultVerdict.BREAK if is_parking else FaultVerdict.PARK, ()
