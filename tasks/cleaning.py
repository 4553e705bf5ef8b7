"""Clean up: personal pictures that are older than they may be, what the Prefect UI shows of them, and leftovers."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import task
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import ArtifactSort

from fittingroom.retention import find_expired, find_leftovers, remove_expired
from fittingroom.workspace import Workspace
from tasks.artifacts import artifact_key, show_table
from tasks.digests import forget_gone

PAGE = 200
"""Artifacts asked for at once; the server's own limit."""


@task(name="remove personal pictures", task_run_name="remove pictures older than {days:g} days")
def remove_pictures(workspace: str, days: float, only_say: bool) -> dict[str, int]:
    """Delete photos of people, try-ons and reports older than ``days``; with ``only_say`` count them only."""
    place = Workspace(Path(workspace))
    expired = find_expired(place, days)
    rows: list[dict[str, Any]] = [{"file": place.relative(path)} for path in expired.files]
    what = "that would be removed" if only_say else "that were removed"
    show_table(artifact_key("clean-up", "pictures"), rows, f"Pictures older than {days:g} days {what}")
    if not only_say:
        remove_expired(place, expired)
    return {"pictures": len(expired.files), "picture_bytes": expired.bytes}


@task(name="remove leftovers", task_run_name="remove leftovers of killed runs")
def remove_leftovers(workspace: str, only_say: bool) -> dict[str, int]:
    """Delete half-written files that no process is writing any more; with ``only_say`` count them only.

    What the memory of digests says of files that are gone goes with them.
    """
    place = Workspace(Path(workspace))
    leftovers = find_leftovers(place)
    if not only_say:
        remove_expired(place, leftovers)
        forget_gone(place)
    return {"leftovers": len(leftovers.files), "leftover_bytes": leftovers.bytes}


@task(name="remove artifacts", task_run_name="remove artifacts older than {days:g} days")
def remove_artifacts(days: float, only_say: bool) -> dict[str, int]:
    """Delete artifacts of the Prefect server, pictures among them, that were last updated before ``days`` ago."""
    limit = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    old: list[UUID] = []
    with get_client(sync_client=True) as client:
        offset = 0
        while page := client.read_artifacts(sort=ArtifactSort.ID_DESC, limit=PAGE, offset=offset):
            old += [artifact.id for artifact in page if artifact.updated and artifact.updated < limit]
            offset += len(page)
        for artifact in old if not only_say else []:
            client.delete_artifact(artifact)
    return {"artifacts": len(old)}
