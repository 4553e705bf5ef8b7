"""Where a command is told to write: looked at before any work is done, and named as it was given."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from fittingroom.errors import InputError

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
"""The pictures we write."""


def check_output_file(path: Path, what: str, suffixes: Sequence[str] = ()) -> None:
    """Refuse a file that could not be written; ``what`` is the option or argument that named it.

    Raises:
        InputError: another suffix than one of ``suffixes``, no such folder, a folder (or a device) and not a file, or
            nothing can be written there.
    """
    path = Path(path)
    if suffixes:
        check_suffix(path, what, suffixes)
    folder = path.parent
    if not os.path.lexists(folder):
        raise InputError(f"{what} {path}: expected an existing folder, there is no {folder}")
    if not folder.is_dir():
        raise InputError(f"{what} {path}: expected a folder around it, {folder} is a file")
    if path.is_dir():
        raise InputError(f"{what} {path}: expected a file, got a folder")
    if path.exists() and not path.is_file():
        raise InputError(f"{what} {path}: expected a file, got a device or a socket")
    if path.exists() and not os.access(path, os.W_OK):
        raise InputError(f"{what} {path}: cannot be written: it is write-protected")
    _try_out(folder, f"{what} {path}")


def check_suffix(path: Path, what: str, suffixes: Sequence[str]) -> None:
    """Refuse a file's name.

    Raises:
        InputError: another suffix than one of ``suffixes``.
    """
    if path.suffix.lower() not in suffixes:
        expected = " or ".join(filter(None, [", ".join(suffixes[:-1]), suffixes[-1]]))
        raise InputError(f"{what} {path}: expected a name that ends in {expected}")


def check_output_folder(path: Path, what: str) -> None:
    """Refuse a folder that could not be written to, or made where it is not there; nothing is made yet.

    Raises:
        InputError: a file and not a folder, on the way to it too, or nothing can be written there.
    """
    path = Path(path)
    existing = next(folder for folder in (path, *path.absolute().parents) if os.path.lexists(folder))
    if not existing.is_dir():
        got = "got a file" if existing == path else f"{existing} is a file"
        raise InputError(f"{what} {path}: expected a folder, {got}")
    _try_out(existing, f"{what} {path}")


@contextmanager
def made_folder(path: Path) -> Iterator[None]:
    """``path`` is a folder in this block; one made for it is gone again where the block fails and leaves it empty."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


def _try_out(folder: Path, named: str) -> None:
    """Permissions say little (root, read-only and virtual file systems): only writing tells. Nothing is left."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"{named}: cannot be written: {(error.strerror or str(error)).lower()}") from None
