"""A folder of crawled pictures: named by digest, each kept once, each with its row.

Several threads and processes may fill one folder at the same time (the shards of one style): what decides whether a
picture is new, and the row that says so, happen under one lock on the folder, with the rows of the others read first.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from fittingroom import images
from fittingroom.crawl.check import Checked, look_of
from fittingroom.crawl.clean import SUFFIXES
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.crawl.synced import BATCH, LOCK, is_whole, proven_bytes, wait_for_disk
from fittingroom.manifest import ImageRow, Manifest, append
from fittingroom.workspace import digest_bytes, temporary_beside

MANIFEST = "manifest.jsonl"
_PICTURE = re.compile(r"[0-9a-f]{64}\.(?:jpg|png|webp)")
_SAME_LOOK = 3.0
"""Mean difference of two 32 x 32 thumbnails, in levels of 255, up to which near duplicates are the same picture.
A perceptual hash sees light and dark only: a red and a green garment of one cut have the same one."""


class Store:
    """One output folder."""

    def __init__(self, folder: Path, settings: CrawlSettings) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.manifest_path = self.folder / MANIFEST
        self._settings = settings
        self._threads = _lock_of(self.folder)
        self._proven = proven_bytes(self.folder, self.manifest_path)
        self._unsynced = 0
        self._read_to = 0
        self._rows = Manifest()
        self._kept: dict[str, int] = {}
        """Key of each kept row to its perceptual hash."""
        self._by_digest: dict[str, str] = {}
        """Digest of the stored and of the fetched bytes to the key of the row that has them."""
        self._looks: dict[str, images.RGB] = {}
        """File name to thumbnail."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[Manifest]:
        """Hold the folder against other threads and processes; gives its rows, the newest included."""
        with self._threads, (self.folder / LOCK).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._catch_up()
            yield self._rows

    def manifest(self) -> Manifest:
        """Every row so far."""
        with self.locked() as rows:
            return Manifest(rows.rows, rows.torn_lines)

    def note(self, row: ImageRow) -> ImageRow:
        """Append ``row``, unless its key's last row says the same."""
        with self.locked() as rows:
            return self._append(row, rows)

    def _append(self, row: ImageRow, rows: Manifest) -> ImageRow:
        old = rows.get(row.key)
        if old is not None and replace(old, fetched_at="", attempts=0) == replace(row, fetched_at="", attempts=0):
            return old
        append(self.manifest_path, row)
        return row

    def keep(self, picture: Checked, row: ImageRow) -> ImageRow:
        """Store ``picture`` under ``row.key``, or mark it as a duplicate; returns the row that was written."""
        digest = digest_bytes(picture.data)
        row = replace(
            row,
            sha256=digest,
            source_sha256=picture.source_sha256,
            width=picture.width,
            height=picture.height,
            format=picture.format,
            phash=picture.phash,
        )
        final = self.folder / f"{digest}{SUFFIXES[picture.format]}"
        with temporary_beside(final) as written:
            written.write_bytes(picture.data)  # the slow part, while other threads hold the folder
            row = self._keep(picture, row, written, final)
        self._unsynced += 1
        if self._unsynced >= BATCH:
            self.sync()
        return row

    def sync(self) -> None:
        """Wait until what was kept is on the disk.

        Raises:
            StorageUnavailable: the disk is full.
        """
        if self._unsynced:
            self._unsynced = 0
            with self.locked():
                size = self._read_to
            wait_for_disk(self.folder, size)

    def _keep(self, picture: Checked, row: ImageRow, written: Path, final: Path) -> ImageRow:
        with self.locked() as rows:
            twin, reason = self._twin(picture, row, rows)
            if twin is not None:
                return self._append(
                    replace(row, status="duplicate", reason=reason, duplicate_of=twin.key, path=""), rows
                )
            written.replace(final)
            row = replace(row, status="kept", path=final.name)
            self._looks[row.path] = picture.look
            for smaller in self._near(picture, row, rows):
                self._give_way(smaller, row, rows)
            return self._append(row, rows)

    def _give_way(self, smaller: ImageRow, larger: ImageRow, rows: Manifest) -> None:
        """``larger`` takes the place of its near duplicate, and of what that one stood for. These rows come before its
        own: after a kill in between, the next run finds duplicates of nothing and fetches them again."""
        for row in [smaller, *(row for row in rows.rows if row.duplicate_of == smaller.key)]:
            self._append(replace(row, status="duplicate", reason="near", duplicate_of=larger.key, path=""), rows)

    def tidy(self) -> None:
        """Remove pictures that no row names any more, once nobody vouches for them: their places were taken."""
        with self.locked() as rows:
            named = {row.path for row in rows.rows if row.path}
            for file in self.folder.iterdir():
                if _PICTURE.fullmatch(file.name) and file.name not in named:
                    file.unlink(missing_ok=True)

    def has_file(self, row: ImageRow) -> bool:
        """Whether the picture of a row is on disk."""
        return bool(row.path) and (self.folder / row.path).is_file()

    def is_whole(self, row: ImageRow) -> bool:
        """Whether the picture of a row is on disk with the bytes that were written."""
        return bool(row.path) and is_whole(self.folder, row)

    def _twin(self, picture: Checked, row: ImageRow, rows: Manifest) -> tuple[ImageRow | None, str]:
        """The kept row that ``picture`` is a duplicate of, and how: the same one, or nearly and no smaller."""
        for known in (row.sha256, picture.source_sha256):
            other = rows.get(self._by_digest.get(known, ""))
            if other is None or other.status != "kept" or other.key == row.key or not self.is_whole(other):
                continue
            if row.sha256 == other.sha256 or picture.source_sha256 == other.source_sha256:
                return other, "exact"
        near = [other for other in self._near(picture, row, rows) if _pixels(other) >= _pixels(row)]
        return (max(near, key=_pixels), "near") if near else (None, "")

    def _near(self, picture: Checked, row: ImageRow, rows: Manifest) -> list[ImageRow]:
        """Kept rows of nearly the same picture."""
        found = []
        bits = int(picture.phash, 16)
        for key, theirs in self._kept.items():
            if key == row.key or (bits ^ theirs).bit_count() > self._settings.near_duplicate_bits:
                continue
            other = rows.get(key)
            look = self._look_of(other) if other is not None else None
            if (
                other is not None
                and look is not None
                and np.abs(look.astype(np.int16) - picture.look.astype(np.int16)).mean() <= _SAME_LOOK
            ):
                found.append(other)
        return found

    def _look_of(self, row: ImageRow) -> images.RGB | None:
        if row.path not in self._looks:
            look = look_of(self.folder / row.path)
            if look is None:
                return None
            self._looks[row.path] = look
        return self._looks[row.path]

    def _catch_up(self) -> None:
        """Read the lines that were appended, here or by others, since the last time."""
        if not self.manifest_path.exists():
            self._forget()
            return
        with self.manifest_path.open("rb") as file:
            if file.seek(0, io.SEEK_END) < self._read_to:
                self._forget()  # somebody wrote it anew
            file.seek(self._read_to)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        first = self._read_to == 0
        self._read_to += len(whole)
        read = Manifest.parse(whole.decode("utf-8", "replace").splitlines())
        lost = self._lost_in(whole[self._proven :]) if first else set()
        for row in read.rows:
            if row.key in lost:
                continue
            self._rows.put(row)
            if row.status == "kept":
                self._kept[row.key] = int(row.phash or "0", 16)
                self._by_digest[row.sha256] = self._by_digest[row.source_sha256] = row.key
            else:
                self._kept.pop(row.key, None)
        self._rows.torn_lines += read.torn_lines

    def _lost_in(self, lines: bytes) -> set[str]:
        """Keys of kept rows, of those not proven, whose pictures a power cut took: they are fetched anew."""
        rows = Manifest.parse(lines.decode("utf-8", "replace").splitlines()).kept()
        return {row.key for row in rows if not is_whole(self.folder, row)}

    def _forget(self) -> None:
        self._read_to, self._rows = 0, Manifest()
        self._kept.clear()
        self._by_digest.clear()


def _pixels(row: ImageRow) -> int:
    return row.width * row.height


_locks: dict[Path, threading.RLock] = {}
_locks_lock = threading.Lock()


def _lock_of(folder: Path) -> threading.RLock:
    """flock is per open file, and a process' threads would all hold it at once through one object: hence both."""
    with _locks_lock:
        return _locks.setdefault(folder.resolve(), threading.RLock())
