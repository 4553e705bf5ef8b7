"""One at a time, between processes and threads: a lock that the system itself lets go of when its holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def _opened(path: Path) -> IO[Any]:
    """For writing, which network file systems want, else for reading: another user's lock can be held too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return path.open("a")
    except PermissionError:
        return path.open("rb")


@contextmanager
def locked(path: Path, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the advisory lock ``path`` (a file, made if missing); every holder has its own descriptor.

    It needs no clock and no clean-up: a killed holder holds nothing. On a network file system it holds between
    machines where that supports ``flock`` (NFS 4 does).

    Args:
        on_wait: called once when somebody else holds it and this call has to wait.
    """
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait is not None:
                on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock ``path`` when nobody else does; whether it is held is what the block gets."""
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
