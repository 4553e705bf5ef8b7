"""Whether a file is what was registered: its SHA-256, read once for as long as the file stands still."""

from __future__ import annotations

import functools
from pathlib import Path

from fittingroom.errors import Damaged
from fittingroom.workspace import digest_file


def known_digest(path: Path) -> str:
    """SHA-256 of a file, remembered within this process by path, size, time of change and inode.

    Not beyond it: a disk that turns a bit changes none of these.
    """
    facts = path.stat()
    return _digest(path, facts.st_size, facts.st_mtime_ns, facts.st_ino)


@functools.lru_cache(maxsize=1024)
def _digest(path: Path, *_: int) -> str:
    return digest_file(path)


def check_intact(path: Path, sha256: str, whose: str, way_out: str) -> None:
    """Refuse a file whose SHA-256 is not the one that was recorded.

    Args:
        whose: what the file belongs to. way_out: what to do, as the end of the sentence.

    Raises:
        Damaged: it is another.
    """
    found = known_digest(path)
    if found != sha256:
        raise Damaged(f"{path}: damaged: expected SHA-256 {sha256} ({whose}), got {found}; {way_out}")
