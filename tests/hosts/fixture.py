"""The fixture `hosts`, and what it needs of the machine. Import it into a `conftest.py` to use it there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from functools import cache

import pytest

from tests.hosts.hosts import Hosts
from tests.hosts.namespaces import IpFailed
from tests.hosts.switch_control import SwitchFailed


@cache
def lacking() -> str:
    """Return what this machine lacks for hosts in namespaces, or "": asked once, by making one."""
    if sys.platform != "linux":
        return "network namespaces are a thing of Linux"
    if os.geteuid():
        return "only root can make network namespaces"
    if shutil.which("ip") is None:
        return "the command `ip` is missing; on Debian: apt install iproute2"
    if not os.path.exists("/dev/net/tun"):
        return "/dev/net/tun is missing"
    try:
        with Hosts(1):
            return ""
    except (IpFailed, SwitchFailed, OSError, subprocess.SubprocessError) as error:
        return f"this machine lets nobody make network namespaces: {error}"


def need_hosts() -> None:
    """Skip the test, with the reason, where there can be no hosts; fail it in CI, where there must be."""
    if reason := lacking():
        _skip(reason)


def need_clock() -> None:
    """Skip the test where no host can have a clock of its own; fail it in CI."""
    if shutil.which("cc") is None:
        _skip("a clock for a host needs a C compiler; on Debian: apt install gcc libc6-dev")


def _skip(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def hosts(request: pytest.FixtureRequest) -> Generator[Hosts]:
    """Yield hosts: two, or what `@pytest.mark.hosts(3, seed=7)` says."""
    need_hosts()
    marker = request.node.get_closest_marker("hosts")
    with Hosts(*marker.args if marker else (), **marker.kwargs if marker else {}) as made:
        yield made
