"""Generated traces: of the published shapes, of the asked size, the same for the same seed, and readable."""

from collections import Counter
from math import ceil, sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.traces.errors import TraceError
from placet.traces.generator import MOST_TASKS, SHAPES, generate, generate_file, nearest_count, write_trace
from placet.traces.reader import load_trace
from placet.traces.trace import Trace

FEW = settings(max_examples=40, deadline=None)
SIZES = st.integers(min_value=1, max_value=400)
LEVELS = {
    "montage": ["mProject", "mDiffFit", "mConcatFit", "mBgModel", "mBackground", "mImgtbl", "mAdd", "mViewer"],
    "epigenomics": [
        *("fastqSplit", "filterContams", "sol2sanger", "fast2bfq", "map", "mapMerge", "mapMerge", "chr21", "pileup"),
    ],
    "forkjoin": ["fork", "work", "join"],
}


def read_back(shape: str, tasks: int, seed: int) -> Trace:
    """Return a generated trace as the reader sees it: acyclic, its parents known, its children in agreement."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "generated.json"
        write_trace(file, generate(shape, tasks, seed))
        return load_trace(file)


def widths(trace: Trace) -> list[int]:
    return [len(level) for level in trace.levels()]


@FEW
@given(shape=st.sampled_from(sorted(SHAPES)), tasks=SIZES, seed=st.integers(min_value=0, max_value=1000))
def test_every_generated_trace_can_be_read_and_has_the_levels_of_its_shape(shape: str, tasks: int, seed: int) -> None:
    trace = read_back(shape, tasks, seed)
    assert len(trace.tasks) == nearest_count(shape, tasks)
    programs = {task.id: task.name for task in trace.tasks}
    assert [{programs[task] for task in level} for level in trace.levels()] == [{name} for name in LEVELS[shape]]
    assert all(task.runtime_s > 0 for task in trace.tasks)


@FEW
@given(tasks=SIZES)
def test_a_montage_has_a_background_an_image_and_a_mosaic_a_colour(tasks: int) -> None:
    trace = read_back("montage", tasks, 0)
    counts = Counter(task.name for task in trace.tasks)
    assert counts["mBackground"] == counts["mProject"]
    assert counts["mAdd"] == counts["mConcatFit"] == counts["mBgModel"] == counts["mImgtbl"]
    assert (counts["mAdd"], counts["mViewer"]) in {(1, 1), (3, 4)}
    assert all(len(task.parents) == 2 for task in trace.tasks if task.name in {"mDiffFit", "mBackground"})


def connected(pairs: list[tuple[str, ...]]) -> list[list[str]]:
    """Return the images of each part that hangs together, in order."""
    part_of = {image: {image} for pair in pairs for image in pair}
    for first, second in pairs:
        together = part_of[first] | part_of[second]
        part_of.update(dict.fromkeys(together, together))
    return [sorted(part) for part in {id(part): part for part in part_of.values()}.values()]


@pytest.mark.parametrize("tasks", [10, 13, 14, *range(16, 61), 200, 500])
def test_the_images_of_a_mosaic_hang_together_and_only_neighbours_overlap(tasks: int) -> None:
    trace = read_back("montage", tasks, 0)
    mosaics = sum(task.name == "mAdd" for task in trace.tasks)
    pairs = [task.parents for task in trace.tasks if task.name == "mDiffFit"]
    assert len(pairs) == len(set(pairs))
    parts = connected(pairs)
    assert len(parts) == mosaics
    assert sum(map(len, parts)) == sum(task.name == "mProject" for task in trace.tasks)
    for part in parts:
        columns = ceil(sqrt(len(part)))
        places = {image: divmod(number, columns) for number, image in enumerate(part)}
        for first, second in (pair for pair in pairs if pair[0] in places):
            (row, column), (other_row, other_column) = places[first], places[second]
            assert max(abs(row - other_row), abs(column - other_column)) == 1


@FEW
@given(tasks=SIZES)
def test_the_chunks_of_an_epigenomics_are_shared_out_evenly(tasks: int) -> None:
    trace = read_back("epigenomics", tasks, 0)
    lanes = Counter(task.parents[0] for task in trace.tasks if task.name == "filterContams")
    assert max(lanes.values()) - min(lanes.values()) <= 1
    assert len(lanes) <= 7


@pytest.mark.parametrize(
    ("tasks", "chunks"), [(9, [1]), (21, [4]), (15, [1, 1]), (99, [4, 4, 4, 3, 3, 3]), (577, [20] * 7)]
)
def test_an_epigenomics_has_as_many_lanes_as_can_be_filled(tasks: int, chunks: list[int]) -> None:
    trace = read_back("epigenomics", tasks, 0)
    assert list(Counter(task.parents[0] for task in trace.tasks if task.name == "filterContams").values()) == chunks


@FEW
@given(shape=st.sampled_from(sorted(SHAPES)), tasks=SIZES)
def test_the_same_arguments_give_the_same_document(shape: str, tasks: int) -> None:
    assert generate(shape, tasks, 3) == generate(shape, tasks, 3)
    assert generate(shape, tasks, 3)["workflow"] != generate(shape, tasks, 4)["workflow"]


@pytest.mark.parametrize(
    ("shape", "tasks", "edges", "levels"),
    [
        ("montage", 58, 114, [12, 18, 3, 3, 12, 3, 3, 4]),
        ("epigenomics", 577, 709, [7, 140, 140, 140, 140, 7, 1, 1, 1]),
        ("forkjoin", 10, 16, [1, 8, 1]),
    ],
)
def test_at_the_size_of_the_published_recordings_the_structure_is_theirs(
    shape: str, tasks: int, edges: int, levels: list[int]
) -> None:
    trace = read_back(shape, tasks, 0)
    assert (len(trace.tasks), trace.edge_count, widths(trace)) == (tasks, edges, levels)


@pytest.mark.parametrize(
    ("shape", "possible", "missing"),
    [
        ("montage", [10, 13, 14, *range(16, 300)], [1, 9, 11, 12, 15]),
        ("epigenomics", [9, *range(13, 300, 2)], [1, 8, 10, 11, 12, 14, 300]),
        ("forkjoin", [*range(3, 300)], [1, 2]),
    ],
)
def test_the_number_of_tasks_is_exact_where_the_shape_allows_it(
    shape: str, possible: list[int], missing: list[int]
) -> None:
    assert [nearest_count(shape, tasks) for tasks in possible] == possible
    known = set(possible)
    for tasks in missing:
        nearest = min(sorted(known), key=lambda one: abs(one - tasks))
        assert nearest_count(shape, tasks) == nearest


def test_a_file_is_written_and_what_was_written_is_told(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    exact = generate_file("montage", 58, file)
    assert str(exact) == f"wrote montage with 58 tasks to {file}"
    assert len(load_trace(file).tasks) == 58
    near = generate_file("epigenomics", 100, file)
    assert near.tasks == 99
    assert str(near) == f"wrote epigenomics with 99 tasks to {file}, the nearest to 100 there is"
    assert len(load_trace(file).tasks) == 99
    assert list(tmp_path.iterdir()) == [file]


def test_a_generated_document_has_all_that_the_published_schema_requires() -> None:
    made: dict[str, Any] = generate("montage", 16)
    execution, specification = made["workflow"]["execution"], made["workflow"]["specification"]
    assert made["schemaVersion"] == "1.5"
    assert {"makespanInSeconds", "executedAt", "tasks"} <= set(execution)
    files = {file["id"] for file in specification["files"]}
    for task in specification["tasks"]:
        assert {"name", "id", "parents", "children"} <= set(task)
        assert set(task["inputFiles"]) | set(task["outputFiles"]) <= files
    runtimes = {run["id"]: run["runtimeInSeconds"] for run in execution["tasks"]}
    assert max(runtimes.values()) < execution["makespanInSeconds"] < sum(runtimes.values())


@pytest.mark.parametrize(
    ("shape", "tasks", "said"),
    [
        ("montag", 20, "there is no shape `montag`; did you mean `montage`?"),
        ("", 20, "the shapes are epigenomics, forkjoin, montage"),
        ("montage", 0, "ask for 1 to 100,000"),
        ("montage", -5, "ask for 1 to 100,000"),
        ("montage", MOST_TASKS + 1, "ask for 1 to 100,000"),
    ],
)
def test_what_cannot_be_generated_is_refused(shape: str, tasks: int, said: str) -> None:
    with pytest.raises(TraceError) as caught:
        generate(shape, tasks)
    assert said in str(caught.value)


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be written"):
        generate_file("forkjoin", 3, tmp_path / "missing" / "f.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(TraceError, match="cannot be written"):
        generate_file("forkjoin", 3, tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
