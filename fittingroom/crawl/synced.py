"""One wait for the disk a batch of pictures, instead of one a picture.

Pictures and rows are written as they come, and survive the end of any process at any byte. What a power cut may undo is
what was written since the last wait: the lock file says how much of the manifest was on the disk then, with the
pictures it names, so that only the rows after that are looked at again, by their pictures' digests.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from fittingroom.workspace import full_disk_named

BATCH = 256
"""Pictures between two waits."""
LOCK = ".lock"


def proven_bytes(folder: Path, manifest: Path) -> int:
    """How many bytes of ``manifest`` have their pictures on the disk for certain.

    A folder without that mark is new, or a version filled it that waited for each picture: all that is there counts.
    """
    size = manifest.stat().st_size if manifest.exists() else 0
    try:
        said = (folder / LOCK).read_bytes()
    except FileNotFoundError:
        said = b""
    if not said:
        _mark(folder, size)
        return size
    try:
        proven = int(said)
    except ValueError:
        return 0
    return proven if proven <= size else 0  # shorter: somebody wrote it anew


def wait_for_disk(folder: Path, size: int) -> None:
    """Wait until all that was written into ``folder`` is on the disk, and note that ``size`` bytes of its manifest are.

    Raises:
        StorageUnavailable: the disk is full.
    """
    with full_disk_named(folder):
        handle = os.open(folder, os.O_RDONLY)
        try:
            _sync_file_system(handle)
        finally:
            os.close(handle)
    _mark(folder, size)


def _mark(folder: Path, size: int) -> None:
    """In place: other processes hold their locks on this very file."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.pwrite(handle, b"%020d" % size, 0)
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_file_system(handle: int) -> None:
    """Linux waits for one file system; elsewhere all of them are waited for."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):
        os.sync()
    elif library.syncfs(handle):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
