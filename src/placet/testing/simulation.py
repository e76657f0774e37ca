"""A whole engine under virtual time, driven by a seed: everything that can happen, in any order, at any moment.

The same seed gives the same trace, byte for byte. Every commit is checked; in the end faults stop, and
everything must come to an end or be truly stuck.
"""

import traceback

from placet.testing.actions import Actions
from placet.testing.ending import Ending
from placet.testing.errors import Violation
from placet.testing.outcome import Outcome
from placet.testing.probes import probed
from placet.testing.scheduler import Scheduler
from placet.testing.setting import draw_setting

STEPS = 1_000


def simulate(seed: int, steps: int = STEPS) -> Outcome:
    """Run one seed for `steps` steps of its scheduler and then to the end; what broke is in `violation`."""
    setting = draw_setting(seed)
    outcome = setting.outcome
    actions = Actions(setting)
    with probed(setting.probe):
        try:
            Scheduler(actions).play(steps)
            Ending(actions).finish()
        except Violation as violation:
            outcome.violation = violation
        except Exception:  # whatever a kernel lets out would end a real engine
            outcome.violation = Violation("nothing is raised by a kernel", traceback.format_exc())
    if outcome.violation is not None:
        setting.say(f"VIOLATION {outcome.violation}")
    outcome.commits, outcome.fired = setting.store.commits, setting.checks.fired
    return outcome
