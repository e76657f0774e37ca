"""Epigenomics: reads of DNA, split into chunks that go through four programs each, mapped and merged.

Source: G. Juve et al., "Characterizing and profiling scientific workflows", Future Generation Computer
Systems 29(3), 2013; in the form that WfCommons records (https://wfcommons.org), which has seven lanes of
twenty chunks in 577 tasks. Runtimes are of the order recorded there, in seconds.
"""

from placet.traces.sketch import Sketch

_LANES = 7  # at most
_ENDING = 3  # tasks after the lanes
_LANE, _CHUNK = 2, 4  # tasks a lane has besides its chunks, and tasks a chunk


def fits(tasks: int) -> bool:
    """True where an epigenomics of exactly so many tasks exists: 9, and odd numbers from 13 on."""
    return _split(tasks) is not None


def draw(sketch: Sketch, tasks: int) -> None:
    """Draw an epigenomics of `tasks` tasks, its chunks shared out evenly among up to seven lanes."""
    split = _split(tasks)
    assert split is not None, tasks
    lanes, chunks = split
    each, over = divmod(chunks, lanes)
    merged = [_draw_lane(sketch, each + (lane < over)) for lane in range(lanes)]
    whole = sketch.task("mapMerge", merged, 20.0, 40.0)
    indexed = sketch.task("chr21", [whole], 40.0, 47.0)
    sketch.task("pileup", [indexed], 30.0, 56.0)


def _split(tasks: int) -> tuple[int, int] | None:
    """Return (lanes, chunks) for so many tasks, or None: as many lanes as have two chunks each, or one."""
    for least in (2, 1):
        for lanes in range(_LANES, 0, -1):
            chunks, over = divmod(tasks - _ENDING - _LANE * lanes, _CHUNK)
            if not over and chunks >= least * lanes:
                return lanes, chunks
    return None


def _draw_lane(sketch: Sketch, chunks: int) -> str:
    """Draw one lane and return the id of the task that merges it."""
    lane = sketch.task("fastqSplit", [], 3.0 * chunks, 20.0 * chunks)
    return sketch.task("mapMerge", [_draw_chunk(sketch, lane) for _ in range(chunks)], 2.0, 12.0)


def _draw_chunk(sketch: Sketch, lane: str) -> str:
    clean = sketch.task("filterContams", [lane], 0.8, 30.0)
    recoded = sketch.task("sol2sanger", [clean], 0.1, 28.0)
    packed = sketch.task("fast2bfq", [recoded], 0.2, 8.8)
    return sketch.task("map", [packed], 30.0, 83.0)
