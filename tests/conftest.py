"""Property tests here must pass on a busy machine too: no deadline for a single example. Long tests begin first."""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def seconds(item: pytest.Item) -> float:
    """Return what `@pytest.mark.slow(seconds=100)` says; 0 of what says nothing."""
    marker = item.get_closest_marker("slow")
    return 0.0 if marker is None else float(marker.kwargs.get("seconds", 0.0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the longest begin first, so that no worker is left alone with one of them in the end."""
    items.sort(key=seconds, reverse=True)
