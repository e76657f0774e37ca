"""The hot path of the kernel, compiled where a wheel is to bring it so: `PLACET_COMPILE=1 pip wheel .`.

All else about the build stands in pyproject.toml and setup.cfg. Without that variable the wheel is pure Python, which
does the same, more slowly. Compiling takes a C compiler, mypy (which brings mypyc), and the dependencies, whose types
make the difference: hence `--no-build-isolation`. Why these modules: docs/decisions/0028-compiled-kernel.md.
"""

import configparser
import os
import shutil
from pathlib import Path
from typing import Any

from setuptools import setup  # type: ignore[import-untyped]  # its stubs are not wanted for one call

SOURCES = Path("build/sources")  # the folders under their import name, as the compiler must find them

COMPILED = (
    "actors/choice.py",
    "actors/composite.py",
    "actors/delays.py",
    "actors/delivery.py",
    "actors/derivation.py",
    "actors/guards.py",
    "actors/interventions.py",
    "actors/kernel.py",
    "actors/mailboxes.py",
    "actors/memory.py",
    "actors/outbox.py",
    "actors/pending.py",
    "actors/place.py",
    "actors/receive.py",
    "actors/slots.py",
    "actors/timers.py",
    "actors/token_interventions.py",
    "actors/turn.py",
    "actors/usercode.py",
    "actors/workflow.py",
    "persistence/keys.py",
    "petri/agenda.py",
    "petri/matching.py",
    "petri/plan.py",
)


def compiled() -> list[Any]:  # `Any`: an extension of setuptools or of distutils, mypyc leaves open which
    """Return the modules to be compiled. Raises `SystemExit`, with the reason, where that cannot be done."""
    try:
        from mypyc.build import mypycify  # noqa: PLC0415 - wanted here only
    except ImportError:
        raise SystemExit("placet: PLACET_COMPILE=1 needs mypy; install it, or unset PLACET_COMPILE") from None
    shutil.rmtree(SOURCES, ignore_errors=True)
    parser = configparser.ConfigParser()
    parser.read("setup.cfg", encoding="utf-8")
    for line in parser["options"]["package_dir"].strip().splitlines():
        package, _, folder = line.partition("=")
        target = SOURCES / package.strip().replace(".", "/")
        target.mkdir(parents=True, exist_ok=True)
        for file in Path(folder.strip()).glob("*.py"):
            shutil.copy(file, target)
    paths = [str(SOURCES / "placet" / module) for module in COMPILED]
    # The project's own settings would find each module a second time, where it lies; and they have been checked before.
    return mypycify(
        ["--config-file=", "--follow-imports=silent", "--ignore-missing-imports", *paths], group_name="placet"
    )


setup(ext_modules=compiled() if os.environ.get("PLACET_COMPILE") == "1" else [])
