"""One import name is made of several top-level folders: the list, the links and the loaded names agree."""

import configparser
import os
import subprocess
import sys

from tests.project.sources import EVERYTHING, PARTS, PRODUCT, ROOT, imported_modules, python_files, sources

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys, placet
for module in pkgutil.walk_packages(placet.__path__, "placet."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sys.modules)
"""


def package_of(folder: str) -> str:
    return (
        folder.removeprefix("src/").replace("/", ".")
        if folder.startswith("src/")
        else f"placet.{folder}".replace("/", ".")
    )


def code_folders() -> dict[str, str]:
    """Return package name to folder, for each folder of the product that holds code."""
    folders = {path.parent.relative_to(ROOT).as_posix() for part in PRODUCT for path in python_files(part)}
    return {package_of(folder): folder for folder in folders}


def shipped() -> configparser.SectionProxy:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser["options"]


def test_setup_cfg_ships_every_folder_that_holds_code() -> None:
    assert shipped()["packages"].split() == sorted(code_folders())


def test_setup_cfg_maps_every_package_to_its_real_folder() -> None:
    pairs = (line.split("=") for line in shipped()["package_dir"].strip().splitlines())
    assert {package.strip(): folder.strip() for package, folder in pairs} == code_folders()


def test_every_package_has_an_init_file() -> None:
    assert [folder for folder in code_folders().values() if not (ROOT / folder / "__init__.py").is_file()] == []


def test_every_part_has_a_relative_link_that_resolves() -> None:
    links = {path.name: path for path in (ROOT / "src/placet").iterdir() if path.is_symlink()}
    assert sorted(links) == sorted(PARTS)
    for name, link in links.items():
        assert os.readlink(link) == f"../../{name}"
        assert link.resolve() == ROOT / name
        assert link.is_dir()


def test_no_file_imports_a_part_under_its_bare_name() -> None:
    bare = {
        source.path: names
        for source in sources(*EVERYTHING)
        if (names := {name.split(".")[0] for name in imported_modules(source)} & set(PARTS))
    }
    assert not bare


def test_no_part_is_loaded_under_its_bare_name() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert loaded.returncode == 0, loaded.stderr
    modules = set(loaded.stdout.split())
    assert {source.module for source in sources(*PRODUCT) if not source.module.endswith("__main__")} <= modules
    assert not {name.split(".")[0] for name in modules} & set(PARTS)
    assert not {name.split(".")[0] for name in sys.modules} & set(PARTS)
