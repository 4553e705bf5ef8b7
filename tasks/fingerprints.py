"""What a folder holds, as a digest: the one place where files from outside enter cache keys."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fittingroom.errors import MissingInputError
from fittingroom.workspace import Workspace, digest_value
from tasks.caching import Content, Outputs
from tasks.digests import Digests, absolute


def file_content(workspace: Workspace, file: Path) -> Content:
    """One file's bytes, whatever its name.

    Raises:
        MissingInputError: no such file.
    """
    with Digests(workspace) as digests:
        return Content(str(Path(file).absolute()), digests.of(file))


def folder_content(workspace: Workspace, folder: Path, files: Iterable[Path | str] | None = None) -> Content:
    """The names and bytes of files in a folder: of all under it, hidden ones left out, unless ``files`` says which.

    Raises:
        MissingInputError: no such folder, or one of ``files`` is not there.
        ValueError: one of ``files`` is not in the folder.
    """
    folder = Path(folder).absolute()
    if not folder.is_dir():
        raise MissingInputError("folder", folder)
    top = os.path.join(folder, "")  # noqa: PTH118  and below: as strings, for there may be many
    rows: dict[str, str] = {}
    with Digests(workspace) as digests:
        for file in _files_under(top) if files is None else files:
            path = absolute(file)
            if not path.startswith(top):
                raise ValueError(f"expected a file in {folder}, got {file}")
            rows[path[len(top) :].replace(os.sep, "/")] = digests.of(path)
    return Content(str(folder), digest_value(rows))


def _files_under(folder: str) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118
            if not name.startswith(".") and os.path.isfile(path):  # noqa: PTH113
                yield path


def output_paths(workspace: Workspace, outputs: Outputs, suffix: str = "") -> list[Path]:
    """The files of a record as absolute paths, sorted; only those that end in ``suffix``."""
    return [workspace.root / name for name in sorted(outputs) if name.endswith(suffix)]


def prune_stale(folder: Path, keep: Iterable[str]) -> int:
    """Remove pictures from ``folder`` that no record speaks of any more, so that no training sees them.

    Args:
        keep: file names in the folder that stay. Only pictures (PNG) are removed, never manifests.

    Returns:
        how many were removed.
    """
    wanted = set(keep)
    stale = [name for name in pictures_of(folder) if name not in wanted]
    for name in stale:
        (folder / name).unlink(missing_ok=True)
    return len(stale)


def pictures_of(folder: Path) -> list[str]:
    """Names of the pictures (PNG) in one of the workspace's folders, sorted; none where it is not there."""
    return sorted(name for name in os.listdir(folder) if name.endswith(".png")) if folder.is_dir() else []  # noqa: PTH208
