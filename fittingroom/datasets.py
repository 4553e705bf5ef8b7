"""Where a dataset folder's pictures lie, also after its workspace was moved or copied.

``selection.json`` names their folder: relative to the dataset where both lie in one workspace, so that they move
together, else by its absolute path.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fittingroom.errors import MissingInputError
from fittingroom.workspace import digest_file

SELECTION = "selection.json"
PICTURES = "pictures.json"
"""In a training's folder, and with a registered version: which pictures it learnt from, and which it kept back."""
_DATASETS = "datasets"


def images_dir_as_written(images_dir: Path, dataset: Path) -> str:
    """What ``selection.json`` in ``dataset`` says of the folder of its pictures."""
    images_dir, dataset = Path(images_dir).absolute(), Path(dataset).absolute()
    root = _workspace_of(dataset)
    if root is not None and images_dir.is_relative_to(root):
        return Path(os.path.relpath(images_dir, dataset)).as_posix()
    return str(images_dir)


def images_dir_of(dataset: Path, selection: Mapping[str, Any]) -> Path:
    """The folder of a dataset's pictures, from its ``selection.json``.

    An absolute path into the workspace that the dataset was moved or copied from (as earlier versions wrote it) means
    the same folder of this workspace.

    Raises:
        KeyError: the selection names no folder. MissingInputError: it is not there.
    """
    dataset = Path(dataset).absolute()
    written = Path(selection["images_dir"])
    if not written.is_absolute():
        found = Path(os.path.normpath(dataset / written))
    else:
        found = _moved_along(written, dataset, selection) or written
    if not found.is_dir():
        again = "put it back, or write the dataset again: fittingroom run convert-annotations"
        raise MissingInputError("folder of a dataset's pictures", found, f"named by {dataset / SELECTION}; {again}")
    return found


def photo_digests(selection: Mapping[str, Any], photos: Iterable[Path]) -> list[str]:
    """SHA-256 of each photo of a dataset, as its ``selection.json`` says them, else read."""
    known = selection.get("digests") or {}
    return [known.get(photo.name, {}).get("image") or digest_file(photo) for photo in photos]


def _moved_along(written: Path, dataset: Path, selection: Mapping[str, Any]) -> Path | None:
    """The same folder in this dataset's workspace, where ``written`` lies in another one that the dataset came from."""
    root = _workspace_of(dataset)
    if root is None or written.is_relative_to(root):
        return None
    for former in written.parents:
        here = root / written.relative_to(former)
        of_copy = (former / _DATASETS / dataset.name / SELECTION).is_file()  # it is still there: this is a copy of it
        if here.is_dir() and (of_copy or (not written.is_dir() and _holds_them(here, selection))):
            return here
    return None


def _holds_them(folder: Path, selection: Mapping[str, Any]) -> bool:
    """Whether a folder has the first picture of a selection, by its digest where one was written."""
    names = [*selection.get("train", ()), *selection.get("validation", ())][:1]
    if not names or not (folder / names[0]).is_file():
        return False
    written = selection.get("digests", {}).get(names[0], {}).get("image")
    return written in (None, digest_file(folder / names[0]))


def _workspace_of(dataset: Path) -> Path | None:
    return dataset.parent.parent if dataset.parent.name == _DATASETS else None
