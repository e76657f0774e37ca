"""Many seeds from the command line: `python -m placet.testing.simulate --seeds 0:2000 --jobs 2`.

It fails at the first seed that breaks a promise, and unless every type of message met every crash point;
`--seed 1234 --trace` runs one again and shows what it did.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import islice

from placet.actors.compiled import IS_COMPILED
from placet.testing.coverage import Coverage
from placet.testing.outcome import DIGEST_BYTES, Outcome
from placet.testing.simulation import STEPS, simulate

_CHUNK = 10  # seeds a worker takes at a time


@dataclass(slots=True)
class Summary:
    """What came of many seeds, up to the first that failed."""

    seeds: int = 0
    crashes: int = 0
    commits: int = 0
    fired: int = 0
    failed: Outcome | None = None
    coverage: Coverage = field(default_factory=Coverage)
    digest: bytes = bytes(DIGEST_BYTES)  # of all traces

    def add(self, outcome: Outcome, digest: bytes) -> None:
        """Count one more, with the digest of its trace."""
        self.digest = blake2b(self.digest + digest, digest_size=DIGEST_BYTES).digest()
        self.seeds += 1
        self.crashes += outcome.crashes
        self.commits += outcome.commits
        self.fired += outcome.fired
        self.coverage.add(outcome.coverage)
        if outcome.violation is not None and self.failed is None:
            self.failed = outcome

    def __str__(self) -> str:
        return f"{self.seeds} seeds, {self.crashes} crashes, {self.commits} commits, {self.fired} firings"


def outcomes(
    seeds: Iterable[int], *, steps: int = STEPS, jobs: int = 1, faults: bool = True
) -> Iterator[tuple[Outcome, bytes]]:
    """Yield what comes of each seed, in their order, and the digest of its trace, which is kept where it failed."""
    one = partial(_quietly, steps=steps, faults=faults)
    if jobs == 1:
        yield from map(one, seeds)
        return
    waiting = iter(seeds)
    with ProcessPoolExecutor(jobs) as pool:
        while batch := list(islice(waiting, jobs * _CHUNK * 5)):
            yield from pool.map(one, batch, chunksize=_CHUNK)


def _quietly(seed: int, steps: int, *, faults: bool) -> tuple[Outcome, bytes]:
    outcome = simulate(seed, steps, faults=faults)
    digest = outcome.digest()
    if outcome.violation is None:
        outcome.trace.clear()
    return outcome, digest


def run(seeds: Iterable[int], *, steps: int = STEPS, jobs: int = 1) -> Summary:
    """Run seeds until one fails, and return the summary."""
    summary = Summary()
    for outcome, digest in outcomes(seeds, steps=steps, jobs=jobs):
        summary.add(outcome, digest)
        if summary.failed is not None:
            break
    return summary


def reproduction(outcome: Outcome) -> str:
    """Return the command that runs a seed again."""
    return f"python -m placet.testing.simulate --seed {outcome.seed} --trace"


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 0 is success."""
    parser = argparse.ArgumentParser(prog="python -m placet.testing.simulate", description=__doc__)
    parser.add_argument("--seeds", default="0:200", help="from:to, the last one left out")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of the scheduler a seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--no-faults", action="store_true", help="let no actor raise: compiled ones cannot be made to")
    parser.add_argument("--digest", action="store_true", help="print a digest of all traces")
    parser.add_argument("--trace", action="store_true", help="with --seed: show what happened")
    options = parser.parse_args(arguments)
    faults = not options.no_faults
    if faults and IS_COMPILED:
        parser.error("the actors are compiled, and cannot be made to raise; add --no-faults")
    if options.seed is not None:
        return _one(simulate(options.seed, options.steps, faults=faults), trace=options.trace)
    first, last = (int(number) for number in options.seeds.split(":"))
    return _many(range(first, last), options.steps, options.jobs, faults=faults, prints_digest=options.digest)


def _one(outcome: Outcome, *, trace: bool) -> int:
    lines = outcome.trace if trace else outcome.trace[-1:]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    if outcome.violation is not None:
        _complain(f"seed {outcome.seed} breaks {outcome.violation}")
    return 0 if outcome.violation is None else 1


def _many(seeds: range, steps: int, jobs: int, *, faults: bool, prints_digest: bool) -> int:
    summary = Summary()
    for outcome, digest in outcomes(seeds, steps=steps, jobs=jobs, faults=faults):
        summary.add(outcome, digest)
        if outcome.violation is not None:
            _complain(f"\nseed {outcome.seed} breaks {outcome.violation}\nagain: {reproduction(outcome)}")
            return 1
        if summary.seeds % 50 == 0 or summary.seeds == len(seeds):
            sys.stderr.write(f"\r{summary} ")
            sys.stderr.flush()
    sys.stderr.write("\n")
    if prints_digest:
        sys.stdout.write(f"{summary.digest.hex()}\n")
    missing = summary.coverage.missing() if faults else []
    if missing:
        _complain(f"{len(missing)} crash points were not met:\n" + "\n".join(missing))
    return 1 if missing else 0


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
