"""A folder of crawled pictures: named by digest, each kept once, each with its row.

Several threads and processes may fill one folder at the same time (the shards of one style): what decides whether a
picture is new, and the row that says so, happen under one lock on the folder, with the rows of the others read first.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fittingroom import images
from fittingroom.crawl.images.check import Checked, look_of
from fittingroom.crawl.images.hashes import HashIndex, same_look
from fittingroom.crawl.images.metadata import SUFFIXES
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.crawl.synced import BATCH, LOCK, proven_bytes, wait_for_disk
from fittingroom.crawl.withdrawn import Withdrawals, tombstone, withdrawn_beside
from fittingroom.locks import locked
from fittingroom.manifest import ImageRow, Manifest, append, is_whole
from fittingroom.workspace import Workspace, digest_bytes, temporary_beside

MANIFEST = "manifest.jsonl"
_PICTURE = re.compile(r"[0-9a-f]{64}\.(?:jpg|png|webp)")


class Store:
    """One output folder."""

    def __init__(self, folder: Path, settings: CrawlSettings) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.manifest_path = self.folder / MANIFEST
        self._settings = settings
        self._proven = proven_bytes(self.folder, self.manifest_path)
        self._unsynced = 0
        self._read_to = 0
        self._rows = Manifest()
        self._hashes = HashIndex()
        """Of kept rows."""
        self._by_digest: dict[str, str] = {}
        """Digest of the stored and of the fetched bytes to the key of the row that has them."""
        self._looks: dict[str, images.RGB] = {}
        """File name to thumbnail."""
        self._withdrawn_file = withdrawn_beside(self.folder)
        self._withdrawals: tuple[object, Withdrawals] = (None, Withdrawals())
        self._before: dict[str, ImageRow] = {}
        """Key of each row that got another picture in this run to the row that it was."""
        self._doubted: set[str] = set()
        """Of these, the keys whose new picture other addresses answered with, too."""

    @property
    def withdrawals(self) -> Withdrawals:
        """Those of the workspace, those too that came while this crawl was under way."""
        file, (seen, known) = self._withdrawn_file, self._withdrawals
        if file is None or not file.exists():
            return Withdrawals()
        if (now := (file.stat().st_size, file.stat().st_mtime_ns)) != seen:
            self._withdrawals = now, (known := Withdrawals.read(Workspace(file.parent)))
        return known

    @contextlib.contextmanager
    def locked(self) -> Iterator[Manifest]:
        """Hold the folder against other threads and processes; gives its rows, the newest included."""
        with locked(self.folder / LOCK):
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

    def keep(self, picture: Checked, row: ImageRow, careful: bool = True) -> ImageRow:
        """Store ``picture`` under ``row.key``, or mark it as a duplicate, or as withdrawn; returns the row that was
        written.

        ``careful``: where the key has a whole picture already and ``picture`` is another one, but a duplicate, the old
        one stays: a shop that is not well answers every address with one and the same.
        """
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
        if (gone := self.withdrawals.of_bytes(digest, picture.source_sha256)) is not None:
            return self.note(tombstone(row, gone))
        final = self.folder / f"{digest}{SUFFIXES[picture.format]}"
        with temporary_beside(final) as written:
            written.write_bytes(picture.data)  # the slow part, while other threads hold the folder
            row = self._keep(picture, row, written, final, careful)
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

    def _keep(self, picture: Checked, row: ImageRow, written: Path, final: Path, careful: bool) -> ImageRow:
        with self.locked() as rows:
            if (gone := self.withdrawals.of_bytes(row.sha256, row.source_sha256)) is not None:  # just now
                return self._append(tombstone(row, gone), rows)
            twin, reason = self._twin(picture, row, rows)
            old = rows.get(row.key) if careful else None
            if old is not None and (old.source_sha256 == row.source_sha256 or not self.is_usable(old)):
                old = None
            if twin is not None and old is not None:
                self._doubted |= {twin.key} & self._before.keys()
                return self._append(as_before(old, f"duplicate: {reason}, of {twin.key}"), rows)
            if twin is not None:
                return self._append(
                    replace(row, status="duplicate", reason=reason, duplicate_of=twin.key, path=""), rows
                )
            written.replace(final)
            if old is not None:
                self._before[row.key] = old
            row = replace(row, status="kept", path=final.name)
            self._looks[row.path] = picture.look
            for smaller in self._near(picture, row, rows):
                if old is not None and smaller.key in self._before:
                    self._doubted.add(row.key)
                    self._append(as_before(self._before[smaller.key], f"duplicate: near, of {row.key}"), rows)
                else:
                    self._give_way(smaller, row, rows)
            return self._append(row, rows)

    def _give_way(self, smaller: ImageRow, larger: ImageRow, rows: Manifest) -> None:
        """``larger`` takes the place of its near duplicate, and of what that one stood for. These rows come before its
        own: after a kill in between, the next run finds duplicates of nothing and fetches them again."""
        for row in [smaller, *(row for row in rows.rows if row.duplicate_of == smaller.key)]:
            self._append(replace(row, status="duplicate", reason="near", duplicate_of=larger.key, path=""), rows)

    def give_back(self) -> None:
        """At the end of a run: what first got a picture that other addresses answered with, too, is as it was."""
        with self.locked() as rows:
            for key in sorted(self._doubted):
                new, old = rows.get(key), self._before[key]
                if new is not None and new.status == "kept" and self.is_usable(old):
                    self._append(as_before(old, "duplicate: what other addresses answered, too"), rows)
            self._doubted.clear()

    def tidy(self) -> None:
        """Remove pictures that no row names any more, once nobody vouches for them: their places were taken."""
        with self.locked() as rows:
            named = {row.path for row in rows.rows if row.path}
            for file in self.folder.iterdir():
                if _PICTURE.fullmatch(file.name) and file.name not in named:
                    file.unlink(missing_ok=True)

    def is_usable(self, row: ImageRow) -> bool:
        """Whether a row is of a kept picture, offered now or not, that is whole."""
        return row.status in ("kept", "gone") and is_whole(self.folder, row)

    def _twin(self, picture: Checked, row: ImageRow, rows: Manifest) -> tuple[ImageRow | None, str]:
        """The kept row that ``picture`` is a duplicate of, and how: the same one, or nearly and no smaller."""
        for known in (row.sha256, picture.source_sha256):
            other = rows.get(self._by_digest.get(known, ""))
            if other is None or other.status != "kept" or other.key == row.key or not is_whole(self.folder, other):
                continue
            if row.sha256 == other.sha256 or picture.source_sha256 == other.source_sha256:
                return other, "exact"
        near = [other for other in self._near(picture, row, rows) if _pixels(other) >= _pixels(row)]
        return (max(near, key=_pixels), "near") if near else (None, "")

    def _near(self, picture: Checked, row: ImageRow, rows: Manifest) -> list[ImageRow]:
        """Kept rows of nearly the same picture."""
        found = []
        for key in self._hashes.within(int(picture.phash, 16), self._settings.near_duplicate_bits):
            other = rows.get(key) if key != row.key else None
            look = self._look_of(other) if other is not None else None
            if other and look is not None and same_look(look, picture.look):
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
                self._hashes.put(row.key, int(row.phash or "0", 16))
                self._by_digest[row.sha256] = self._by_digest[row.source_sha256] = row.key
            else:
                self._hashes.drop(row.key)
        self._rows.torn_lines += read.torn_lines

    def _lost_in(self, lines: bytes) -> set[str]:
        """Keys of kept rows, of those not proven, whose pictures a power cut took: they are fetched anew."""
        rows = Manifest.parse(lines.decode("utf-8", "replace").splitlines()).kept()
        return {row.key for row in rows if not is_whole(self.folder, row)}

    def _forget(self) -> None:
        self._read_to, self._rows, self._hashes = 0, Manifest(), HashIndex()
        self._by_digest.clear()


def as_before(old: ImageRow, brought: str) -> ImageRow:
    """The row of a picture that stays as it is, with a note of what asking for it anew has ``brought``."""
    return replace(old, detail=f"as fetched before; asked again: {brought}"[:300])


def _pixels(row: ImageRow) -> int:
    return row.width * row.height
