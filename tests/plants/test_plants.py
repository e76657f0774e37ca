"""Bugs planted on purpose: the general invariants of the simulation find each of them."""

from pathlib import Path

import pytest

from tests.plants.garden import hunt, hunt_restores, planted, unit_tests
from tests.plants.later_plants import LATER_PLANTS
from tests.plants.plants import PLANTS, Plant
from tests.plants.restore_plants import RESTORE_PLANTS
from tests.plants.shard_plants import SHARD_PLANTS

ALL = (*PLANTS, *LATER_PLANTS, *SHARD_PLANTS)
SEEDS = 1_000  # within which each must be caught


def named(plant: Plant) -> str:
    return plant.name.replace(" ", "-")


@pytest.mark.parametrize("plant", [*ALL, *RESTORE_PLANTS], ids=named)
def test_a_plant_fits_into_the_code(plant: Plant, tmp_path: Path) -> None:
    source = planted(plant, tmp_path)
    for edit in plant.edits:
        compile((source.parent / edit.file).read_text(encoding="utf-8"), edit.file, "exec")


@pytest.mark.slow
@pytest.mark.simulation
@pytest.mark.parametrize("plant", ALL, ids=named)
def test_a_plant_is_caught(plant: Plant, tmp_path: Path) -> None:
    catch = hunt(planted(plant, tmp_path), seeds=SEEDS)
    assert catch is not None, f"{plant.name} was not noticed by {SEEDS} seeds: {plant.what}"


@pytest.mark.slow
@pytest.mark.simulation
@pytest.mark.parametrize("plant", RESTORE_PLANTS, ids=named)
def test_a_plant_in_restores_is_caught(plant: Plant, tmp_path: Path) -> None:
    catch = hunt_restores(planted(plant, tmp_path), seeds=SEEDS)
    assert catch is not None, f"{plant.name} was not noticed by {SEEDS} seeds: {plant.what}"


def test_half_of_ten_plants_or_more_are_silent() -> None:
    assert len(ALL) >= 10
    assert sum(plant.is_silent for plant in ALL) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("plant", [plant for plant in ALL if plant.is_silent], ids=named)
def test_a_silent_plant_is_seen_by_no_unit_test(plant: Plant, tmp_path: Path) -> None:
    planted(plant, tmp_path)
    assert not unit_tests(tmp_path), "a unit test catches it now: it is silent no more"
