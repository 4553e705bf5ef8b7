"""Records of cached steps on disk: written whole, into room that is set aside while the step can still be tried again.

Prefect writes a task's result when the task has ended, and what cannot be written then is a result lost: the run goes
on without it and fails somewhere else. So a step asks for the room first. On a full disk it is the step that fails,
which is retried as for any full disk, and what was done is neither lost nor said to be done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect.filesystems import LocalFileSystem
from prefect.transactions import get_transaction

from fittingroom.workspace import atomic_path, write_bytes

_ENVELOPE = 4096
"""Bytes that Prefect puts around a result, at most."""


class RecordFolder(LocalFileSystem):
    """Prefect's storage for a workspace's records."""

    _block_type_name = "Fittingroom records"

    def _file_of(self, path: str) -> Path:
        return Path(self.basepath or "") / path  # of this place, or absolute, as Prefect's own results are named

    def write_path(self, path: str, content: bytes, **_: Any) -> str:  # type: ignore[override]  # never asynchronous here
        """Write a record whole: into its room where that was set aside, else anew."""
        final = self._file_of(path)
        room = _room_of(final)
        try:
            with room.open("r+b") as file:
                file.write(content)
                file.truncate()
            room.replace(final)
        except FileNotFoundError:
            write_bytes(final, content)
        return str(final)

    def reserve_space(self, key: str, record: Mapping[str, Any]) -> None:
        """Make sure that the record of ``key`` will fit.

        Raises:
            StorageUnavailable: it does not.
        """
        most = 2 * len(json.dumps(record)) + _ENVELOPE  # it is quoted once more, in which any character may double
        with atomic_path(_room_of(self._file_of(key))) as temporary:
            temporary.write_bytes(bytes(most))


def reserve_space(record: Mapping[str, Any]) -> None:
    """Inside a task: make sure that its record will fit, where it is kept in a `RecordFolder`.

    Raises:
        StorageUnavailable: it does not.
    """
    transaction = get_transaction()
    folder = transaction.store.result_storage if transaction and transaction.store else None
    if isinstance(folder, RecordFolder) and transaction and transaction.key:
        folder.reserve_space(transaction.key, record)


def _room_of(record: Path) -> Path:
    return record.with_name(f".{record.name}.room")
