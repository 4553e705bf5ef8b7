"""Clean up: personal pictures that are older than they may be, what is written down of them, and leftovers.

A photo's file name may be a person's: nothing here says which files there were, only how many.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections import Counter
from pathlib import Path
from uuid import UUID

from prefect import task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import ArtifactSort
from prefect.exceptions import ObjectNotFound

from fittingroom.retention import (
    compact,
    find_expired,
    find_leftovers,
    find_records,
    forget_in_manifests,
    remove_expired,
)
from fittingroom.workspace import Workspace
from tasks.artifacts import artifact_key, show_table
from tasks.digests import forget_gone
from tasks.server_database import forget_shown, server_database
from tasks.telling import run_logger

PAGE = 200
"""Artifacts or runs asked for at once; the server's own limit."""
PHOTO_FLOWS = ("try-on", "try-on-batch", "lifecycle")
"""Flows whose parameters and logs name photos of people."""
_ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED]
_LOGS_SECONDS = 20.0
"""Waited at most until the server has deleted the logs of deleted runs, which it does afterwards."""


@task(name="remove personal pictures", task_run_name="remove pictures older than {days:g} days")
def remove_pictures(workspace: str, days: float, only_say: bool) -> dict[str, int]:
    """Delete photos of people, try-ons and reports older than ``days``, and what the cache and manifests say of them;
    with ``only_say`` count them only.
    """
    place = Workspace(Path(workspace))
    expired = find_expired(place, days)
    folders = Counter(place.relative(path).partition("/")[0] for path in expired.files)
    what = "that would be removed" if only_say else "that were removed"
    rows = [{"folder": folder, "files": files} for folder, files in sorted(folders.items())]
    show_table(artifact_key("clean-up", "pictures"), rows, f"Pictures older than {days:g} days {what}")
    if not only_say:
        remove_expired(place, expired)
    records = find_records(place, days)
    if not only_say:
        remove_expired(place, records)
        forget_in_manifests(place)
    return {"pictures": len(expired.files), "picture_bytes": expired.bytes, "records": len(records.files)}


@task(name="remove leftovers", task_run_name="remove leftovers of killed runs")
def remove_leftovers(workspace: str, only_say: bool) -> dict[str, int]:
    """Delete half-written files that no process is writing any more; with ``only_say`` count them only.

    What the digest cache says of files that are gone goes with them.
    """
    place = Workspace(Path(workspace))
    leftovers = find_leftovers(place)
    if not only_say:
        remove_expired(place, leftovers)
        forget_gone(place)
    return {"leftovers": len(leftovers.files), "leftover_bytes": leftovers.bytes}


@task(name="remove artifacts", task_run_name="remove artifacts older than {days:g} days")
def remove_artifacts(workspace: str, days: float, only_say: bool) -> dict[str, int]:
    """Delete artifacts of the Prefect server, pictures among them, that were last updated before ``days`` ago, and what
    its events say of them where its database lies in the workspace.
    """
    limit = _before(days)
    old: list[UUID] = []
    with get_client(sync_client=True) as client:
        offset = 0
        while page := client.read_artifacts(sort=ArtifactSort.ID_DESC, limit=PAGE, offset=offset):
            old += [artifact.id for artifact in page if artifact.updated and artifact.updated < limit]
            offset += len(page)
        database = server_database(Workspace(Path(workspace)))
        if not only_say and database is not None and not forget_shown(database, limit):
            run_logger().warning("%s was in use all the time: its events still say what artifacts showed", database)
        for artifact in old if not only_say else []:
            with contextlib.suppress(ObjectNotFound):  # it was in that database
                client.delete_artifact(artifact)
    return {"artifacts": len(old)}


@task(name="remove runs", task_run_name="remove runs older than {days:g} days")
def remove_runs(workspace: str, days: float, only_say: bool) -> dict[str, int]:
    """Delete runs that were about photos of people and ended more than ``days`` ago, with their logs: their parameters
    name the photos. Where the Prefect server's database lies in the workspace, it is written anew without them.
    """
    with get_client(sync_client=True) as client:
        old = _old_runs(client, _before(days))
        for run in old if not only_say else []:
            with contextlib.suppress(ObjectNotFound):  # gone with the run that started it
                client.delete_flow_run(run)
        if not only_say:
            _wait_for_logs(client, old)
    database = server_database(Workspace(Path(workspace)))
    if not only_say and database is not None and not compact(database):
        run_logger().warning("%s was in use all the time: what was deleted from it is still in the file", database)
    return {"runs": len(old)}


def _old_runs(client: SyncPrefectClient, limit: datetime.datetime) -> list[UUID]:
    """Runs of `PHOTO_FLOWS` that have ended, and were to start before ``limit``."""
    found: list[UUID] = []
    while page := client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=list(PHOTO_FLOWS))),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_ENDED)),
            expected_start_time=FlowRunFilterExpectedStartTime(before_=limit),
        ),
        limit=PAGE,
        offset=len(found),
    ):
        found += [run.id for run in page]
    return found


def _wait_for_logs(client: SyncPrefectClient, runs: list[UUID]) -> None:
    until = time.monotonic() + _LOGS_SECONDS
    for start in range(0, len(runs), PAGE):
        ours = LogFilter(flow_run_id=LogFilterFlowRunId(any_=runs[start : start + PAGE]))
        while client.read_logs(ours, limit=1) and time.monotonic() < until:
            time.sleep(0.2)


def _before(days: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
