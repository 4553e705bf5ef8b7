"""Retries: only what can be retried, honouring Retry-After, and at once a failure for all else."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest
from prefect import flow, task

from fittingroom.errors import HostUnavailable, MissingInputError, StorageUnavailable
from tasks.retrying import RETRYING, is_transient


@pytest.mark.parametrize(
    ("error", "heals"),
    [
        (HostUnavailable("busy"), True),
        (HostUnavailable("busy", retry_after=30), True),
        (HostUnavailable("come back tomorrow", retry_after=86_400), False),
        (StorageUnavailable("disk full"), True),
        (OSError(errno.ENOSPC, "no space"), True),
        (OSError(errno.ENOENT, "no such file"), False),
        (MissingInputError("photo", "x.jpg"), False),
        (ValueError("a bug"), False),
        (None, False),
    ],
)
def test_only_what_is_transient_is_retried(error: object, heals: bool) -> None:
    assert is_transient(error) is heals


def test_delays_grow_and_jitter() -> None:
    assert list(RETRYING["retry_delay_seconds"]) == sorted(set(RETRYING["retry_delay_seconds"]))
    assert RETRYING["retries"] == len(RETRYING["retry_delay_seconds"])
    assert 0 < RETRYING["retry_jitter_factor"] < 1


@pytest.mark.usefixtures("prefect_server")
def test_prefect_retries_what_heals_and_waits_as_long_as_the_host_asks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    quick = {**RETRYING, "retry_delay_seconds": [0.0] * RETRYING["retries"], "retry_jitter_factor": None}
    tries = {"busy": 0, "broken": 0}

    @task(**quick)
    def busy() -> str:
        tries["busy"] += 1
        if tries["busy"] < 3:
            raise HostUnavailable("429", retry_after=7.0)
        return "healed"

    @task(**quick)
    def broken() -> None:
        tries["broken"] += 1
        raise MissingInputError("catalog", tmp_path / "none.yaml")

    @flow
    def both() -> str:
        healed = busy()
        with pytest.raises(MissingInputError):
            broken()
        return healed

    assert both() == "healed"
    assert tries == {"busy": 3, "broken": 1}
    assert waits.count(7.0) == 2
