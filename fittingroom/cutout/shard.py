"""Cuts out many files: one row each in the folder's manifest, nothing done twice, nobody's bad picture a crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from fittingroom.cutout.cut import Accept, cut_out
from fittingroom.cutout.judge import Refused
from fittingroom.cutout.settings import CutoutSettings
from fittingroom.domain import mark_of
from fittingroom.errors import ImageRejected, InputError, MissingInputError
from fittingroom.garment import GarmentFinder
from fittingroom.images import encode_png, read_rgb
from fittingroom.manifest import ImageRow, append, is_whole, rows_about
from fittingroom.names import printable
from fittingroom.opening import refuse_name
from fittingroom.workspace import digest_bytes, digest_file, write_bytes

MANIFEST = "manifest.jsonl"
RowListener = Callable[[ImageRow], None]


@dataclass(frozen=True)
class Overrides:
    """A person's word against the tests: source digests (or their first 8 or more characters) to keep or to drop."""

    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    def keeps(self, sha256: str) -> bool:
        """Whether the source picture is to be kept whatever the tests say."""
        return any(sha256.startswith(digest) for digest in self.keep)

    def drops(self, sha256: str) -> bool:
        """Whether the source picture is to be refused whatever the tests say."""
        return any(sha256.startswith(digest) for digest in self.drop)


def load_overrides(path: Path) -> Overrides:
    """Read ``keep:`` and ``drop:`` lists of source digests from a YAML file.

    Raises:
        MissingInputError: no such file. InputError: the file says something else.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInputError("overrides file", path)
    try:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected YAML with keep: and drop: lists in UTF-8, got other bytes") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: expected YAML with keep: and drop: lists: {str(error).splitlines()[0]}") from None
    if not isinstance(values, dict) or set(values) - {"keep", "drop"}:
        raise InputError(f"{path}: expected only keep: and drop:, got {values!r:.80}")
    return Overrides(*(_digests(path, name, values.get(name) or []) for name in ("keep", "drop")))


def _digests(path: Path, name: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise InputError(f"{path}: {name}: expected a list of digests, got {values!r:.80}")
    for value in values:
        good = isinstance(value, str) and 8 <= len(value) <= 64 and set(value) <= set("0123456789abcdef")
        if not good:
            raise InputError(f"{path}: {name}: expected 8 to 64 characters 0-9 and a-f in quotes, got {value!r:.80}")
    return tuple(values)


def cut_out_files(
    files: Sequence[Path],
    out_dir: Path,
    settings: CutoutSettings | None = None,
    finder: GarmentFinder | None = None,
    listener: RowListener | None = None,
    *,
    accept: Accept | None = None,
    overrides: Overrides | None = None,
    recipe: str = "",
) -> list[ImageRow]:
    """Cut out ``files`` into ``out_dir/<source sha256, first 32>.png`` and its manifest; one row a file, in order.

    A file already cut out with the same settings, whose picture is still there and unchanged, is not done again.
    ``recipe`` names what else the result depends on (the finder's weights, the test's colour) for that comparison.
    """
    settings = settings or CutoutSettings()
    overrides = overrides or Overrides()
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    stamp = f"settings={settings.digest()}" + (f" recipe={recipe}" if recipe else "")
    earlier = {row.source_sha256: row for row in rows_about(map(Path, files), out_dir / MANIFEST)}
    seen: dict[str, str] = {}
    rows: list[ImageRow] = []
    for file in files:
        key = printable(Path(file).as_posix())
        row = _one(Path(file), key, out_dir, settings, finder, accept, overrides, stamp, earlier, seen)
        if earlier.get(row.source_sha256) != row or not row.source_sha256:
            append(out_dir / MANIFEST, row)
        rows.append(row)
        if listener is not None:
            listener(row)
    return rows


def _one(
    file: Path,
    key: str,
    out_dir: Path,
    settings: CutoutSettings,
    finder: GarmentFinder | None,
    accept: Accept | None,
    overrides: Overrides,
    stamp: str,
    earlier: dict[str, ImageRow],
    seen: dict[str, str],
) -> ImageRow:
    digest = ""
    try:
        refuse_name(file)
        try:
            digest = digest_file(file)
        except OSError:
            raise MissingInputError("image", file) from None
        if digest in seen:
            return ImageRow(key, "duplicate", source_sha256=digest, duplicate_of=seen[digest])
        seen[digest] = key
        if overrides.drops(digest):
            raise Refused("dropped_by_hand", "listed under drop:")
        by_hand = overrides.keeps(digest)
        stamp = stamp + (" kept_by_hand" if by_hand else "")
        if (done := _done(earlier.get(digest), key, out_dir, stamp)) is not None:
            return done
        asked = settings.without_tests() if by_hand else settings
        cutout = cut_out(read_rgb(file), asked, finder, None if by_hand else accept)
        data = encode_png(cutout.rgba, comment=mark_of(file))
        path = f"{digest[:32]}.png"
        write_bytes(out_dir / path, data)
        side = cutout.rgba.shape[0]
        detail = f"method={cutout.method} confidence={cutout.confidence:.2f} {stamp}"
        return ImageRow(
            key, "kept", path=path, sha256=digest_bytes(data), source_sha256=digest, width=side, height=side,
            format="PNG", detail=detail,
        )  # fmt: skip
    except Refused as refusal:
        return ImageRow(key, "refused", refusal.reason, source_sha256=digest, detail=f"{refusal.detail} {stamp}")
    except ImageRejected as rejected:
        return ImageRow(key, "failed", rejected.reason, source_sha256=digest, detail=rejected.detail)
    except MissingInputError as missing:
        return ImageRow(key, "failed", "missing", detail=str(missing))


def _done(row: ImageRow | None, key: str, out_dir: Path, stamp: str) -> ImageRow | None:
    """The earlier row if it still holds, under its present key."""
    if row is None or row.status not in ("kept", "refused") or not row.detail.endswith(stamp):
        return None
    return replace(row, key=key) if row.status == "refused" or is_whole(out_dir, row) else None
