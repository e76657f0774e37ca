"""One node for all tests of a module that do not harm it."""

from collections.abc import Generator

import pytest

from placet.net.client import Client
from tests.net.nodes import RunningNode, running


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningNode]:
    """Yield a node that the tests of a module share: each uses ids of its own."""
    with running(tmp_path_factory.mktemp("node")) as started:
        yield started


@pytest.fixture(scope="module")
def client(node: RunningNode) -> Generator[Client]:
    """Yield a client of the shared node."""
    with node.connect() as connected:
        yield connected
