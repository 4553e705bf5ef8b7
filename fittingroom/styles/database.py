"""The registry's SQLite file: which state it is in, whether it is whole, and what was read of it in that state."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

from fittingroom.errors import Damaged
from fittingroom.styles.records import Damage, Found
from fittingroom.styles.versions import ModelVersion
from fittingroom.workspace import write_json

SNAPSHOT = "snapshot.json"
SNAPSHOT_FORMAT = 3
_MAGIC = b"SQLite format 3\0"
_HEADER = 100


def state_of(database: Path) -> str:
    """Changes with every commit, and when another file takes its place: SQLite's own file change counter (bytes 24 to
    27 of the header), size, times and inode.
    """
    counter = int.from_bytes(_header(database)[24:28], "big")
    paths = [p for p in (database, database.with_name(database.name + "-wal")) if p.exists()]
    facts = (p.stat() for p in paths)
    return " ".join([str(counter), *(f"{f.st_size}:{f.st_mtime_ns}:{f.st_ino}" for f in facts)])


def check_whole(database: Path) -> None:
    """Refuse what is plainly no registry, before MLflow makes an empty one of it. A file that is not there is none yet.

    Raises:
        Damaged: the file is empty though versions were registered, is no SQLite file, or is shorter than it says.
    """
    if not database.exists():
        return
    header, size = _header(database), database.stat().st_size
    if not header:  # what a process leaves that was killed before its first commit, unless there was more before
        artifacts = database.parent / "artifacts"
        if artifacts.is_dir() and any(artifacts.iterdir()):
            raise damaged(database, "it is empty, though versions were registered")
        return
    if not header.startswith(_MAGIC) or len(header) < _HEADER:
        raise damaged(database, "it is no SQLite file")
    counter, pages, valid_for = (int.from_bytes(header[at : at + 4], "big") for at in (24, 28, 92))
    page = int.from_bytes(header[16:18], "big")
    expected = pages * (65_536 if page == 1 else page)
    if counter == valid_for and size < expected:  # else the number of pages is not to be relied on
        raise damaged(database, f"expected {expected:,} bytes, got {size:,}")


def damaged(database: Path, what: str) -> Damaged:
    """The one line for a registry that cannot be read."""
    return Damaged(
        f"registry {database} is damaged: {what}; put a backup of it in its place, or move it away to begin with an "
        f"empty registry (weights stay in {database.parent / 'artifacts'})"
    )


def read_snapshot(database: Path, state: str) -> Found | None:
    """What was read of the database in this state; None where nobody has read it yet."""
    try:
        kept = json.loads((database.parent / SNAPSHOT).read_text(encoding="utf-8"))
        if kept["format"] != SNAPSHOT_FORMAT or kept["state"] != state:
            return None
        return Found([ModelVersion(**each) for each in kept["versions"]], [Damage(**each) for each in kept["damaged"]])
    except (OSError, ValueError, TypeError, KeyError):
        return None  # none yet, or a torn or older one


def write_snapshot(database: Path, state: str, found: Found) -> None:
    """Keep what was read of the database in this state; left undone where the folder cannot be written."""
    values = {
        "format": SNAPSHOT_FORMAT,
        "state": state,
        "versions": [asdict(version) for version in found.versions],
        "damaged": [asdict(damage) for damage in found.damaged],
    }
    with contextlib.suppress(PermissionError):
        write_json(database.parent / SNAPSHOT, values, indent=None)


def _header(database: Path) -> bytes:
    with database.open("rb") as file:
        return file.read(_HEADER)
