"""SHA-256 of files, remembered: to read every byte again on every run would cost more than the work it saves.

The memory is a SQLite file, ``<workspace>/cache/digests.sqlite3``: however many pictures a workspace has, they are not
held in the process. It is worth only the time it saves: where it cannot be read or written (corrupt, locked, on a file
system without locks), files are read again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from fittingroom.errors import MissingInputError
from fittingroom.retention import compact
from fittingroom.workspace import Workspace, digest_bytes, digest_file

MEMORY = "digests.sqlite3"
_TABLE = """CREATE TABLE IF NOT EXISTS digests (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL) WITHOUT ROWID"""
_PUT = "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)"
_NAMELESS = b"#"
"""How keys begin that are no paths."""
_WAIT = 5.0
"""Seconds to wait for another process that writes."""
_AT_ONCE = 1000
"""Rows that are written together."""
_Row = tuple[bytes, int, int, str]


def absolute(path: Path | str) -> str:
    """`Path.absolute` as a string: ten times as fast, and a run asks it of every picture several times."""
    return os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH118


class Digests:
    """Each file is read once for as long as its size and time of change stand still. What was learnt is written when
    the block ends, however it does.

    Example::

        with Digests(workspace) as digests:
            digest = digests.of(path)

    Args:
        names: whether the files' paths are written down; without them (photos of people) digests of the paths are.
    """

    def __init__(self, workspace: Workspace, names: bool = True) -> None:
        self._names = names
        self._path = workspace.cache / MEMORY
        self._memory = _opened(self._path)
        self._learnt: list[_Row] = []

    def __enter__(self) -> Digests:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        self._memory.close()

    def of(self, file: Path | str) -> str:
        """The digest of one file.

        Raises:
            MissingInputError: no such file.
        """
        path = absolute(file)
        try:
            stat = os.stat(path)  # noqa: PTH116
        except OSError:
            raise MissingInputError("file", path) from None
        key = os.fsencode(path) if self._names else _NAMELESS + digest_bytes(os.fsencode(path)).encode()
        known = self._ask(key)
        if known is not None and known[:2] == (stat.st_size, stat.st_mtime_ns):
            return known[2]
        digest = digest_file(Path(path))
        self._learnt.append((key, stat.st_size, stat.st_mtime_ns, digest))
        if len(self._learnt) >= _AT_ONCE:
            self._write()
        return digest

    def _ask(self, key: bytes) -> tuple[int, int, str] | None:
        try:
            found: tuple[int, int, str] | None = self._memory.execute(
                "SELECT size, mtime_ns, sha256 FROM digests WHERE path = ?", (key,)
            ).fetchone()
        except sqlite3.Error as error:
            self._do_without(error)
            return None
        return found

    def _write(self) -> None:
        try:
            with self._memory:
                self._memory.executemany(_PUT, self._learnt)
        except sqlite3.Error as error:
            self._do_without(error)
        self._learnt.clear()

    def _do_without(self, error: sqlite3.Error) -> None:
        """From now on: who waited once for another process does not wait again for each of 10,000 files."""
        self._memory.close()
        if not isinstance(error, sqlite3.OperationalError):
            self._path.unlink(missing_ok=True)
        self._memory = _connected(":memory:")


def forget_gone(workspace: Workspace) -> int:
    """Forget files that are not there any more, and all whose names are not known; returns how many.

    Their names go with them, out of the file's free pages too.
    """
    path = workspace.cache / MEMORY
    if not path.is_file():
        return 0
    forgotten = 0
    with contextlib.closing(_opened(path)) as memory, contextlib.suppress(sqlite3.Error), memory:
        paths = memory.execute("SELECT path FROM digests")
        gone = [(key,) for (key,) in paths if key.startswith(_NAMELESS) or not os.path.lexists(key)]
        memory.executemany("DELETE FROM digests WHERE path = ?", gone)
        forgotten = len(gone)
    compact(path)
    return forgotten


def _opened(path: Path) -> sqlite3.Connection:
    """The memory in ``path``; a new one where it is corrupt, and one that lasts no longer than its connection where
    none can be had there.
    """
    with contextlib.suppress(OSError, sqlite3.OperationalError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _connected(str(path))
        except sqlite3.OperationalError:
            raise  # locked, say, or no room: it may be as good as ever
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
            return _connected(str(path))
    return _connected(":memory:")


def _connected(path: str) -> sqlite3.Connection:
    memory = sqlite3.connect(path, timeout=_WAIT)
    try:
        memory.execute(_TABLE)
    except sqlite3.Error:
        memory.close()
        raise
    return memory
