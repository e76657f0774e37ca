"""`python -m benchmarks`: every figure can be had. How good they are is not a matter for a test."""

import json
from pathlib import Path

import pytest

from benchmarks.catalogue import chosen
from tests.endtoend.processes import finished
from tests.hosts.fixture import need_hosts

LONGEST_S = 240.0  # a bound for what takes a few seconds, and begins eight nodes one after the other
UNITS = {
    "L1.thread": "firings/s",
    "L1.async": "firings/s",
    "L1.inline": "firings/s",
    "L1.thread_beside_cpu": "firings/s",
    "waiting.anonymous_mb": "MB",
    "waiting.decisions": "1/s",
    "waiting.list_s": "s",
    "waiting.threads": "threads",
    "L2.thread": "s",
    "L3.p50": "ms",
    "L3.p99": "ms",
    "L3.commits": "commits",
    "L3.p50_over_11_commits": "ratio",
    "process.fanout": "ratio",
    "flat.tokens1000": "ratio",
    "flat.tokens100000": "ratio",
    "flat.transitions5000": "ratio",
    "flat.transitions10000": "ratio",
    "flat.spawn_ms": "ms",
    "flat.wake_ms": "ms",
    "calls.rate": "calls/s",
    "calls.rate_thread": "calls/s",
    "nested.fused_s": "s",
    "nested.called_s": "s",
    "million.fill_s": "s",
    "million.wake_s": "s",
    "million.beside_ms": "ms",
    "million.anonymous_mb": "MB",
    "million.firing_us": "us",
    "values.large_s": "s",
    "values.large_peak_mb": "MB",
    "values.stream_mb": "MB",
    "values.stream_rate": "MB/s",
    "values.kept_mb": "MB",
    "spawn.rate": "instances/s",
    "sleeping.anonymous_mb": "MB",
    "sleeping.restart_s": "s",
    "age.step10_vs_step100000": "ratio",
    "cluster.tokens": "tokens/s",
    "cluster.hop_p50": "ms",
    "cluster.hop_p99": "ms",
    "cluster.engines2": "ratio",
    "cluster.engines4": "ratio",
    "cluster.spawns1": "spawns/s",
    "cluster.spawns16": "spawns/s",
    "hosts.tokens": "tokens/s",
    "hosts.hop_p50": "ms",
    "hosts.hop_p99": "ms",
    "limit.commit": "ms",
    "limit.puts": "puts/s",
    "limit.dispatch": "calls/s",
    "limit.fdatasync": "ms",
}


FAMILIES = (
    ("L1", "L2", "L3", "limit", "peer"),
    ("age", "process", "sleeping", "spawn", "waiting"),
    ("calls", "flat", "million", "nested", "values"),
    ("cluster",),
    ("hosts",),
)
NODES = ("cluster", "hosts")  # each of their figures begins nodes


@pytest.mark.parametrize(
    "families",
    [pytest.param(one, marks=pytest.mark.slow if one[0] in NODES else (), id="-".join(one)) for one in FAMILIES],
)
def test_every_figure_has_its_unit_and_a_value(families: tuple[str, ...], tmp_path: Path) -> None:
    if "hosts" in families:
        need_hosts()
    command = ["-m", "benchmarks", *families, "--quick", "--kernel", "source", "--json", "--dir", str(tmp_path)]
    code, out, err = finished(command, cwd=tmp_path, within_s=LONGEST_S)
    assert code == 0, err
    figures = {figure["name"]: figure for figure in map(json.loads, out.splitlines())}
    wanted = {name: unit for name, unit in UNITS.items() if name.partition(".")[0] in families}
    units = {name: figure["unit"] for name, figure in figures.items() if name.partition(".")[0] in families}
    assert units | wanted == units, "each is there, with its unit"
    assert units.keys() - wanted.keys() <= {"peer.dbos"}
    assert all(figure["value"] > 0 and figure["kernel"] == "source" for figure in figures.values())
    if "L3" in families:
        assert figures["L3.commits"]["value"] == 11, "ten steps are eleven commits"


def test_chosen_figures_come_with_the_limits_they_are_held_against(tmp_path: Path) -> None:
    listed = finished(["-m", "benchmarks", "--list"], cwd=tmp_path)
    names = set(listed[1].split())
    assert names == {*UNITS, "peer.dbos"}
    assert {name.partition(".")[0] for name in names} == {family for families in FAMILIES for family in families}
    code, out, err = finished(
        ["-m", "benchmarks", "L2.thread", "--quick", "--kernel", "source", "--dir", str(tmp_path)], cwd=tmp_path
    )
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines()] == ["figure", "limit.puts", "L2.thread", "kernel:"]
    assert finished(["-m", "benchmarks", "L9"], cwd=tmp_path)[0] == 2


def test_a_name_means_itself_or_all_that_begin_with_it() -> None:
    assert chosen(["calls.rate"]) == ("calls.rate",)
    assert chosen(["calls.r"]) == ("calls.rate", "calls.rate_thread")
    assert {"million.fill_s", "million.wake_s"} < set(chosen(["million"]))
    with pytest.raises(LookupError, match="--list"):
        chosen(["nothing"])
