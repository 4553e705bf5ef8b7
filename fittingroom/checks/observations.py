"""What checks saw in earlier runs: ``checks.jsonl`` in the workspace, a few rows for each thing that was looked at.

It is a memory, no record: a file that is lost or damaged costs a comparison with the last run, and what was measured
of pictures is measured again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fittingroom.locks import locked
from fittingroom.manifest import read_lines
from fittingroom.workspace import write_text

KEPT = 2
"""Rows of each thing: what it is now, and what it was before."""
MOST = 20_000
"""Rows in all; the oldest go first."""

Key = tuple[str, str]
"""What was looked at (a check's name, say), and of which style or data set."""


class Seen(NamedTuple):
    """What was seen of some content, which is told by its digest."""

    content: str
    value: dict[str, Any]


class Observations:
    """The rows of one file, newest last; what is put is in it once it is saved."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._rows = _read(self.path)
        self._changes: list[tuple[Key, Seen | None]] = []

    def of(self, what: str, of: str, content: str) -> dict[str, Any] | None:
        """What was seen of this content."""
        return next((seen.value for seen in self._rows.get((what, of), []) if seen.content == content), None)

    def before(self, what: str, of: str, content: str) -> dict[str, Any] | None:
        """What was seen last of any other content: so a run that is done again compares with the same as before."""
        earlier = [seen.value for seen in self._rows.get((what, of), []) if seen.content != content]
        return earlier[-1] if earlier else None

    def put(self, what: str, of: str, content: str, value: dict[str, Any]) -> None:
        """Remember what was seen of this content."""
        self._change((what, of), Seen(content, value))

    def forget(self, what: str, of: str) -> None:
        """Forget what was seen, whatever the content."""
        self._change((what, of), None)

    def save(self) -> None:
        """Write what changed; what other runs wrote meanwhile stays."""
        if not self._changes:
            return
        with locked(self.path.with_name(f".{self.path.name}.lock")):
            self._rows = _read(self.path)
            for key, seen in self._changes:
                _apply(self._rows, key, seen)
            lines = [_line(*key, each) for key, kept in self._rows.items() for each in kept]
            write_text(self.path, "".join(lines[-MOST:]))
        self._changes = []

    def _change(self, key: Key, seen: Seen | None) -> None:
        if self._rows.get(key, [])[-1:] != ([] if seen is None else [seen]):
            _apply(self._rows, key, seen)
            self._changes.append((key, seen))


def _apply(rows: dict[Key, list[Seen]], key: Key, seen: Seen | None) -> None:
    known = rows.pop(key, [])
    if seen is not None:
        rows[key] = [*(each for each in known if each.content != seen.content), seen][-KEPT:]


def _line(what: str, of: str, seen: Seen) -> str:
    return json.dumps({"what": what, "of": of, **seen._asdict()}) + "\n"


def _read(path: Path) -> dict[Key, list[Seen]]:
    """The rows that are whole, by what they are of; one that was changed last stands last."""
    rows: dict[Key, list[Seen]] = {}
    for row in _whole(path):
        key = (row["what"], row["of"])
        rows[key] = [*rows.pop(key, []), Seen(row["content"], row["value"])][-KEPT:]
    return rows


def _whole(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for row in read_lines(path):
            if isinstance(row.get("value"), dict) and all(
                isinstance(row.get(k), str) for k in ("what", "of", "content")
            ):
                yield row
    except OSError:  # a folder, or nobody's to read
        return
