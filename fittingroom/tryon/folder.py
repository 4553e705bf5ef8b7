"""A folder of try-ons: a picture for each photo and style, ``manifest.jsonl`` with a row for each, and contact sheets.

A row holds what its result was made of, so that a batch that was stopped, or is asked for again, makes what is missing,
damaged or made of other photos, models or settings, and nothing else. `fittingroom.tryon.batch` does the work.
"""

from __future__ import annotations

import itertools
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fittingroom.errors import ImageRejected, MissingInputError
from fittingroom.garment import GarmentFinder
from fittingroom.images import IMAGE_SUFFIXES, REFUSED_SUFFIXES, RGB, encode_jpeg
from fittingroom.manifest import append_line, read_lines
from fittingroom.names import name_key, printable
from fittingroom.opening import opened
from fittingroom.sheets import Cell, Row, contact_sheet, wrapped
from fittingroom.tryon.batch import Look, TriedOn, photo_files, photos_at_once, try_on_photos
from fittingroom.tryon.named import MISSING, VERSION
from fittingroom.tryon.provenance import MadeBy, read_mark, write_mark
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.workspace import digest_file, digest_value, write_bytes

MANIFEST, LOCK = "manifest.jsonl", ".batch.lock"
_SHEET = "contact-sheet-{:03}.jpg"
_A_SHEET, _OF = re.compile(r"contact-sheet-\d{3,}\.jpg"), re.compile(r"[0-9a-f]{64}")
"""Names of contact sheets, and their comment."""
_PHOTOS_A_SHEET, _CELL, _COLUMNS = 20, 220, 7
_NOTE_LETTERS = 36
_LONGEST_STEM = 120
"""Bytes of a photo's name that its results' names repeat: file systems take 255."""
_REMEMBERED = ("key", "photo", "style", "status", "reason", "error", "path", "sha256", "inputs", "warning")
"""What is kept in memory of each row: a batch may have many thousands."""


@dataclass(frozen=True)
class WantedLook:
    """A style to try on, no model loaded yet: what a `Look` has besides its translator."""

    name: str
    made_by: MadeBy
    settings: TryOnSettings
    category: str | None
    domains: Mapping[str, str]

    def digest(self) -> str:
        """Of all that a result is made of but the photo."""
        return digest_value(
            {
                "code": VERSION,
                "style": self.made_by.style,
                "models": dict(self.made_by.models),
                "settings": self.settings.to_json(),
                "category": self.category,
                "domains": dict(self.domains),
            }
        )


@dataclass(eq=False)
class _Entry:
    """One photo on its way: its rows by style, those that are still to come, and its pictures for a sheet."""

    photo: Path
    sha256: str
    looks: Sequence[str]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    to_do: list[str] = field(default_factory=list)
    places: dict[str, Path] = field(default_factory=dict)
    before: RGB | None = None
    after: dict[str, RGB] = field(default_factory=dict)


@dataclass
class Summary:
    """What became of a batch: photos and styles asked for, rows by what became of them, and the rows without result."""

    photos: int = 0
    styles: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    without: list[dict[str, Any]] = field(default_factory=list)
    doubted: int = 0
    sheets: list[str] = field(default_factory=list)

    def put(self, row: dict[str, Any], before: bool) -> None:
        """Count a row; ``before``: it was there already."""
        if row["status"] == "kept":
            words = ["done before" if before else "done"]
            self.doubted += bool(row.get("warning"))
        else:
            words = [row["status"], f"{row['status']}: {row['reason']}"]
            self.without.append(row)
        for word in words:
            self.counts[word] = self.counts.get(word, 0) + 1


def pictures_in(people: Iterable[Path], root: Path) -> list[Path]:
    """The photos named: files as they are; of folders the files that are pictures by their names, or have no suffix.

    What a batch wrote into ``root`` is none of them, and a photo that is named twice is one.

    Raises:
        MissingInputError: a file or folder that is not there, or a folder without pictures.
    """
    own = ResultFolder(root).own()
    found: dict[Path, Path] = {}
    for person in people:
        if person.is_dir():
            named = ("", *IMAGE_SUFFIXES, *REFUSED_SUFFIXES)
            files = [path for path in photo_files(person) if path.suffix.lower() in named]
            files = [path for path in files if path.absolute() not in own]
            if not files:
                raise MissingInputError("photos", person, "the folder has no picture")
        elif not person.exists():
            raise MissingInputError("photo", person)
        else:
            files = [person] if person.absolute() not in own else []
        found |= {path.absolute(): path for path in files if path.absolute() not in found}
    return list(found.values())


class ResultFolder:
    """The results in ``root``, as their manifest has them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._rows: dict[str, dict[str, Any]] = {}
        self._taken: dict[str, str] = {}
        self._photos: set[Path] = set()
        for row in read_lines(root / MANIFEST):
            if all(isinstance(row.get(name, ""), str) for name in _REMEMBERED) and {"key", "status"} <= set(row):
                self._remember(row)

    def own(self) -> set[Path]:
        """Every picture that a batch wrote here, by its absolute path."""
        results = (self.root.absolute() / row["path"] for row in self._rows.values() if row.get("path"))
        return {*results, *(sheet.absolute() for sheet in self._sheets())}

    def try_on(
        self,
        photos: Sequence[Path],
        looks: Sequence[WantedLook],
        load: Callable[[], tuple[GarmentFinder, Sequence[Look]]],
        listener: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> Summary:
        """Try every look on every photo: what is not there yet, or not as it was written.

        Args:
            load: the models, asked for once, when the first of them is needed.
            listener: is told each row, done before or now.

        Raises:
            StorageUnavailable: the disk is full. InputError: what cannot be used, whatever the photo.
        """
        summary = Summary(len(photos), [look.name for look in looks])
        self._photos = {photo.absolute() for photo in photos}
        sheets = (name for name in map(_SHEET.format, itertools.count(1)) if self._is_sheet(self.root / name))
        entries = self._entries(photos, looks, load, summary, listener)
        while some := list(itertools.islice(entries, _PHOTOS_A_SHEET)):
            summary.sheets.append(next(sheets))
            self._draw(self.root / summary.sheets[-1], some)
        for stale in self._sheets():
            if stale.name not in summary.sheets:
                stale.unlink()
        return summary

    def _entries(
        self,
        photos: Sequence[Path],
        looks: Sequence[WantedLook],
        load: Callable[[], tuple[GarmentFinder, Sequence[Look]]],
        summary: Summary,
        listener: Callable[[Mapping[str, Any]], None],
    ) -> Iterator[_Entry]:
        """The photos in order, each when all of its rows are there."""
        inputs = {look.name: look.digest() for look in looks}
        waiting: deque[_Entry] = deque()

        def sort(photo: Path) -> _Entry:
            entry = self._sorted(photo, inputs)
            waiting.append(entry)
            for row in entry.rows.values():
                summary.put(row, before=True)
                listener(row)
            return entry

        rest = iter(photos)
        first = next((entry for entry in map(sort, rest) if entry.to_do), None)
        if first is not None:
            finder, loaded = load()
            by_name = {look.name: look for look in loaded}
            to_do = (entry for entry in itertools.chain([first], map(sort, rest)) if entry.to_do)
            on_the_way: dict[Path, _Entry] = {}

            def asked() -> Iterator[tuple[Path, list[Look]]]:
                for entry in to_do:
                    on_the_way[entry.photo] = entry
                    yield entry.photo, [by_name[name] for name in entry.to_do]

            made = try_on_photos(
                asked(),
                finder,
                lambda photo, look: on_the_way[photo].places[look.name],
                small=_CELL,
                at_once=photos_at_once(),
            )
            for one in made:
                entry = on_the_way[one.photo]
                row = self._put(entry, one, inputs[one.look])
                summary.put(row, before=False)
                listener(row)
                if not entry.to_do:
                    del on_the_way[one.photo]
                while waiting and not waiting[0].to_do:
                    yield waiting.popleft()
        yield from waiting

    def _sorted(self, photo: Path, inputs: Mapping[str, str]) -> _Entry:
        """A photo with the rows that stand, and a place for each result that is to be made."""
        try:
            sha256 = digest_file(photo)
        except OSError:
            sha256 = ""  # it cannot be read, which is said when it is tried
        entry = _Entry(photo, sha256, list(inputs))
        for look, digest in inputs.items():
            row = self._rows.get(self._key(photo, look), {})
            if sha256 and row.get("inputs") == digest_value([sha256, digest]) and self._stands(row):
                entry.rows[look] = row
            else:
                entry.to_do.append(look)
                entry.places[look] = self._place(photo, look, sha256)
        return entry

    def _stands(self, row: Mapping[str, Any]) -> bool:
        """A refusal, which would be the same again, or a picture as it was written."""
        if row["status"] != "kept":
            return bool(row["status"] == "refused")
        try:
            return bool(digest_file(self.root / row["path"]) == row["sha256"])
        except OSError:
            return False

    def _key(self, photo: Path, look: str) -> str:
        return f"{printable(os.path.relpath(photo, self.root))}#{look}"

    def _place(self, photo: Path, look: str, sha256: str) -> Path:
        """Where a result goes: where it was before, else a name that no other photo's has."""
        key = self._key(photo, look)
        if path := self._rows.get(key, {}).get("path"):
            return self.root / str(path)
        stem = printable(photo.stem).encode()[:_LONGEST_STEM].decode(errors="ignore")
        name = next(name for name in _names(stem, sha256[:8], look) if self._is_free(name, key))
        self._taken[name_key(name)] = key
        return self.root / name

    def _is_free(self, name: str, key: str) -> bool:
        """Whether no other result has the name, and no file that is none of ours, or that is tried on."""
        path = self.root / name
        if self._taken.get(name_key(name), key) != key or path.absolute() in self._photos:
            return False
        try:
            return read_mark(path) is not None  # of a batch that was killed before it wrote the row
        except MissingInputError:
            return True
        except ImageRejected:
            return False

    def _remember(self, row: Mapping[str, Any]) -> None:
        kept = {name: row[name] for name in _REMEMBERED if name in row}
        if (path := kept.get("path", "")) != Path(path).name:
            return  # nothing that was put into a manifest leads out of its folder
        self._rows[row["key"]] = kept
        if path:
            self._taken[name_key(path)] = row["key"]

    def _put(self, entry: _Entry, one: TriedOn, inputs: str) -> dict[str, Any]:
        """Write the row of a result that was made or refused."""
        row: dict[str, Any] = {
            "key": self._key(one.photo, one.look),
            "photo": printable(os.path.relpath(one.photo, self.root)),
            "style": one.look,
        }
        if one.refused:
            undecodable = one.reason == MISSING or one.reason in ImageRejected.REASONS
            row |= {"status": "failed" if undecodable else "refused", "reason": one.reason, "error": one.refused}
            if entry.sha256 and (path := self._rows.get(row["key"], {}).get("path")):
                (self.root / path).unlink(missing_ok=True)  # what it showed is no longer the photo's
        else:
            place = one.pictures["image"]
            row |= {
                "status": "kept",
                "path": place.name,
                "sha256": digest_file(place),
                "sentence": one.message,
                "garment": one.category,
                "score": round(one.score, 4),
                "box_xyxy": list(one.box_xyxy),
                "garments": one.garments,
                "doubt": one.doubt,
                "warning": one.warning,
                "colour": [dye.to_json() for dye in one.colour],
                "seconds": one.seconds,
            }
        row |= {"source_sha256": entry.sha256, "inputs": digest_value([entry.sha256, inputs])}
        append_line(self.root / MANIFEST, row)
        self._remember(row)
        entry.rows[one.look] = row
        entry.to_do.remove(one.look)
        if one.small is not None:
            entry.before, entry.after[one.look] = one.small
        return row

    def _sheets(self) -> list[Path]:
        found = (path for path in self.root.glob(_SHEET.replace("{:03}", "*")) if _A_SHEET.fullmatch(path.name))
        return sorted(path for path in found if self._is_sheet(path))

    def _is_sheet(self, path: Path) -> bool:
        """Whether a contact sheet may lie there: nothing does, or one that a batch drew."""
        return not os.path.lexists(path) or bool(_OF.fullmatch(_comment(path)))

    def _draw(self, path: Path, entries: Sequence[_Entry]) -> None:
        """A contact sheet of some photos, unless it is there: its comment says of what it is."""
        of = digest_value([sorted((row["key"], row.get("sha256", "")) for row in e.rows.values()) for e in entries])
        if _comment(path) == of:
            return
        rows: list[Row] = []
        for entry in entries:
            cells = [Cell(entry.photo if entry.before is None else entry.before, notes=(_note(entry.photo.name),))]
            for look in entry.looks:
                row = entry.rows[look]
                shown = entry.after.get(look, self.root / row["path"] if row.get("path") else None)
                why = row.get("reason") or ("doubtful, see the manifest" if row.get("warning") else "")
                cells.append(Cell(shown, notes=(_note(look), why)))
            rows += wrapped(cells, _COLUMNS)
        shown = MadeBy(", ".join(dict.fromkeys(look for entry in entries for look in entry.looks)))
        write_bytes(path, encode_jpeg(contact_sheet(rows, _CELL, square=True), comment=of, xmp=write_mark(shown)))


def _names(stem: str, digest: str, look: str) -> Iterator[str]:
    """What a result may be called, the name that is liked best first."""
    yield f"{stem}-{look}.png"
    yield f"{stem}-{digest}-{look}.png"
    for number in itertools.count(2):
        yield f"{stem}-{digest}-{number}-{look}.png"


def _note(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _NOTE_LETTERS else f"{text[: _NOTE_LETTERS - 3]}..."


def _comment(picture: Path) -> str:
    """The comment of a JPEG; empty where there is none, or no such file."""
    try:
        with opened(picture, header_only=True) as image:
            comment = image.info.get("comment", b"")
    except (ImageRejected, MissingInputError):
        return ""
    return comment.decode(errors="replace") if isinstance(comment, bytes) else str(comment)
