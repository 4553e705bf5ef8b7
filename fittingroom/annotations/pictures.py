"""A document's picture as a file: the one place that knows how names in documents and names on disks differ, and where
the pictures of a document lie.

A name is first taken as it stands. What is not there is looked for under another spelling (composed or decomposed
letters, capitals, backslashes, ``.jpeg`` for ``.jpg``, ``%20``), then by its last parts (documents carry absolute paths
of other machines), then in the direct sub-folders. Nothing outside the folder of pictures is ever asked for.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from fittingroom.annotations import identity
from fittingroom.annotations.fields import Place
from fittingroom.annotations.headers import Header, read_header
from fittingroom.errors import ImageRejected
from fittingroom.images import IMAGE_SUFFIXES, REFUSED_SUFFIXES
from fittingroom.names import is_utf8, name_key, printable

_MOST_FOLDERS = 100
"""Direct sub-folders that are searched."""
_SETTLED_NS = 1_000_000_000
_JPEG = (".jpg", ".jpeg")
_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9+.-]*://[^/]*|[a-z]:)", re.IGNORECASE)
"""The start of a web address or a drive letter: ``https://host``, ``C:``."""

# COCO has annotations/instances_train2017.json next to train2017/, CVAT images/default/, Roboflow the document among
# the pictures, Label Studio images/, FiftyOne data/, labelme's converter JPEGImages/.
_USUAL = ("image", "images", "img", "imgs", "jpegimages", "data", "photos", "pictures")
"""Folders of pictures, and folders of such folders (one for each split)."""
_OF_DOCUMENTS = ("annotations", "annotation", "annos", "ann", "labels", "json", "via", "coco")
"""Folders that hold documents: what lies next to them belongs to the same set."""


class Found(NamedTuple):
    """A picture that is there: its name under the folder, with forward slashes, and its header.

    ``header`` is None for a file that is no picture we accept, and ``problem`` says why.
    """

    name: str
    header: Header | None
    problem: str = ""


class Pictures:
    """The pictures of one folder (None: no folder is known), found by the names that documents give them.

    ``expected`` makes it a finding that no folder is known.
    """

    def __init__(self, folder: Path | None, expected: bool = False) -> None:
        self.folder, self._expected = folder, expected
        self._text = str(folder) if folder is not None else ""
        self._claimed: dict[str, str] = {}
        self._names: dict[str, Mapping[str, str]] = {}

    def of(self, name: str, place: Place) -> Found | None:
        """The picture that a document calls ``name``; what is odd about it is noted."""
        found = self.look(name)
        if found is None and identity.is_safe(name) and (self.folder is not None or self._expected):
            where = "no folder of pictures was found" if self.folder is None else f"expected it in {self.folder}"
            place.note("missing_image", printable(where))
        if found is not None and found.name != name:
            place.note("other_name", f"stated {name[:200]!r}", f"read as {found.name}")
        if found is not None and found.header is None:
            place.note("image_unreadable", found.problem)
        return found

    def of_row(self, stated: object, field: str, place: Place) -> tuple[str, Header | None] | None:
        """The name, and the header, of the picture that a row calls ``stated`` in ``field``; None for no safe name."""
        found = self.of(stated, Place(place.findings, stated)) if isinstance(stated, str) else None
        if found is not None:
            return found.name, found.header
        if isinstance(stated, str) and identity.is_safe(stated):
            return stated, None
        message = f"{field}: expected a name inside the image folder, got {stated!r:.60}"
        place.note("unsafe_name", message, "left out")
        return None

    def look(self, name: str, any_suffix: bool = False) -> Found | None:
        """The picture that a document calls ``name``; ``any_suffix`` if the document names only its stem."""
        if self.folder is None:
            return None
        if identity.is_safe(name) and (found := self.exactly(name)):
            return found
        spelt = self._loosely(name, any_suffix)
        return self.exactly(spelt) if spelt else None

    def find(self, name: str) -> str | None:
        """The name on the disk of the picture that a document calls ``name``; no header is read."""
        if identity.is_safe(name) and is_utf8(name) and os.path.isfile(os.path.join(self._text, name)):  # noqa: PTH113, PTH118
            return name
        return self._loosely(name, any_suffix=False)

    def exactly(self, name: str) -> Found | None:
        """The picture of a name that is known to be safe, as it stands."""
        try:
            return Found(name, read_header(os.path.join(self._text, name)))  # noqa: PTH118  a `Path` takes longer
        except ImageRejected as error:
            return Found(name, None, error.detail)
        except (OSError, ValueError):
            return None

    def _loosely(self, name: str, any_suffix: bool) -> str | None:
        parts = foreign_parts(name) if len(name) < identity.LONGEST_NAME and "\0" not in name else []
        for start in range(len(parts)):
            spelt = self._spelt(parts[start:], any_suffix)
            loosely = start > 0 or (spelt is not None and name_key(spelt) != name_key("/".join(parts)))
            if spelt and self._may_claim(spelt, name, loosely):
                return spelt
        if "%" in name and (plain := unquote(name)) != name:
            return self._loosely(plain, any_suffix)  # as tools with a web page write letters and spaces
        below = self._below(parts[-1], any_suffix) if parts else None
        return below if below and self._may_claim(below, name, loosely=True) else None

    def _may_claim(self, found: str, name: str, loosely: bool) -> bool:
        """Whether ``found`` may be the picture of ``name``: found by part of a name, it is nobody else's too."""
        return not loosely or self._claimed.setdefault(found, name) == name

    def _spelt(self, parts: list[str], any_suffix: bool, below: str = "") -> str | None:
        """The name on the disk that ``parts`` spell, folder by folder."""
        folder = os.path.join(self._text, below)  # noqa: PTH118
        names = self._names.get(folder)
        if names is None:
            names = self._names[folder] = _names_in(folder)
        found = ""
        for last in _spellings(parts[-1], any_suffix):
            found = names.get(name_key("/".join([*parts[:-1], last])), "")
            if found:
                return f"{below}/{found}" if below else found
        if len(parts) == 1 or not (inner := names.get(name_key(parts[0]))):
            return None
        return self._spelt(parts[1:], any_suffix, f"{below}/{inner}" if below else inner)

    def _below(self, name: str, any_suffix: bool) -> str | None:
        """The one picture of this name in all direct sub-folders."""
        found = [
            spelt for folder in folders_in(self._text) if (spelt := self._spelt([name], any_suffix, folder)) is not None
        ]
        return found[0] if len(found) == 1 else None


def _spellings(name: str, any_suffix: bool) -> Iterator[str]:
    """A file's name, and with the other suffixes that a picture so called may have."""
    yield name
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if any_suffix:
        yield from (str(path.with_suffix(other)) for other in IMAGE_SUFFIXES)
    elif suffix in _JPEG:
        yield from (str(path.with_suffix(other)) for other in _JPEG if other != suffix)
    elif suffix not in (*IMAGE_SUFFIXES, *REFUSED_SUFFIXES):  # none: a stem may have dots
        yield from (name + other for other in IMAGE_SUFFIXES)


def foreign_parts(name: str) -> list[str]:
    """The folders and the file of a name from another machine: ``C:\\data\\a.jpg``, ``../a.jpg``, ``http://host/a.jpg``.

    What lies above the last ``..`` is not ours to know.
    """
    plain = _ADDRESS.sub("", name.replace("\\", "/")).partition("?")[0]
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    above = max((at for at, part in enumerate(parts) if part == ".."), default=-1)
    return parts[above + 1 :]


def _names_in(folder: str) -> Mapping[str, str]:
    try:
        changed = os.stat(folder).st_mtime_ns  # noqa: PTH116
        # One that changed this moment may change again within the clock's tick.
        settled = time.time_ns() - changed > _SETTLED_NS
        return _index(folder, changed) if settled else _index.__wrapped__(folder, changed)
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=16)
def _index(folder: str, changed_ns: int) -> dict[str, str]:  # noqa: ARG001  a folder that changed is another
    """Names in a folder by what their spellings have in common; '' where two share that."""
    names: dict[str, str] = {}
    unpacked: dict[str, str] = {}
    for name in os.listdir(folder):  # noqa: PTH208
        if name.startswith(".") or not is_utf8(name):
            continue
        key = name_key(name.replace("\\", "/"))
        names[key] = "" if key in names else name
        if "\\" in name:  # a zip from Windows, unpacked with its paths as names
            last = key.rpartition("/")[2]
            unpacked[last] = "" if last in unpacked else name
    return {**unpacked, **names}


def folders_in(folder: str | Path) -> list[str]:
    """Names of the direct sub-folders, sorted, hidden ones and links left out; a hundred at most."""
    try:
        with os.scandir(folder) as entries:
            found = [e.name for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]
    except (OSError, ValueError):
        return []
    return sorted(name for name in found if is_utf8(name))[:_MOST_FOLDERS]


def folder_of_pictures(document: Path, names: Sequence[object]) -> Path | None:
    """The folder that has most of the pictures ``names``; of several alike the one named like the document, or else
    the nearest. None when no folder has any.
    """
    wanted = [name for name in names if isinstance(name, str) and name]
    best, most = None, (0, 0, False)
    for folder in _candidates(document.resolve().parent):
        pictures = Pictures(folder)
        found = [(name, spelt) for name in wanted if (spelt := pictures.find(name)) is not None]
        in_place = sum(name_key(name) == name_key(spelt) for name, spelt in found)
        score = len(found), in_place, name_key(folder.name) in name_key(document.stem)
        if score > most:
            best, most = folder, score
    return best


def _candidates(parent: Path) -> Iterator[Path]:
    beside = [parent]
    if name_key(parent.name) in _OF_DOCUMENTS and parent.parent != parent:
        beside.append(parent.parent)
    for folder in beside:
        inner = folders_in(folder)
        usual = [folder / name for known in _USUAL for name in inner if name_key(name) == known]
        yield from usual
        yield folder
        yield from (folder / name for name in inner if name_key(name) not in _USUAL)
        yield from (group / name for group in usual for name in folders_in(group))
    if len(beside) == 1 and parent.parent != parent:
        yield from (parent.parent / name for name in folders_in(parent.parent) if name_key(name) in _USUAL[:2])
