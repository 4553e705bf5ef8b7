"""The Prefect server's own SQLite database, where it lies in the workspace: what its API cannot delete without a trace.

Its events repeat every artifact, pictures and all, when it is made, and once more when it is deleted; its API deletes
no events, and their own time is seven days. So artifacts go together with events, past the API, which then finds none.
"""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
from pathlib import Path

from fittingroom.workspace import Workspace

_WAIT = 30.0
"""Seconds to wait for others that write."""
_FORGET = (
    "DELETE FROM artifact WHERE updated < ?",
    "DELETE FROM artifact_collection WHERE updated < ? AND latest_id NOT IN (SELECT id FROM artifact)",
    "DELETE FROM events WHERE occurred < ?",
    "DELETE FROM event_resources WHERE occurred < ?",
)


def server_database(workspace: Workspace) -> Path | None:
    """The database of a server that was started in this workspace; None where none was."""
    path = workspace.prefect_home / "prefect.db"
    return path if path.is_file() else None


def forget_shown(database: Path, limit: datetime.datetime) -> bool:
    """Delete artifacts that were last updated before ``limit`` (UTC), and events of before it.

    A server that is at work in the database takes no harm.

    Returns:
        whether it was done; False where others held the database all the time.
    """
    before = f"{limit:%Y-%m-%d %H:%M:%S.%f}"  # as Prefect writes it
    with contextlib.closing(sqlite3.connect(database, timeout=_WAIT)) as connection:
        try:
            with connection:
                for statement in _FORGET:
                    connection.execute(statement, (before,))
        except sqlite3.OperationalError:
            return False
    return True
