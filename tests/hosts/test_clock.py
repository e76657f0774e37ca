"""A host's clock can be set while its programs run, and theirs alone."""

import sys
from pathlib import Path

import pytest

from placet.actors.clock import wall_s
from tests.endtoend.processes import PATIENCE_S
from tests.hosts.clock import HostClock
from tests.hosts.fixture import need_clock
from tests.hosts.hosts import Hosts

PROGRAM = """
import datetime, pathlib, time
before_s = time.monotonic()
while not pathlib.Path("set").exists():
    time.sleep(0.01)
for now_s in (time.time(), datetime.datetime.now().timestamp(), time.time_ns() / 1e9, before_s - time.monotonic()):
    print(now_s)
"""


@pytest.mark.hosts(1)
@pytest.mark.parametrize("ahead_s", [3_600, -3_600])
def test_a_clock_that_is_set_while_a_program_runs_is_seen_by_it_and_nobody_else(
    hosts: Hosts, tmp_path: Path, ahead_s: int
) -> None:
    need_clock()
    clock = HostClock(tmp_path / "ahead")
    program = hosts["a"].popen([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=clock.env)
    clock.set_ahead(ahead_s)
    (tmp_path / "set").touch()
    out, err = program.communicate(timeout=PATIENCE_S)
    *walls_s, monotonic_s = map(float, out.split())
    assert walls_s == pytest.approx([wall_s() + ahead_s] * 3, abs=PATIENCE_S), err
    assert -PATIENCE_S < monotonic_s < 0.0  # it only goes forward
