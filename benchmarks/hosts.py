"""Two nodes in network namespaces of their own, as on two hosts: tokens between them, and how long a hop takes."""

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager

from benchmarks.cluster import client_of, hop_between, process, tokens_between
from benchmarks.figure import Figure
from benchmarks.peer import Unavailable
from benchmarks.setting import Setting
from placet.net.client import Client

HERE, THERE = "10.213.7.1", "10.213.7.2"  # the two ends of a pair of virtual network cards


@contextmanager
def two_hosts(setting: Setting) -> Generator[Client]:
    """Yield a client of two nodes of one engine: one in this namespace, one in another.

    Raises `Unavailable` where namespaces cannot be made.
    """
    folder = setting.fresh()
    folder.mkdir(parents=True)
    key = folder / "key"
    with namespace() as other:

        def words(address: str, name: str) -> list[str]:
            """Return what a node is started with."""
            where = ["--listen", f"{address}:0", "--state", str(folder / name), "--key-file", str(key)]
            return [*where, "--name", name, "--engines", "1"]

        before = ("ip", "netns", "exec", other)
        with (
            process(*words(HERE, "here")) as at,
            process(*words(THERE, "there"), "--join", at, before=before),
            client_of(at, key, 2) as client,
        ):
            yield client


@contextmanager
def namespace() -> Generator[str]:
    """Yield the name of a network namespace that a pair of network cards joins with this one."""
    if os.geteuid() or shutil.which("ip") is None:
        raise Unavailable("network namespaces take root and iproute2")
    name, card = f"placet-{os.getpid()}", f"p{os.getpid()}"
    _ip(f"netns add {name}")
    try:
        _ip(f"link add {card} type veth peer name there netns {name}")
        _ip(f"addr add {HERE}/30 dev {card}")
        _ip(f"link set {card} up")
        for line in (f"addr add {THERE}/30 dev there", "link set there up", "link set lo up"):
            _ip(f"-n {name} {line}")
        yield name
    finally:
        _ip(f"netns del {name}")  # and with it the cards


def _ip(line: str) -> None:
    done = subprocess.run(["ip", *line.split()], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"ip {line}: {done.stderr.strip()}")


def tokens(setting: Setting) -> list[Figure]:
    """Measure tokens a second from the engine of one host to that of the other, durable at both ends."""
    with two_hosts(setting) as client:
        return tokens_between(client, setting, "hosts.tokens", "engines of two nodes in two network namespaces")


def hop(setting: Setting) -> list[Figure]:
    """Measure how long a message takes from one host to the other."""
    with two_hosts(setting) as client:
        return hop_between(client, setting, "hosts.hop")
