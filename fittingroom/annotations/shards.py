"""One shard: some annotation files in, ready-made parts of the output out; and the parts joined into one document.

A shard knows nothing of the others, so shards run in any order, in any process or pipeline task, and are done again
without harm. Parts are bytes of the final document: joining them is copying, and no list of all garments is ever in
memory.
"""

from __future__ import annotations

import io
import operator
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from fittingroom.annotations import coco, deepfashion2, geometry, via
from fittingroom.annotations.findings import Finding, Findings
from fittingroom.annotations.measure import Measured, batches
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation
from fittingroom.annotations.sources import FORMATS, Format
from fittingroom.errors import SettingError
from fittingroom.names import printable
from fittingroom.workspace import atomic_path

SHARD_SIZE = 250
"""Files: some 30 ms of work, so that many processes end together."""

PARTS: dict[Format, tuple[str, ...]] = {
    "coco": ("images", "annotations"),
    "via": ("entries", "keys"),
    "deepfashion2": ("files",),
}
"""What a shard writes for each target, besides its findings."""

Inspect = Callable[[Sequence[AnnotatedImage], Findings], list[list[Measured]]]
"""Looks at pictures as they were read, before any setting changes them, adds what it finds, and gives their `measure`,
so that nobody measures them again."""


@dataclass(frozen=True)
class ConvertSettings:
    """What a conversion changes on purpose; each change is a finding.

    ``clip`` cuts polygons at the picture's edges. ``without_polygons`` keeps or skips garments that have none.
    ``via_plain`` writes VIA's plain region list, which Mask R-CNN loaders read, instead of a project.
    """

    clip: bool = False
    without_polygons: str = "keep"
    via_plain: bool = False

    def __post_init__(self) -> None:
        if self.without_polygons not in ("keep", "skip"):
            raise SettingError("without_polygons", self.without_polygons, "keep or skip")


@dataclass(frozen=True)
class ShardResult:
    """What one shard wrote (paths of its parts) and found. JSON both ways: `to_json`, `from_json`."""

    parts: Mapping[str, str]
    images: int = 0
    garments: int = 0
    polygons: int = 0
    image_ids: Sequence[int] = ()
    names: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    examples: Sequence[Finding] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ShardResult:
        """From what `to_json` gave."""
        return cls(**{**value, "examples": [Finding(**row) for row in value["examples"]]})


def split(files: Sequence[Path], size: int = SHARD_SIZE) -> list[Sequence[Path]]:
    """``files`` in runs of at most ``size``."""
    if size < 1:
        raise SettingError("shard_size", size, "at least 1")
    return [files[start : start + size] for start in range(0, len(files), size)]


def convert_files(
    files: Sequence[Path],
    to: Format,
    work: Path,
    name: str,
    *,
    settings: ConvertSettings = ConvertSettings(),
    images_dir: Path | None = None,
    new_ids: Mapping[str, int] | None = None,
    inspect: Inspect | None = None,
) -> ShardResult:
    """Convert DeepFashion2 annotation files into parts under ``work``, named after ``name``; see `write_parts`.

    ``new_ids`` are `deepfashion2.new_ids` of the whole set: a shard cannot see that another file has the same number.
    """
    findings = Findings(per_kind=None)

    images = deepfashion2.read_some(files, findings, new_ids or {}, images_dir)
    return write_parts(images, to, work, name, findings, settings=settings, images_dir=images_dir, inspect=inspect)


def write_parts(
    images: Iterable[AnnotatedImage],
    to: Format,
    work: Path,
    name: str,
    findings: Findings,
    *,
    settings: ConvertSettings = ConvertSettings(),
    images_dir: Path | None = None,
    inspect: Inspect | None = None,
) -> ShardResult:
    """Write the parts of ``images``, and all findings, into the folder ``work``."""
    if to not in FORMATS:
        raise SettingError("to", to, " | ".join(FORMATS))
    work.mkdir(parents=True, exist_ok=True)
    paths = {kind: work / f"{name}.{kind}" for kind in (*PARTS[to], "findings")}
    totals: Counter[str] = Counter()
    image_ids: list[int] = []
    names: list[str] = []
    few = Findings(per_kind=20)
    with ExitStack() as stack:
        files = {kind: stack.enter_context(path.open("wb")) for kind, path in paths.items()}
        for read in batches(images):
            measured = inspect(read, findings) if inspect is not None else None
            batch = [_apply(image, settings, findings) for image in read]
            if not all(map(operator.is_, batch, read)):
                measured = None  # a setting changed them
            garments = [garment for image in batch for garment in image.garments]
            image_ids += [image.image_id for image in batch]
            names += [image.file_name for image in batch]
            totals["garments"] += len(garments)
            totals["polygons"] += sum([len(garment.segmentation) for garment in garments])
            for kind, row in _encode(batch, to, images_dir, measured):
                files[kind].write(row)
                files[kind].write(b",\n")
            _flush(findings, files["findings"], few)
        _flush(findings, files["findings"], few)
    return ShardResult(
        parts={kind: str(path) for kind, path in paths.items()},
        images=len(image_ids),
        garments=totals["garments"],
        polygons=totals["polygons"],
        image_ids=image_ids,
        names=names,
        counts=dict(findings.counts),
        examples=few.examples,
    )


def _flush(findings: Findings, file: BinaryIO, few: Findings) -> None:
    """Write what was found since the last time and forget it, so that memory stays flat."""
    for finding in findings.examples:
        file.write(orjson.dumps({**asdict(finding), "severity": finding.severity}) + b"\n")
    few.extend(findings.examples)
    findings.examples.clear()


def _encode(
    images: Sequence[AnnotatedImage], to: Format, images_dir: Path | None, measured: list[list[Measured]] | None
) -> Iterator[tuple[str, bytes]]:
    if to == "coco":
        yield "images", b",\n".join([orjson.dumps(coco.image_record(image)) for image in images])
        records = chain.from_iterable(coco.annotation_records(images, measured))
        if rows := b",\n".join(map(orjson.dumps, records)):
            yield "annotations", rows
        return
    for image in images:
        if to == "deepfashion2":
            names = orjson.dumps([deepfashion2.annotation_stem(image), image.file_name])
            yield "files", names + b"\t" + orjson.dumps(deepfashion2.to_json(image))  # no bare tab or newline in JSON
            continue
        size = file_size(image, images_dir)
        key = orjson.dumps(via.entry_key(image, size))
        yield "keys", key
        yield "entries", key + b":" + orjson.dumps(via.entry(image, size))


def file_size(image: AnnotatedImage, images_dir: Path | None) -> int:
    """The picture's size in bytes, as VIA's keys need it; -1 when it is not there."""
    try:
        return (images_dir / image.file_name).stat().st_size if images_dir else -1
    except OSError:
        return -1


def _apply(image: AnnotatedImage, settings: ConvertSettings, findings: Findings) -> AnnotatedImage:
    """What the settings ask for, each change with its finding."""
    garments = image.garments
    if settings.clip and image.width and image.height:
        garments = tuple(_clip(garment, image, findings) for garment in garments)
    if settings.without_polygons == "skip":
        for garment in garments:
            if not garment.segmentation:
                findings.add("left_out", image.file_name, garment.item, "no polygons", "garment left out")
        garments = tuple(garment for garment in garments if garment.segmentation)
    return image if garments is image.garments else replace(image, garments=garments)


def _clip(garment: GarmentAnnotation, image: AnnotatedImage, findings: Findings) -> GarmentAnnotation:
    beyond = geometry.overshoot(garment.segmentation, image.width, image.height)
    if beyond <= 0:
        return garment
    findings.add("clipped", image.file_name, garment.item, f"{beyond:g} pixels outside", "cut at the edge")
    cut = (geometry.clip_polygon(polygon, image.width, image.height) for polygon in garment.segmentation)
    return replace(garment, segmentation=tuple(polygon for polygon in cut if polygon))


def merge(
    results: Sequence[ShardResult], to: Format, dst: Path, settings: ConvertSettings, images_dir: Path | None = None
) -> Findings:
    """Join the parts of all shards, in the order given, into ``dst`` (a file; a folder for DeepFashion2), atomically.

    All findings, one JSON line each, go beside it (``<dst>.findings.jsonl``) when there are any.
    """
    if to == "coco":
        _join(
            dst, [coco.header(), _parts(results, "images"), coco.BETWEEN, _parts(results, "annotations"), coco.FOOTER]
        )
    elif to == "via":
        images_path = f"{printable(images_dir.resolve().as_posix())}/" if images_dir else ""
        opening, between, closing = via.frame(printable(dst.stem), images_path, settings.via_plain)
        ids: list[bytes | list[Path]] = [] if settings.via_plain else [between, _parts(results, "keys")]
        _join(dst, [opening, _parts(results, "entries"), *ids, closing])
    findings = Findings()
    for result in results:
        findings.extend(result.examples)
    findings.counts = sum((Counter(result.counts) for result in results), Counter())
    note_shared_ids([number for result in results for number in result.image_ids], dst.name, findings)
    if to == "deepfashion2":
        _write_files(_parts(results, "files"), dst / "annos", findings)
    log = dst / "findings.jsonl" if to == "deepfashion2" else dst.with_name(f"{dst.name}.findings.jsonl")
    log.unlink(missing_ok=True)
    if findings.total():
        _join(log, [_parts(results, "findings")], separated=False)
    return findings


def note_shared_ids(image_ids: Sequence[int], name: str, findings: Findings) -> None:
    """A finding for each image id of several files; only files that state an id of their own can come to this."""
    numbers, times = np.unique(np.array(image_ids, np.int64), return_counts=True)
    for number, often in zip(numbers[times > 1].tolist(), times[times > 1].tolist(), strict=True):
        findings.add("duplicate_id", name, message=f"{often} files state image_id {number}", action="kept")


def _write_files(parts: Iterable[Path], annos: Path, findings: Findings) -> None:
    """One file a picture; of two that would share a name (``1.jpg``, ``1.png``) the second gets another."""
    taken: set[str] = set()
    for part in parts:
        with part.open("rb") as lines:
            for line in lines:
                names, data = line.removesuffix(b",\n").split(b"\t", 1)
                stem, file_name = orjson.loads(names)
                if stem in taken:
                    stem = next(other for n in count(2) if (other := f"{stem}__{n}") not in taken)
                    data = orjson.dumps({**orjson.loads(data), "file_name": file_name})
                    findings.add("image_name", file_name, message="its name is taken", action=f"written as {stem}.json")
                taken.add(stem)
                deepfashion2.write_json_bytes(data, annos, stem)


def _parts(results: Sequence[ShardResult], kind: str) -> list[Path]:
    return [Path(result.parts[kind]) for result in results]


def _join(dst: Path, pieces: Sequence[bytes | list[Path]], separated: bool = True) -> None:
    """Write literal bytes and files one after the other; in a list of files the very last comma goes."""
    with atomic_path(dst) as temporary, temporary.open("wb", buffering=0) as out:
        for piece in pieces:
            if isinstance(piece, bytes):
                out.write(piece)
                continue
            start = out.tell()
            for path in piece:
                _append(path, out)
            if separated and out.tell() > start:
                out.seek(-2, 2)
                out.truncate()
        os.fsync(out.fileno())


def _append(path: Path, out: io.FileIO) -> None:
    with path.open("rb", buffering=0) as part:
        if sys.platform == "linux":
            while os.copy_file_range(part.fileno(), out.fileno(), 2**30):  # within the kernel: several times faster
                pass
        else:
            shutil.copyfileobj(part, out, 2**20)
