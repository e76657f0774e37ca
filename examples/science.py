"""A scientific workflow: mosaics of the sky in 58 tasks, generated in the shape of Montage, then run.

Run `python examples/science.py [STATE_DIR]`; stop it whenever you like and run it again: it goes on where it was.
"""

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from placet import Runtime
from placet.traces.conversion import entry_tokens, trace_workflow
from placet.traces.generator import generate_file
from placet.traces.reader import load_trace


def main(state: str, folder: Path) -> None:
    print(generate_file("montage", 58, folder / "montage.json"))  # the same file in every run
    trace = load_trace(folder / "montage.json")
    programs = {task.id: task.name for task in trace.tasks}
    for number, level in enumerate(trace.levels(), 1):
        print(f"level {number}: {len(level):2} × {programs[level[0]]}")
    workflow = trace_workflow(trace, time_scale=0.05)  # a recorded second takes a twentieth
    with Runtime(state, workflows=[workflow]) as runtime:
        instance = runtime.spawn(workflow, entry_tokens(workflow), id="sky")
        pictures = instance.result(timeout_s=60)
        counted = Counter(record.transition for _, record in instance.history() if record.kind == "fired")
    print(f"{len(pictures)} pictures: {', '.join(str(values[0]) for values in pictures.values())}")
    print(f"{len(counted)} of {len(trace.tasks)} tasks counted, none more often than {max(counted.values())} time")


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        main(sys.argv[1] if len(sys.argv) > 1 else "state", Path(temporary))
