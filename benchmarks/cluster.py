"""Nodes in processes of their own: tokens between two engines, how long a hop takes, and what more engines give."""

import json
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from statistics import median, quantiles
from threading import Event, Thread

from benchmarks.cluster_flows import AT_ONCE
from benchmarks.figure import Figure
from benchmarks.setting import PATIENCE_S, Setting
from placet.net.client import Client, cluster_of, connect
from placet.persistence.keys import shard_of

FLOWS = Path(__file__).with_name("cluster_flows.py")
WORKFLOWS = ("flood", "sink", "answering", "asking", "ten", "laps")
OWNS_S = 0.05  # between two looks at who owns what, while a cluster begins


@contextmanager
def process(*words: str, before: Sequence[str] = ()) -> Generator[str]:
    """Run a node in a process of its own, as `before` has it run, and yield where it listens."""
    files = [f"{FLOWS}:{name}" for name in WORKFLOWS]
    command = [*before, sys.executable, "-m", "placet", "node", *files, *words, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["listens_at"]
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        process.stdout.close()


@contextmanager
def client_of(at: str, key: Path, engines: int) -> Generator[Client]:
    """Yield a client of a cluster whose shards are owned by so many engines."""
    with connect(at, key_file=key, timeout_s=PATIENCE_S) as client:
        pause = Event()
        while len(found := {shard.engine for shard in cluster_of(client).shards(PATIENCE_S)}) < engines or "" in found:
            pause.wait(OWNS_S)
        yield client


@contextmanager
def node(setting: Setting, engines: int) -> Generator[Client]:
    """Yield a client of a node with so many engines, on this host."""
    folder = setting.fresh()
    folder.mkdir(parents=True)
    where = ("--listen", "127.0.0.1:0", "--state", str(folder / "state"), "--key-file", str(folder / "key"))
    with process(*where, "--engines", str(engines)) as at, client_of(at, folder / "key", engines) as client:
        yield client


def ids_at(client: Client, prefix: str) -> dict[str, Iterator[str]]:
    """Return endless ids of instances that live in each engine, by the engine's name."""
    owners = {shard.shard: shard.engine for shard in cluster_of(client).shards(PATIENCE_S)}

    def of(engine: str) -> Iterator[str]:
        """Yield ids that live in this one."""
        return (id for id in (f"{prefix}-{n}" for n in count()) if owners[shard_of(id)] == engine)

    return {engine: of(engine) for engine in sorted(set(owners.values()))}


def tokens(setting: Setting) -> list[Figure]:
    """Measure tokens a second from the instances of one engine to those of another, durable at both ends."""
    with node(setting, 2) as client:
        return tokens_between(client, setting, "cluster.tokens", "two engines of one node")


def tokens_between(client: Client, setting: Setting, name: str, where: str) -> list[Figure]:
    """Measure tokens a second from one of the two engines of a cluster to the other one."""
    pairs, firings = setting.pick(32, 2), setting.pick(8, 1)
    ids = zip(("f", "s"), ids_at(client, "x"), strict=True)
    sources, sinks = (list(islice(ids_at(client, prefix)[engine], pairs)) for prefix, engine in ids)
    for sink in sinks:
        client.spawn("sink", {"begun": [None]}, id=sink)
    begin = time.monotonic()
    for source, sink in zip(sources, sinks, strict=True):
        client.spawn("flood", {"orders": [[sink, firings]]}, id=source)
    for sink in sinks:
        client.instance(sink).result(PATIENCE_S)
    total = pairs * firings * AT_ONCE
    rate = total / (time.monotonic() - begin)
    return [
        Figure(
            name=name, value=rate, unit="tokens/s", note=f"{total} tokens between {pairs} pairs of instances, {where}"
        )
    ]


def hop(setting: Setting) -> list[Figure]:
    """Measure how long a message takes to another engine of a node."""
    with node(setting, 2) as client:
        return hop_between(client, setting, "cluster.hop")


def hop_between(client: Client, setting: Setting, name: str) -> list[Figure]:
    """Measure how long a message takes between two engines: half of a call of a child there, and its return."""
    rounds = setting.pick(300, 10)
    halves: list[float] = []
    owners = {shard.shard: shard.engine for shard in cluster_of(client).shards(PATIENCE_S)}
    for n in count():
        id = f"h-{n}"
        if owners[shard_of(id)] == owners[shard_of(f"{id}/ask.2")]:
            continue
        instance = client.spawn("asking", {"todo": [n]}, id=id)
        instance.result(PATIENCE_S)
        at = {record.kind: record.at for _, record in instance.history(PATIENCE_S)}
        halves.append((at["fired"] - at["called"]) / 2 * 1e3)
        if len(halves) >= rounds:
            break
    note = f"half of a call and its return, each of two commits; {rounds} calls, one after the other"
    values = {"p50": median(halves), "p99": quantiles(halves, n=100)[98]}
    return [Figure(name=f"{name}_{which}", value=value, unit="ms", note=note) for which, value in values.items()]


def engines(setting: Setting) -> list[Figure]:
    """Measure firings a second over 1, 2 and 4 engines of a node, inline steps, beside one engine."""
    rates: dict[int, float] = {}
    instances, rounds = setting.pick(256, 8), setting.pick(100, 2)
    for number in (1, 2, 4):
        with node(setting, number) as client:
            begin = time.monotonic()
            for n in range(instances):
                client.spawn("laps", {"p0": [rounds]}, id=f"l-{n}", timeout_s=PATIENCE_S)
            for n in range(instances):
                client.instance(f"l-{n}").result(PATIENCE_S)
            rates[number] = instances * rounds * 10 / (time.monotonic() - begin)
    note = f"{instances} instances, ten inline steps {rounds} times; ratio to one engine, which made {rates[1]:,.0f}/s"
    return [
        Figure(name=f"cluster.engines{number}", value=rates[number] / rates[1], unit="ratio", note=note)
        for number in (2, 4)
    ]


def spawns(setting: Setting) -> list[Figure]:
    """Measure spawns a second by one client, from 1 and from 16 threads."""
    figures: list[Figure] = []
    for threads in (1, 16):
        instances = setting.pick(200 * threads, 2 * threads)
        with node(setting, 2) as client:
            begin = time.monotonic()
            _spawn_all(client, instances, threads=threads)
            rate = instances / (time.monotonic() - begin)
        note = f"{instances} instances, each on disk before its spawn returns; two engines"
        figures.append(Figure(name=f"cluster.spawns{threads}", value=rate, unit="spawns/s", note=note))
    return figures


def _spawn_all(client: Client, instances: int, *, threads: int) -> None:
    def spawn(first: int) -> None:
        """Spawn every so many-th of them."""
        for n in range(first, instances, threads):
            client.spawn("ten", {"p0": [n]}, id=f"t-{n}", timeout_s=PATIENCE_S)

    workers = [Thread(target=spawn, args=(first,)) for first in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
