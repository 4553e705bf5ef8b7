"""Personal pictures do not stay for ever: photos of people, what was made of them, and reports that show them.

Nor does what was written down of them, for a photo's file name may be a person's; nor the half-written files of
processes that were killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fittingroom.errors import SettingError
from fittingroom.manifest import Manifest
from fittingroom.workspace import Workspace

DAY = 86_400.0
PERSONAL_STEPS = ("try-on", "write-manifest", "build-report")
"""How the records of cached steps begin that speak of people's photos."""
_WAIT = 30.0
"""Seconds to wait for others that use a database."""


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
    folders = (workspace.persons, workspace.tryon, workspace.reports)
    ours = [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]
    return _older((path for folder in ours for path in sorted(folder.rglob("*"))), days, now)


def _older(
    paths: Iterable[Path], days: float, now: float | None, gone: Callable[[Path], bool] = lambda _: False
) -> Expired:
    """Those of the paths that are files, and older than that or ``gone``; links are left alone."""
    limit = (time.time() if now is None else now) - days * DAY
    found, size = [], 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # meanwhile
            facts = path.lstat()
            if stat.S_ISREG(facts.st_mode) and (facts.st_mtime < limit or gone(path)):
                found.append(path)
                size += facts.st_size
    return Expired(found, size)


def find_records(workspace: Workspace, days: float, now: float | None = None) -> Expired:
    """Records of cached try-ons and reports that are older than ``days``, or whose pictures are gone.

    Args:
        days: more than 0. now: seconds since 1970; the present moment by default.
    """
    records = (path for path in sorted(workspace.cache.glob("*")) if path.name.lstrip(".").startswith(PERSONAL_STEPS))
    return _older(records, days, now, lambda path: not all(output.exists() for output in _outputs(workspace, path)))


def _outputs(workspace: Workspace, record: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # torn: of no use to anybody
        for name in json.loads(json.loads(record.read_bytes())["result"])["outputs"]:
            yield workspace.root / name


def forget_in_manifests(workspace: Workspace) -> int:
    """Take the lines of pictures that are gone, and of refused photos that are, out of the manifests of try-ons.

    Returns how many. A manifest keeps its time of change, and goes with its last line.
    """
    forgotten = 0
    for path in sorted(workspace.tryon.glob("*.jsonl")):
        rows = Manifest.read(path).rows
        kept = [row for row in rows if _spoken_of(workspace, row.key, row.path).exists()]
        if len(kept) == len(rows):
            continue
        facts = path.stat()
        forgotten += len(rows) - len(kept)
        if kept:
            Manifest(kept).write(path)
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        else:
            path.unlink()
    return forgotten


def _spoken_of(workspace: Workspace, key: str, picture: str | None) -> Path:
    return workspace.tryon / picture if picture else workspace.root / key.rpartition("#")[0]


def compact(database: Path) -> bool:
    """Write an SQLite database anew, without what was deleted from it: SQLite keeps the bytes of deleted rows, and its
    write-ahead log those of changed ones.

    Returns:
        whether it was done; False where others used the database all the time, or where it cannot be read.
    """
    with contextlib.closing(sqlite3.connect(database, timeout=_WAIT, isolation_level=None)) as connection:
        try:
            connection.execute("VACUUM")
            until = time.monotonic() + _WAIT
            while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:  # a reader has the log open
                if time.monotonic() > until:
                    return False
                time.sleep(0.1)
        except sqlite3.DatabaseError:  # locked, say, or corrupt
            return False
    return True


def find_leftovers(workspace: Workspace, now: float | None = None) -> Expired:
    """Hidden temporary files of writers that were killed (`fittingroom.workspace.temporary_beside`), a day old or more.

    Looked for in the whole workspace except the Prefect server's own folder; links are left alone.

    Args:
        now: seconds since 1970; the present moment by default.
    """
    found = []
    for root, folders, names in os.walk(workspace.root):
        folders[:] = [name for name in folders if Path(root, name) != workspace.prefect_home]
        found += [Path(root, name) for name in names if name.startswith(".") and name.endswith(".tmp")]
    return _older(sorted(found), 1, now)


def remove_expired(workspace: Workspace, expired: Expired) -> None:
    """Delete the files, and the folders of try-ons that are empty afterwards."""
    for path in expired.files:
        path.unlink(missing_ok=True)
    for folder in sorted({path.parent for path in expired.files}, reverse=True):
        if folder != workspace.tryon and folder.is_relative_to(workspace.tryon) and not any(folder.iterdir()):
            folder.rmdir()
