"""The figures of the network between hosts can be had. How good they are is not a matter for a test."""

from pathlib import Path

from benchmarks.setting import Setting
from benchmarks.wire import wire
from tests.hosts.fixture import need_hosts


def test_every_figure_of_the_wire_has_its_unit_and_a_value(tmp_path: Path) -> None:
    need_hosts()
    figures = {figure.name: figure for figure in wire(Setting(directory=tmp_path, is_quick=True))}
    assert {name: figure.unit for name, figure in figures.items()} == {
        f"wire.{wiring}_{what}": unit
        for wiring in ("switch", "bridge")
        for what, unit in (("messages", "messages/s"), ("bytes", "MB/s"), ("round_trip", "ms"))
    }
    assert all(figure.value > 0 for figure in figures.values())
