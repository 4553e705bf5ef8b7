"""What happened to each picture: one row each, in JSON-lines files that survive a kill at any byte.

A manifest is append-only: the newest row of a key wins. A torn last line is skipped and said, never fatal.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from fittingroom.workspace import digest_file, write_text

STATUSES = ("kept", "refused", "failed", "duplicate", "skipped", "gone", "withdrawn")
"""kept: usable. refused: decodable but not what is wanted. failed: could not be fetched or decoded.
duplicate: the same picture as ``duplicate_of``. skipped: not asked for (robots, opt-out). gone: was kept, and the shop
took it off. withdrawn: taken out for good (`fittingroom withdraw`); the row keeps the digests and why."""


Wanted = Callable[[Mapping[str, Any]], bool]
"""Whether a row, given as its JSON values, is asked for."""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One picture's fate. Paths are relative to the manifest's folder; ``key`` is a URL or a source path."""

    key: str
    status: str
    reason: str = ""
    path: str = ""
    sha256: str = ""
    source_sha256: str = ""
    width: int = 0
    height: int = 0
    format: str = ""
    phash: str = ""
    duplicate_of: str = ""
    page: str = ""
    final_url: str = ""
    http_status: int = 0
    licence: str = ""
    fetched_at: str = ""
    attempts: int = 0
    etag: str = ""
    last_modified: str = ""
    detail: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status: expected one of {', '.join(STATUSES)}, got {self.status!r}")


_DEFAULTS = ImageRow(key="", status="kept")
_TYPES = {field.name: type(getattr(_DEFAULTS, field.name)) for field in fields(ImageRow)}
"""What is of another type in a line is not ours."""


class Manifest:
    """Rows by key, newest last, with the file they came from."""

    def __init__(self, rows: Iterable[ImageRow] = (), torn_lines: int = 0) -> None:
        self._rows: dict[str, ImageRow] = {}
        self.torn_lines = torn_lines
        for row in rows:
            self.put(row)

    def put(self, row: ImageRow) -> None:
        """Add a row, or replace the row of the same key."""
        self._rows.pop(row.key, None)
        self._rows[row.key] = row

    def get(self, key: str) -> ImageRow | None:
        """The row of ``key``, or None."""
        return self._rows.get(key)

    @property
    def rows(self) -> list[ImageRow]:
        """Every row, in order of last change."""
        return list(self._rows.values())

    def kept(self) -> list[ImageRow]:
        """Rows of usable pictures, sorted by key."""
        return sorted((row for row in self._rows.values() if row.status == "kept"), key=lambda row: row.key)

    def counts(self) -> dict[str, int]:
        """How many rows of each ``status``, and of each ``status: reason`` where a reason is given."""
        found: Counter[str] = Counter()
        for row in self._rows.values():
            found[row.status] += 1
            if row.reason:
                found[f"{row.status}: {row.reason}"] += 1
        return dict(sorted(found.items()))

    def write(self, path: Path) -> None:
        """Write all rows atomically."""
        write_text(path, "".join(_line(row) for row in self._rows.values()))

    @classmethod
    def read(cls, path: Path, wanted: Wanted | None = None) -> Manifest:
        """Read a manifest file; a missing file is an empty manifest, torn or foreign lines are counted and skipped.

        Of a long file's rows only those that are ``wanted`` take memory; a key whose newest row is not has none.
        """
        if not Path(path).exists():
            return cls()
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            return cls.parse(file, wanted)

    @classmethod
    def parse(cls, lines: Iterable[str], wanted: Wanted | None = None) -> Manifest:
        """Read manifest lines; torn or foreign ones are counted and skipped."""
        manifest = cls()
        for line in lines:
            try:
                values: dict[str, Any] = json.loads(line)
                if wanted is None or wanted(values):
                    manifest.put(ImageRow(**{k: v for k, v in values.items() if type(v) is _TYPES.get(k)}))
                else:
                    manifest._rows.pop(values["key"], None)
            except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
                manifest.torn_lines += 1
        return manifest


def rows_about(files: Iterable[Path], path: Path) -> list[ImageRow]:
    """The rows of the manifest file ``path`` whose sources have the bytes of one of ``files``, as they are now: what a
    shard needs to know of a folder of any size.
    """
    sources = set()
    for file in files:
        with contextlib.suppress(OSError):
            sources.add(digest_file(file))
    return Manifest.read(path, lambda values: values.get("source_sha256") in sources).rows


def is_whole(folder: Path, row: ImageRow) -> bool:
    """Whether the picture of a row is in the manifest's ``folder``, with the bytes that were written."""
    path = folder / row.path
    return path.is_file() and digest_file(path) == row.sha256


def append(path: Path, row: ImageRow) -> None:
    """Append one row, as `append_line` does."""
    append_line(path, _values(row))


def append_line(path: Path, values: Mapping[str, Any]) -> None:
    """Append one row of JSON values; a torn last line left by a kill is closed first so that it spoils nothing but
    itself."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        if file.tell() > 0:
            file.seek(-1, 2)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write((json.dumps(values, ensure_ascii=False) + "\n").encode())
        file.flush()


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file that `append_line` wrote, torn or foreign lines left out; none where there is no file."""
    if not Path(path).exists():
        return
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with contextlib.suppress(ValueError, RecursionError):
                if isinstance(values := json.loads(line), dict):
                    yield values


def _line(row: ImageRow) -> str:
    return json.dumps(_values(row), ensure_ascii=False) + "\n"


def _values(row: ImageRow) -> dict[str, Any]:
    return {k: v for k, v in asdict(row).items() if k in ("key", "status") or v != getattr(_DEFAULTS, k)}
