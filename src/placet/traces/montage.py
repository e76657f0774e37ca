"""Montage: mosaics of the sky, one for each colour and one of all colours.

Source: G. Juve et al., "Characterizing and profiling scientific workflows", Future Generation Computer
Systems 29(3), 2013; in the form that WfCommons records today (https://wfcommons.org), which asks for 58
tasks where each of three colours has four images. Runtimes are of the order measured there, in seconds.
"""

from math import ceil, sqrt

from placet.traces.sketch import Sketch

_COLOURS = 3
_COLOURED_FROM = 49  # tasks; from here on each colour has enough for any number of tasks to come out
_FIXED = 5  # tasks a mosaic has besides those for images and overlaps


def fits(tasks: int) -> bool:
    """True where a montage of exactly so many tasks exists: 10, 13, 14, and 16 or more."""
    return tasks >= _COLOURED_FROM or _images(tasks) is not None


def draw(sketch: Sketch, tasks: int) -> None:
    """Draw a montage of `tasks` tasks: one mosaic, or from 49 tasks on one a colour and the picture of all."""
    if tasks < _COLOURED_FROM:
        _draw_mosaic(sketch, tasks)
        return
    each, over = divmod(tasks - 1, _COLOURS)
    added = [_draw_mosaic(sketch, each + (colour < over)) for colour in range(_COLOURS)]
    sketch.task("mViewer", added, 2.0, 4.1)


def _images(tasks: int) -> int | None:
    """Return how many images a mosaic of so many tasks has, or None: each takes two tasks, each overlap one."""
    images = 2
    while 2 * images + _FIXED + _overlap_count(images) < tasks:
        images += 1
    connected = images - 1  # overlaps without which the images would fall apart
    return images if tasks >= 2 * images + _FIXED + connected else None


def _overlap_count(images: int) -> int:
    """Return `len(_overlaps(images))` without building the list."""
    columns = ceil(sqrt(images))
    rows, rest = divmod(images, columns)
    count = rows * (columns - 1) + max(0, rest - 1)  # with the image to the left
    count += images - columns  # above
    count += 2 * (rows - 1) * (columns - 1)  # above to the left and to the right
    return count + (rest - 1 + min(rest, columns - 1) if rest else 0)


def _overlaps(images: int) -> list[tuple[int, int]]:
    """Return which images of a nearly square grid overlap: first the pairs that connect all, diagonals last."""
    columns = ceil(sqrt(images))
    ranked: list[tuple[int, int, int]] = []
    for image in range(1, images):
        column = image % columns
        left, above = column > 0, image >= columns
        if left:
            ranked.append((0, image - 1, image))
        if above:
            ranked.append((1 if left else 0, image - columns, image))
        if above and left:
            ranked.append((2, image - columns - 1, image))
        if above and column < columns - 1:
            ranked.append((2, image - columns + 1, image))
    return [(first, second) for _, first, second in sorted(ranked)]


def _draw_mosaic(sketch: Sketch, tasks: int) -> str:
    """Draw one mosaic and return the id of the task that adds it up."""
    images = _images(tasks)
    assert images is not None, tasks
    overlaps = _overlaps(images)[: tasks - 2 * images - _FIXED]
    projected = [sketch.task("mProject", [], 1.2, 2.3) for _ in range(images)]
    fitted = [sketch.task("mDiffFit", [projected[first], projected[second]], 0.5, 0.9) for first, second in overlaps]
    concatenated = sketch.task("mConcatFit", fitted, 0.02 * len(fitted), 0.03 * len(fitted))
    model = sketch.task("mBgModel", [concatenated], 0.05 * len(fitted), 0.07 * len(fitted))
    corrected = [sketch.task("mBackground", [image, model], 1.2, 2.3) for image in projected]
    table = sketch.task("mImgtbl", corrected, 0.02 * images, 0.03 * images)
    added = sketch.task("mAdd", [*corrected, table], 0.12 * images, 0.16 * images)
    sketch.task("mViewer", [added], 1.4, 2.6)
    return added
