"""Choosing the pictures to train a segmenter on: typed conditions, a pair-safe split, a record to repeat it by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson

from fittingroom.annotations import geometry, identity, sources
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.formats import Files, Source
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation
from fittingroom.annotations.writer import document
from fittingroom.categories import CATEGORY_NAMES
from fittingroom.datasets import SELECTION, images_dir_as_written
from fittingroom.errors import AnnotationError, MissingInputError
from fittingroom.fields import CheckedSettings, Length, Range, Some
from fittingroom.names import printable
from fittingroom.workspace import digest_bytes, digest_file, digest_value, write_bytes, write_json

Levels = Annotated[tuple[Literal[1, 2, 3], ...], Length(1)]
_LEVELS: Levels = (1, 2, 3)
_DATASET = "coco"
"""The format that a training reads."""
_UNSEEN = ("missing_image", "image_unreadable")
_LOSES_PIXELS = (
    "odd_coordinates",
    "polygon_too_short",
    "polygon_too_long",
    "not_a_number",
    "bad_segmentation",
    "bad_field",
    "size_mismatch",
)
"""Findings after which part of a garment may be missing. (A garment of no known category may be a hat: no loss.)"""


@dataclass(frozen=True)
class SelectionSettings(CheckedSettings):
    """Which pictures, how many, and the seed of their order.

    The defaults are the reference project's: frontal views, 296 pictures to train on and 54 to validate on. Garments of
    other ``categories`` are not annotated in the result. A picture is left out when one of its garments in
    ``categories`` misses any other condition, since a garment that can be seen but is not annotated teaches the
    segmenter to overlook it. An attribute that a file does not state meets only a condition that allows all values.
    """

    categories: Annotated[tuple[Annotated[int, Range(1, len(CATEGORY_NAMES))], ...], Length(1)] = tuple(CATEGORY_NAMES)
    """Category ids."""
    viewpoint: Levels = (2,)
    """1 not worn, 2 frontal, 3 side or back."""
    scale: Levels = _LEVELS
    """1 small to 3 large."""
    occlusion: Levels = _LEVELS
    """1 slight to 3 heavy."""
    zoom_in: Levels = _LEVELS
    """1 none to 3 large."""
    source: tuple[str, ...] = ()
    """``user``, ``shop``; empty for any."""
    minimum_mask_area: Annotated[int, Range(0)] = 1
    """Pixels of one garment's mask."""
    train: Some = 296
    """Pictures to train on. When fewer match, both counts shrink in proportion, with a warning."""
    validation: Some = 54
    """Pictures to validate on."""
    seed: int = 0
    """Another seed, another choice."""


@dataclass(frozen=True)
class Selection:
    """The chosen pictures, with only the garments asked for, and how the choice came about.

    ``left_out`` counts pictures by the first reason that ruled them out, ``found`` findings by kind; ``digests`` holds
    the SHA-256 of each picture's file and of its annotation as selected.
    """

    settings: SelectionSettings
    images_dir: Path
    train: tuple[AnnotatedImage, ...]
    validation: tuple[AnnotatedImage, ...]
    matching: int
    left_out: Mapping[str, int]
    warnings: tuple[str, ...]
    digests: Mapping[str, Mapping[str, str]]
    found: Mapping[str, int] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """One digest of the whole selection: its pictures, their annotations and the side each is on."""
        sides = {side: [image.file_name for image in getattr(self, side)] for side in ("train", "validation")}
        return digest_value({**sides, "files": self.digests})

    def to_json(self) -> dict[str, Any]:
        """What `write_dataset` writes as ``selection.json``."""
        return {
            "images_dir": str(self.images_dir),
            "settings": self.settings.to_json(),
            "train": [image.file_name for image in self.train],
            "validation": [image.file_name for image in self.validation],
            "matching": self.matching,
            "left_out": dict(self.left_out),
            "warnings": list(self.warnings),
            "digest": self.digest,
            "digests": {name: dict(both) for name, both in self.digests.items()},
        }


@dataclass
class Scan:
    """Which of some pictures match: the part of a selection that a shard can do. JSON both ways by `vars`.

    ``matching`` holds picture, pair and annotation file (for a document: the picture again); ``left_out`` counts the
    others by the first reason; ``found`` counts findings by kind.
    """

    matching: list[tuple[str, str, str]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)


def scan(source: Source, settings: SelectionSettings) -> Scan:
    """Which pictures of a source, or of a part of one, match (counts and seed do not matter)."""
    found = Scan()
    for part in source.parts(1):  # a finding about one file says nothing about others
        findings = Findings()
        for image in sources.read(part, findings):
            _judge(image, settings, findings, found, part.files.names[0] if part.files else image.file_name)
        found.found = dict(Counter(found.found) + findings.counts)
    return found


def _judge(image: AnnotatedImage, settings: SelectionSettings, findings: Findings, scan: Scan, file: str) -> None:
    matching, reason = _matching(image, settings)
    if matching is not None and _is_named(image, findings, _UNSEEN):
        matching, reason = None, "picture missing or unreadable"
    if matching is not None and is_damaged(image, findings):
        matching, reason = None, "damaged annotation"
    if matching is None:
        scan.left_out[reason] = scan.left_out.get(reason, 0) + 1
    else:
        pair = f"name {image.file_name}" if image.pair_id is None else f"pair {image.pair_id}"
        scan.matching.append((image.file_name, pair, file))


def select(
    src: Path,
    settings: SelectionSettings = SelectionSettings(),
    *,
    images_dir: Path | None = None,
) -> Selection:
    """Choose from a DeepFashion2 folder, or a COCO or VIA document.

    The order is a digest of seed and pair id, so a picture more in the source moves no other one's place in it.

    Raises:
        MissingInputError: no ``src``, or no pictures with it. AnnotationError: no picture meets the conditions (the
            message names the condition), or all that do share one pair id.
    """
    source = open_for_selection(src, images_dir)
    return choose(source, settings, [scan(source, settings)])


def open_for_selection(src: Path, images_dir: Path | None = None) -> Source:
    """`open_source`, but the folder of pictures must be there.

    Raises:
        MissingInputError: no ``src``, or no pictures with it. AnnotationError: none of the three formats.
    """
    source = sources.open_source(Path(src), Findings(), images_dir)
    if source.images_dir is None or not source.images_dir.is_dir():
        raise MissingInputError(
            "folder of pictures", source.images_dir or src, "expected image/ next to the annotations"
        )
    return source


def choose(source: Source, settings: SelectionSettings, scans: Sequence[Scan]) -> Selection:
    """Draw from what scans of all of ``source`` let through; only the chosen pictures are read again.

    Raises:
        AnnotationError: no picture meets the conditions, or all that do share one pair id.
    """
    left_out = dict(sorted(sum((Counter(scan.left_out) for scan in scans), Counter()).items()))
    matching = [row for scan in scans for row in scan.matching]
    if not matching:
        raise AnnotationError(_nothing_matches(source.path, settings, left_out))
    by_pair: dict[str, list[str]] = {}
    for name, pair, _ in matching:
        by_pair.setdefault(pair, []).append(name)
    names, warnings = split_by_pair(by_pair, settings)
    chosen = {name for side in names for name in side}
    files = sorted(file for name, _, file in matching if name in chosen)
    again = source.only(source.files and Files(source.files.folder, files))
    images = (image for image in sources.read(again, Findings()) if image.file_name in chosen)
    kept = {image.file_name: _matching(image, settings)[0] for image in images}
    images_dir = source.images_dir or source.path.parent
    train, validation = (tuple(image for name in side if (image := kept[name]) is not None) for side in names)
    return Selection(
        settings=settings,
        images_dir=images_dir.absolute(),
        train=train,
        validation=validation,
        matching=len(matching),
        left_out=left_out,
        warnings=warnings,
        digests={image.file_name: file_digests(image, images_dir) for image in (*train, *validation)},
        found=dict(sorted(sum((Counter(scan.found) for scan in scans), Counter()).items())),
    )


def is_damaged(image: AnnotatedImage, findings: Findings) -> bool:
    """Whether reading it lost something."""
    return _is_named(image, findings, _LOSES_PIXELS)


def _is_named(image: AnnotatedImage, findings: Findings, kinds: Sequence[str]) -> bool:
    """Whether findings of these kinds name the picture, or its annotation file."""
    names = {printable(image.file_name), printable(f"{identity.annotation_stem(image.file_name)}.json")}
    return any(not names.isdisjoint(findings.files.get(kind, ())) for kind in kinds)


def file_digests(image: AnnotatedImage, images_dir: Path) -> dict[str, str]:
    """SHA-256 of a picture's file and of its annotation."""
    record = orjson.loads(document(_DATASET, [image]))
    annotation = {"image": record["images"][0], "garments": record["annotations"]}
    return {"image": digest_file(images_dir / image.file_name), "annotation": digest_value(annotation)}


def _matching(image: AnnotatedImage, settings: SelectionSettings) -> tuple[AnnotatedImage | None, str]:
    """The picture with the garments asked for, or None and the setting that rules it out."""
    if image.width <= 0 or image.height <= 0:
        return None, "picture missing or unreadable"
    if settings.source and image.source not in settings.source:
        return None, "source"
    garments = tuple(garment for garment in image.garments if garment.category_id in settings.categories)
    if not garments:
        return None, "categories"
    for garment in garments:
        reason = _ruled_out_by(garment, image, settings)
        if reason:
            return None, reason
    return replace(image, garments=garments), ""


def _ruled_out_by(garment: GarmentAnnotation, image: AnnotatedImage, settings: SelectionSettings) -> str:
    for name in ("viewpoint", "scale", "occlusion", "zoom_in"):
        allowed, stated = getattr(settings, name), getattr(garment, name)
        if stated not in allowed and set(allowed) != set(_LEVELS):
            return name if stated is not None else f"{name} not stated"
    area = geometry.mask_area(garment.segmentation, image.width, image.height)
    return "minimum_mask_area" if area < max(settings.minimum_mask_area, 1) else ""


def _nothing_matches(src: Path, settings: SelectionSettings, left_out: Mapping[str, int]) -> str:
    if not left_out:
        return f"{src}: expected annotated pictures, got none that can be read"
    reason, count = Counter(left_out).most_common(1)[0]
    name = reason.removesuffix(" not stated")
    wanted = f" {getattr(settings, name)}" if hasattr(settings, name) else ""
    why = f", which they do not state (allow {_LEVELS} to take them)" if name != reason else ""
    return f"{src}: no picture matches; {name}{wanted} rules out {count:,} of {sum(left_out.values()):,}{why}"


def split_by_pair(
    by_pair: Mapping[str, Sequence[str]], settings: SelectionSettings
) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], tuple[str, ...]]:
    """Names for training and for validation, and warnings; the names of one pair are never on both sides.

    Pairs are taken in the order of a digest of seed and pair. A pair that would overfill a side gives only as many
    pictures as fit, and the rest of it is used on neither.

    Raises:
        AnnotationError: fewer than two pairs.
    """
    if len(by_pair) < 2:
        raise AnnotationError("pair_id: expected at least two pairs to split into train and validation, got one")
    order = sorted(by_pair, key=lambda pair: (digest_bytes(f"{settings.seed}:{pair}".encode("utf-8", "replace")), pair))
    total = sum(len(names) for names in by_pair.values())
    wanted = settings.train + settings.validation
    validation_count, train_count = settings.validation, settings.train
    if total < wanted:
        validation_count = min(max(round(total * settings.validation / wanted), 1), total - 1)
        train_count = total - validation_count
    validation: list[str] = []
    train: list[str] = []
    for index, pair in enumerate(order):
        names = sorted(by_pair[pair])
        last = index == len(order) - 1
        side, count = (validation, validation_count) if len(validation) < validation_count else (train, train_count)
        if last and not train:  # one pair filled all of validation's share so far: training needs one too
            side, count = train, train_count
        side.extend(names[: count - len(side)])
        if len(train) >= train_count:
            break
    sides = tuple(sorted(train)), tuple(sorted(validation))
    if (len(train), len(validation)) == (settings.train, settings.validation):
        return sides, ()
    short = (
        f"{total} pictures match where {wanted} were asked for: {len(train)} to train on (asked {settings.train}), "
        f"{len(validation)} to validate on (asked {settings.validation})"
    )
    return sides, (short,)


def write_dataset(selection: Selection, out_dir: Path) -> Path:
    """Write ``train.json``, ``validation.json`` (COCO), ``via/train.json``, ``via/validation.json`` and, last,
    ``selection.json``; returns ``out_dir``. Pictures stay where they are, and are named relative to ``out_dir`` where
    both lie in one workspace."""
    out_dir = Path(out_dir)
    folder = f"{printable(selection.images_dir.as_posix())}/"
    for side in ("train", "validation"):
        for to, place in ((_DATASET, out_dir), ("via", out_dir / "via")):
            written = document(to, getattr(selection, side), side, folder, selection.images_dir)
            write_bytes(place / f"{side}.json", written)
    where = {"images_dir": images_dir_as_written(selection.images_dir, out_dir)}
    write_json(out_dir / SELECTION, selection.to_json() | where)
    return out_dir
