"""All figures there are, and which function measures which."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks import cluster, hosts
from benchmarks.age import age
from benchmarks.calls import calls, nested
from benchmarks.fanout import process_fanout
from benchmarks.figure import AGAINST, Figure
from benchmarks.flat import flat_tokens, flat_transitions, large_net
from benchmarks.latency import l3
from benchmarks.limits import limits
from benchmarks.million import million
from benchmarks.peer import dbos
from benchmarks.setting import Setting
from benchmarks.sleeping import sleeping
from benchmarks.throughput import l1_async, l1_inline, l1_thread, l1_thread_beside_cpu, l2_thread, spawn_rate
from benchmarks.values import kept_values, large_value, stream
from benchmarks.waiting import waiting

Measure: TypeAlias = Callable[[Setting], list[Figure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Figures that are measured together, in a process of their own."""

    names: tuple[str, ...]
    measure: Measure

    @property
    def name(self) -> str:
        """The group's name: that of its first figure."""
        return self.names[0]


GROUPS: tuple[Group, ...] = (
    Group(names=("limit.fdatasync", "limit.puts", "limit.dispatch"), measure=limits),
    Group(names=("limit.commit", "L3.p50", "L3.p99", "L3.commits", "L3.p50_over_11_commits"), measure=l3),
    Group(names=("L1.thread",), measure=l1_thread),
    Group(names=("L1.async",), measure=l1_async),
    Group(names=("L1.inline",), measure=l1_inline),
    Group(names=("L1.thread_beside_cpu",), measure=l1_thread_beside_cpu),
    Group(names=("L2.thread",), measure=l2_thread),
    Group(names=("flat.tokens1000", "flat.tokens100000"), measure=flat_tokens),
    Group(names=("flat.transitions5000", "flat.transitions10000"), measure=flat_transitions),
    Group(names=("flat.spawn_ms", "flat.wake_ms"), measure=large_net),
    Group(names=("calls.rate", "calls.rate_thread"), measure=calls),
    Group(names=("nested.fused_s", "nested.called_s"), measure=nested),
    Group(
        names=("million.fill_s", "million.wake_s", "million.beside_ms", "million.anonymous_mb", "million.firing_us"),
        measure=million,
    ),
    Group(names=("values.large_s", "values.large_peak_mb"), measure=large_value),
    Group(names=("values.stream_mb", "values.stream_rate"), measure=stream),
    Group(names=("values.kept_mb",), measure=kept_values),
    Group(names=("process.fanout",), measure=process_fanout),
    Group(names=("spawn.rate",), measure=spawn_rate),
    Group(names=("sleeping.anonymous_mb", "sleeping.restart_s"), measure=sleeping),
    Group(names=("waiting.anonymous_mb", "waiting.threads", "waiting.list_s", "waiting.decisions"), measure=waiting),
    Group(names=("age.step10_vs_step100000",), measure=age),
    Group(names=("cluster.tokens",), measure=cluster.tokens),
    Group(names=("cluster.hop_p50", "cluster.hop_p99"), measure=cluster.hop),
    Group(names=("cluster.engines2", "cluster.engines4"), measure=cluster.engines),
    Group(names=("cluster.spawns1", "cluster.spawns16"), measure=cluster.spawns),
    Group(names=("hosts.tokens",), measure=hosts.tokens),
    Group(names=("hosts.hop_p50", "hosts.hop_p99"), measure=hosts.hop),
    Group(names=("peer.dbos",), measure=dbos),
)
NAMES: tuple[str, ...] = tuple(name for group in GROUPS for name in group.names)


def chosen(wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the figures meant by `wanted`, each a name or what several begin with, with their limits.

    Nothing wanted means all. Raises `LookupError` for a name that means none.
    """
    if not wanted:
        return NAMES
    found: set[str] = set()
    for name in wanted:
        meant = {name} & set(NAMES) or {known for known in NAMES if known.startswith(name)}
        if not meant:
            raise LookupError(f"there is no figure {name}; --list shows them all")
        found |= meant
    while more := {AGAINST[name].limit for name in found if name in AGAINST} - found:
        found |= more
    return tuple(name for name in NAMES if name in found)
