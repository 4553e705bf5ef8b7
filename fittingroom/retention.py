"""Personal pictures do not stay for ever: photos of people, what was made of them, and reports that show them.

Nor do the half-written files of processes that were killed.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from fittingroom.errors import SettingError
from fittingroom.workspace import Workspace

DAY = 86_400.0


@dataclass(frozen=True)
class Expired:
    """Files that are older than they may be, and their size in bytes."""

    files: list[Path]
    bytes: int


def find_expired(workspace: Workspace, days: float, now: float | None = None) -> Expired:
    """Files with personal pictures that were last changed more than ``days`` ago: ``persons``, ``tryon``, ``reports``.

    Age is counted from a file's time of change. With a clock set back files seem to come from the future and stay;
    links are left alone, and nothing outside the three folders is looked at.

    Args:
        days: more than 0. now: seconds since 1970; the present moment by default.

    Raises:
        SettingError: ``days`` is not more than 0.
    """
    if not days > 0:
        raise SettingError("retention_days", days, "more than 0 days")
    limit = (time.time() if now is None else now) - days * DAY
    found, size = [], 0
    for folder in (workspace.persons, workspace.tryon, workspace.reports):
        for path in sorted(folder.rglob("*")) if folder.is_dir() and not folder.is_symlink() else []:
            if path.is_symlink() or not path.is_file():
                continue
            facts = path.stat()
            if facts.st_mtime < limit:
                found.append(path)
                size += facts.st_size
    return Expired(found, size)


def find_leftovers(workspace: Workspace, now: float | None = None) -> Expired:
    """Hidden temporary files of writers that were killed (`fittingroom.workspace.temporary_beside`), a day old or more.

    Looked for in the whole workspace except the Prefect server's own folder; links are left alone.

    Args:
        now: seconds since 1970; the present moment by default.
    """
    limit = (time.time() if now is None else now) - DAY
    found, size = [], 0
    for root, folders, names in os.walk(workspace.root):
        folders[:] = [name for name in folders if Path(root, name) != workspace.prefect_home]
        for path in (Path(root, name) for name in names if name.startswith(".") and name.endswith(".tmp")):
            facts = path.lstat()
            if stat.S_ISREG(facts.st_mode) and facts.st_mtime < limit:
                found.append(path)
                size += facts.st_size
    return Expired(sorted(found), size)


def remove_expired(workspace: Workspace, expired: Expired) -> None:
    """Delete the files, and the folders of try-ons that are empty afterwards."""
    for path in expired.files:
        path.unlink(missing_ok=True)
    for folder in sorted({path.parent for path in expired.files}, reverse=True):
        if folder != workspace.tryon and folder.is_relative_to(workspace.tryon) and not any(folder.iterdir()):
            folder.rmdir()
