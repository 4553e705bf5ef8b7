"""Shared by all tests: nothing leaves this machine, and one Prefect server for those that need one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Before anything imports Prefect.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
# Before anything imports torch: each worker of the test run takes one core. Where there are more threads than cores,
# tests wait for one another's, four times as long on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Machines differ in speed, so no example has a deadline; continuous integration tries the same examples each time, a
# person's runs look for new ones.
settings.register_profile("person", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "person")


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A Prefect server with a database of its own, started once for all tests that ask for it."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    # Each flow waits up to a second for its heartbeats to end.
    without_heartbeats = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    with prefect_test_harness(server_startup_timeout=180), without_heartbeats:
        yield
