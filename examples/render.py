"""Tiles of a picture, computed in worker processes: one list, one firing; and a worker that dies harms nobody.

    python examples/render.py [STATE]

`render` runs once for each tile. One tile takes its process down the first time, as a bug in a C library would: its
attempt fails and is tried again. `publish` is an `async def`.
"""

import asyncio
import os
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import cast

from placet import Context, Retry, Runtime, Workflow

SIZE, TILES, DEPTH = 48, 4, 60

render_picture = Workflow("render")
tiles, shades, published = render_picture.places("tiles shades published")


@render_picture.transition(tiles >> shades, run="parallel", retry=Retry(attempts=3, first_s=0.1), timeout_s=60)
def render(tile: int, context: Context) -> list[str]:
    """Return the lines of one tile of the Mandelbrot set."""
    if tile == 2 and context.attempt == 1:
        os._exit(11)
    rows = range(tile * SIZE // 2 // TILES, (tile + 1) * SIZE // 2 // TILES)
    return ["".join(shade(x / SIZE * 3 - 2, row / SIZE * 5 - 1.25) for x in range(SIZE)) for row in rows]


def shade(x: float, y: float) -> str:
    """Return how fast a point escapes."""
    point = step = complex(x, y)
    for depth in range(DEPTH):
        if abs(step) > 2:
            return " .:-=+*#"[min(7, depth // 3)]
        step = step * step + point
    return "@"


@render_picture.transition(shades >> published)
async def publish(picture: list[list[str]]) -> list[str]:
    """Return the picture, as a slow service would."""
    await asyncio.sleep(0.01)
    return [line for tile in picture for line in tile]


def main(state: Path) -> None:
    with Runtime(state, [render_picture]) as runtime:
        instance = runtime.spawn(render_picture, {tiles: [list(range(TILES))]}, id="picture")
        [picture] = instance.result(timeout_s=60)["published"]
        print("\n".join(cast("list[str]", picture)))
        for _, record in instance.history():
            if record.kind in ("attempt_failed", "fired"):
                print(f"{record.transition}: {record.kind} at attempt {record.attempt}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else mkdtemp(prefix="placet-render-")))
