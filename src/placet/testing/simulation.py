"""Whole engines under virtual time, driven by a seed: everything that can happen, in any order, at any moment.

The same seed gives the same trace, byte for byte. Every commit is checked; in the end faults stop, and
everything must come to an end or be truly stuck.
"""

import traceback
from contextlib import nullcontext

from placet.testing.cluster import Cluster
from placet.testing.errors import Violation
from placet.testing.outcome import Outcome
from placet.testing.probes import probed
from placet.testing.setting import draw_settings

STEPS = 1_000


def simulate(seed: int, steps: int = STEPS, *, faults: bool = True) -> Outcome:
    """Run one seed for `steps` steps of its scheduler and then to the end; what broke is in `violation`.

    Without `faults` no actor is made to raise.
    """
    settings = draw_settings(seed)
    outcome = settings[0].outcome
    with probed(settings[0].probe) if faults else nullcontext():
        try:
            cluster = Cluster(settings)
            cluster.play(steps)
            cluster.finish()
        except Violation as violation:
            outcome.violation = violation
        except Exception:  # whatever a kernel lets out would end a real engine
            outcome.violation = Violation("nothing is raised by a kernel", traceback.format_exc())
    if outcome.violation is not None:
        settings[0].say(f"VIOLATION {outcome.violation}")
    outcome.commits = sum(setting.store.commits for setting in settings)
    outcome.fired = sum(setting.checks.fired for setting in settings)
    return outcome
