"""What is built holds every module exactly once, under one name."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tests.project.sources import FACADE, PARTS, PRODUCT, ROOT, python_files

pytestmark = pytest.mark.slow  # builds twice


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source archive and from it the wheel, in a copy: a build writes beside its sources."""
    copy, dist = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "setup.cfg", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for folder in (*PARTS, "src"):
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(copy)]
    answer = subprocess.run(build, capture_output=True, text=True, check=False, timeout=300)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return dist


def files() -> list[str]:
    return [path.relative_to(ROOT).as_posix() for part in PRODUCT for path in python_files(part)]


def test_the_wheel_holds_every_module_once_under_placet(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    wanted = [f"placet{path.removeprefix(FACADE)}" if path.startswith(FACADE) else f"placet/{path}" for path in files()]
    assert Counter(names) == Counter([*wanted, "placet/py.typed", "placet/nets/net.schema.json"])


def test_the_source_archive_holds_every_module_once_in_its_own_folder(dist: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = [name.partition("/")[2] for name in opened.getnames()]
    product = tuple(f"{part}/" for part in PRODUCT)
    found = [name for name in names if name.endswith(".py") and name.startswith(product)]
    assert Counter(found) == Counter(files())
    needed = {"LICENSE", "README.md", "pyproject.toml", "setup.cfg", "setup.py", "src/placet/py.typed"}
    assert needed | {"src/placet/nets/net.schema.json"} <= set(names)


def test_the_wheel_carries_its_licence_and_the_command(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    opened = zipfile.ZipFile(wheel)
    (licence,) = [name for name in opened.namelist() if name.endswith("licenses/LICENSE")]
    assert opened.read(licence) == (ROOT / "LICENSE").read_bytes()
    (points,) = [name for name in opened.namelist() if name.endswith("entry_points.txt")]
    assert "placet = placet.cli.main:main" in opened.read(points).decode()
