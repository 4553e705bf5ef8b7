"""Records on disk: whole, in room set aside before, and a full disk fails the step instead of losing its result."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from fittingroom.errors import StorageUnavailable
from fittingroom.workspace import Workspace
from tasks import record_files
from tasks.caching import CachedResult, StepResult, result_storage, step
from tasks.retrying import RETRYING

pytestmark = pytest.mark.usefixtures("prefect_server")

AWKWARD = {"words": 'quoted "twice" \\ and\n', "names": ["naïve.png", "\u3042.png"] * 50}
RUNS: list[str] = []
QUICK: dict[str, Any] = {**RETRYING, "retry_delay_seconds": [0.0] * RETRYING["retries"], "retry_jitter_factor": None}


@step("write down", version=1, run_name="write {name} down", **QUICK)
def write_down(workspace: str, name: str) -> StepResult:  # noqa: ARG001  every step has one
    """A step with a value that takes many bytes to quote."""
    RUNS.append(name)
    return StepResult(AWKWARD)


def run(place: Workspace) -> CachedResult:
    @flow
    def writes() -> CachedResult:
        with result_storage(place):
            future = write_down.submit(workspace=str(place.root), name="it")
            return future.result()

    return writes()


def test_a_record_fits_into_the_room_set_aside_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RUNS.clear()
    monkeypatch.setattr(record_files, "write_bytes", pytest.fail)  # what writes it where no room was set aside
    place = Workspace(tmp_path)
    assert run(place)["value"] == AWKWARD
    (file,) = (path for path in place.cache.iterdir() if path.suffix != ".sqlite3")
    assert json.loads(json.loads(file.read_bytes())["result"])["value"] == AWKWARD
    assert run(place)["value"] == AWKWARD
    assert RUNS == ["it"], "the second time it came from the record"


def test_a_step_whose_record_does_not_fit_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RUNS.clear()
    room, full = record_files.RecordFolder.reserve_space, [True, True]

    def reserve_space(self: record_files.RecordFolder, key: str, record: dict[str, Any]) -> None:
        if full:
            full.pop()
            raise OSError(errno.ENOSPC, "No space left on device")
        room(self, key, record)

    monkeypatch.setattr(record_files.RecordFolder, "reserve_space", reserve_space)
    assert run(Workspace(tmp_path))["value"] == AWKWARD
    assert RUNS == ["it"] * 3


def test_a_disk_that_stays_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(record_files.RecordFolder, "reserve_space", no_room)
    with pytest.raises(StorageUnavailable, match=f"no space left on the disk of {tmp_path}"):
        run(Workspace(tmp_path))
    assert not list((tmp_path / "cache").glob("*write-down*"))


def test_what_a_flow_writes_itself_is_named_too(tmp_path: Path) -> None:
    @flow
    def writes() -> None:
        with result_storage(Workspace(tmp_path)):
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "sheet.jpg"))

    with pytest.raises(StorageUnavailable, match=r"no space left on the disk of .*sheet\.jpg"):
        writes()
