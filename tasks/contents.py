"""What a folder holds, as a digest: the one place where files from outside enter cache keys.

Reading every byte again on every run would cost more than the work it saves, so digests are remembered by path, size
and time of change in ``<workspace>/cache/digests.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from fittingroom.errors import MissingInputError
from fittingroom.workspace import Workspace, digest_file, digest_value, write_json
from tasks.caching import Content, Outputs, Record

MEMORY = "digests.json"


class Digests:
    """SHA-256 of files, each read once for as long as its size and time of change stand still."""

    def __init__(self, workspace: Workspace) -> None:
        self._path = workspace.cache / MEMORY
        self._changed = False
        self._known = _remembered(self._path)

    def of(self, file: Path) -> str:
        """The digest of one file.

        Raises:
            MissingInputError: no such file.
        """
        file = Path(file).absolute()
        try:
            stat = file.stat()
        except OSError:
            raise MissingInputError("file", file) from None
        fact: list[object] = [stat.st_size, stat.st_mtime_ns]
        known = self._known.get(str(file))
        if known is not None and known[:2] == fact:
            return str(known[2])
        digest = digest_file(file)
        self._known[str(file)] = [*fact, digest]
        self._changed = True
        return digest

    def save(self) -> None:
        """Write what was learnt, for the next run."""
        if self._changed:
            write_json(self._path, self._known, indent=None)
            self._changed = False


Memory = dict[str, list[object]]
_parsed: dict[Path, tuple[tuple[int, int], Memory]] = {}
"""What each memory file said, and its size and time of change then: it has a line for every picture of a workspace, and
a run asks it many times."""


def _remembered(path: Path) -> Memory:
    try:
        stat = path.stat()
        fact = stat.st_size, stat.st_mtime_ns
        known = _parsed.get(path)
        if known is None or known[0] != fact:
            known = _parsed[path] = fact, dict(json.loads(path.read_text(encoding="utf-8")))
        return dict(known[1])
    except (OSError, ValueError):  # none yet, or torn
        return {}


def file_content(workspace: Workspace, file: Path) -> Content:
    """One file's bytes, whatever its name.

    Raises:
        MissingInputError: no such file.
    """
    digests = Digests(workspace)
    content = Content(str(Path(file).absolute()), digests.of(Path(file)))
    digests.save()
    return content


def folder_content(workspace: Workspace, folder: Path, files: Iterable[Path] | None = None) -> Content:
    """The names and bytes of files in a folder: of all under it, hidden ones left out, unless ``files`` says which.

    Raises:
        MissingInputError: no such folder.
    """
    folder = Path(folder).absolute()
    if not folder.is_dir():
        raise MissingInputError("folder", folder)
    if files is None:
        files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    digests = Digests(workspace)
    rows = {Path(file).absolute().relative_to(folder).as_posix(): digests.of(file) for file in files}
    digests.save()
    return Content(str(folder), digest_value(rows))


def output_digests(records: Iterable[Record]) -> dict[str, str]:
    """Path relative to the workspace -> SHA-256, of everything these steps wrote."""
    return {name: str(fact[2]) for record in records for name, fact in record["outputs"].items()}


def output_paths(workspace: Workspace, outputs: Outputs, suffix: str = "") -> list[Path]:
    """The files of a record as absolute paths, sorted; only those that end in ``suffix``."""
    return [workspace.root / name for name in sorted(outputs) if name.endswith(suffix)]


def settle(folder: Path, keep: Iterable[str]) -> int:
    """Remove pictures from ``folder`` that no record speaks of any more, so that no training sees them.

    Args:
        keep: file names in the folder that stay. Only pictures (PNG) are removed, never manifests.

    Returns:
        how many were removed.
    """
    wanted = set(keep)
    stale = [p for p in Path(folder).glob("*.png") if p.name not in wanted] if Path(folder).is_dir() else []
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)
