"""The registry's SQLite file: which state it is in, whether it is whole, and what it holds."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from fittingroom.errors import Damaged
from fittingroom.registry.records import Found, KeptModel, KeptVersion, understood
from fittingroom.registry.versions import CHAMPION

_WAIT = 20.0
"""Seconds to wait for a writer."""
_OF_MODEL = "(:model IS NULL OR name = :model)"
_VERSIONS = f"""SELECT name, version, run_id, source, creation_time FROM model_versions
    WHERE current_stage IS NOT 'Deleted_Internal' AND {_OF_MODEL}"""
"""MLflow keeps the rows of deleted versions."""
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


def read(database: Path, model: str | None = None) -> Found:
    """Everything that is registered, or all of one model, straight out of MLflow's tables: MLflow itself takes seconds
    to import, and with a thousand styles as long again to answer.

    Raises:
        sqlite3.OperationalError: the tables are not (or not yet) those that are expected, or it is locked.
        Damaged: it cannot be read.
    """
    check_whole(database)
    wanted = {"champion": CHAMPION, "model": model}
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=_WAIT)) as connection, connection:
            connection.execute("BEGIN")  # one state of it
            models: dict[str, KeptModel] = {
                name: KeptModel({}, None)
                for (name,) in connection.execute(f"SELECT name FROM registered_models WHERE {_OF_MODEL}", wanted)
            }
            query = f"SELECT name, key, value FROM registered_model_tags WHERE {_OF_MODEL}"
            for name, key, value in connection.execute(query, wanted):
                models[name].tags[key] = value
            query = f"SELECT name, version FROM registered_model_aliases WHERE alias = :champion AND {_OF_MODEL}"
            for name, version in connection.execute(query, wanted):
                models[name] = models[name]._replace(champion=version)
            versions = {
                (name, version): KeptVersion(name, version, {}, run_id or "", source or "", created)
                for name, version, run_id, source, created in connection.execute(_VERSIONS, wanted)
            }
            query = f"SELECT name, version, key, value FROM model_version_tags WHERE {_OF_MODEL}"
            for name, version, key, value in connection.execute(query, wanted):
                if (name, version) in versions:
                    versions[name, version].tags[key] = value
    except sqlite3.OperationalError:
        raise
    except (sqlite3.DatabaseError, KeyError, UnicodeError) as error:
        raise damaged(database, str(error)) from None
    return understood(models, versions.values())


def _header(database: Path) -> bytes:
    with database.open("rb") as file:
        return file.read(_HEADER)
