from collections.abc import Callable
from pathlib import Path

import pytest

from placet.cli.main import main
from tests.cli.commands import QUICK, SLOW, Answer

Call = Callable[..., Answer]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command within this process: quicker, for what needs no process of its own."""

    def called(*arguments: object) -> Answer:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Answer(code=code, out=out, err=err)

    return called


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    path = tmp_path / f"quick_{tmp_path.name}.py"  # a name of its own: modules stay loaded
    path.write_text(QUICK, encoding="utf-8")
    return path


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    path = tmp_path / f"slow_{tmp_path.name}.py"
    path.write_text(SLOW, encoding="utf-8")
    return path
