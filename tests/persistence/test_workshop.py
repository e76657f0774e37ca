"""A file that is made in a workshop is there whole under its name, or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from placet.persistence.copy_errors import CopyExists, CopyFailed
from placet.persistence.workshop import publish, workshop


def make(target: Path, content: str = "content") -> None:
    with workshop(target) as folder:
        made = folder / "made"
        made.write_text(content)
        publish(made, target)


def fail_half_way(target: Path, error: Exception) -> None:
    with workshop(target) as folder:
        (folder / "made").write_text("half")
        raise error


def test_a_finished_file_is_for_its_user_only_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    make(tmp_path / "file")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "content"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    make(tmp_path / "file")
    with pytest.raises(CopyExists, match="exists already and is left as it is"):
        make(tmp_path / "file", "other")
    with workshop(tmp_path / "late") as folder:
        (folder / "made").write_text("mine")
        (tmp_path / "late").write_text("theirs")  # somebody is quicker
        with pytest.raises(CopyExists):
            publish(folder / "made", tmp_path / "late")
    assert (tmp_path / "file").read_text() == "content"
    assert (tmp_path / "late").read_text() == "theirs"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "late"]


def test_a_link_that_leads_nowhere_counts_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to(tmp_path / "nowhere")
    with pytest.raises(CopyExists):
        make(tmp_path / "file")


def test_what_fails_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        fail_half_way(tmp_path / "file", KeyError())
    with pytest.raises(CopyFailed, match="No space left"):
        fail_half_way(tmp_path / "file", OSError(28, os.strerror(28)))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CopyFailed, match="create it first"):
        make(tmp_path / "none" / "file")


def test_what_a_killed_process_left_of_the_same_file_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = [tmp_path / f".{name}.partial-{pid}-x" for name, pid in (("file", ended.pid), ("other", ended.pid))]
    left.append(tmp_path / f".file.partial-{os.getpid()}-x")  # of a process that is alive
    for folder in left:
        folder.mkdir()
    make(tmp_path / "file")
    assert [folder.exists() for folder in left] == [False, True, True]
