"""Checks of what a declaration says about the host of a handler, each a clear error at the line that errs."""

from placet.petri.behaviour import HYBRID, INLINE
from placet.petri.location import Site
from placet.petri.requirement import Remote, Requires


def split_run(run: str | Remote | None) -> tuple[str | None, bool]:
    """Return the name of the executor, or None, and whether any host will do."""
    return (run.run, True) if isinstance(run, Remote) else (run, False)


def checked_requires(requires: object, site: Site) -> Requires | None:
    """Return what a host must have; None is the same as nothing. Raises where it is something else altogether."""
    if requires is not None and not isinstance(requires, Requires):
        raise site.error(f"requires={requires!r} is no requirement", "write requires=Requires(gpu=1)")
    return requires or None


def check_placed(run: object, requires: Requires | None, is_remote: bool, site: Site) -> None:
    """Raise where the host of a handler is asked for, and its executor leaves no choice of host."""
    if run not in (INLINE, HYBRID) or not (requires or is_remote):
        return
    what = f"requires={requires!r}" if requires else f"run=Remote({run!r})"
    why = "runs in the engine itself" if run == INLINE else "moves handlers within one host"
    raise site.error(f"{what}: run={run!r} {why}", "use run='thread' or run='process'")


def check_has_handler(has_handler: bool, requires: Requires | None, is_remote: bool, site: Site) -> None:
    """Raise where a host is asked for a transition that runs nothing."""
    if not has_handler and (requires or is_remote):
        what = f"requires={requires!r}" if requires else "run=Remote()"
        raise site.error(f"{what}, and it has no handler to run there", "give it one, or leave that out")
