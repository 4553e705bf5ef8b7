"""Check annotations of any of the three formats: everything that is wrong, by kind, and never a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from fittingroom.annotations import deepfashion2, geometry, jsonfile, shards, sources
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.measure import BATCH, Measured, batches, measure
from fittingroom.annotations.model import AnnotatedImage, BoxFloats, GarmentAnnotation, extents
from fittingroom.annotations.processes import OnProgress, run_jobs
from fittingroom.annotations.sources import Format, Source
from fittingroom.boxes import iou_xyxy
from fittingroom.categories import LANDMARK_COUNTS
from fittingroom.images import list_images
from fittingroom.names import printable

_BOX_IOU = 0.85
"""A stated box must overlap the polygons' box at least this much (intersection over union)."""
_ROUNDING = 1.0
"""Pixels by which a stated box may differ in each number, however thin it is."""
_PIXELS_OUTSIDE = 1.0
"""Annotation tools put points on the far edge of the last pixel; further out is an error."""


@dataclass(frozen=True)
class CheckReport:
    """What was read and everything found. ``broken`` when at least one finding is an error."""

    source: Path
    source_format: Format | None
    images: int
    garments: int
    findings: Findings

    @property
    def broken(self) -> bool:
        """Whether the command line ends with exit code 1."""
        return self.findings.total("error") > 0

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return {
            "source": printable(self.source),
            "source_format": self.source_format,
            "images": self.images,
            "garments": self.garments,
            "broken": self.broken,
            "findings": self.findings.to_json(),
        }

    def table(self) -> Table | str:
        """The findings by kind, for `rich`."""
        kind = self.source_format or "unreadable"
        return self.findings.table(
            f"{printable(self.source)}: {kind}, {self.images:,} images, {self.garments:,} garments"
        )


def check(
    src: Path, *, images_dir: Path | None = None, workers: int = 1, on_progress: OnProgress | None = None
) -> CheckReport:
    """Read everything in ``src`` and report what is wrong with it; files are read one at a time.

    Args:
        workers: processes that read DeepFashion2 files; documents are read by one.

    Raises:
        MissingInputError: no ``src``. AnnotationError: readable, but none of the three formats.
    """
    findings = Findings()
    try:
        source = sources.open_source(Path(src), findings, images_dir)
    except jsonfile.UnreadableAnnotation as error:
        findings.add(error.kind, error.file, message=error.detail)
        return CheckReport(Path(src), None, 0, 0, findings)
    report = on_progress or (lambda _done, _total: None)
    if source.format == "deepfashion2":
        parts = _check_folder(source, findings, workers, report)
    else:
        parts = [_check_document(source, findings, report)]
    shards.note_shared_ids([number for part in parts for number in part.image_ids], source.path.name, findings)
    images, garments = sum(len(part.names) for part in parts), sum(part.garments for part in parts)
    return CheckReport(Path(src), source.format, images, garments, findings)


@dataclass
class _Part:
    """What was read of some pictures."""

    names: list[str] = field(default_factory=list)
    image_ids: list[int] = field(default_factory=list)
    garments: int = 0

    def add(self, images: Sequence[AnnotatedImage]) -> None:
        """Count them."""
        for image in images:
            self.names.append(image.file_name)
            self.image_ids.append(image.image_id)
            self.garments += len(image.garments)


def _check_document(source: Source, findings: Findings, report: OnProgress) -> _Part:
    part = _Part()
    total = sources.count(source)
    try:
        for done, batch in enumerate(batches(sources.read(source, findings, verify_area=True)), start=1):
            inspect_garments(batch, findings)
            part.add(batch)
            report(min(done * BATCH, total), total)
    except jsonfile.UnreadableAnnotation as error:
        findings.add(error.kind, error.file, message=error.detail, action="the rest of the document is not read")
    return part


def _check_folder(source: Source, findings: Findings, workers: int, report: OnProgress) -> list[_Part]:
    new_ids, total = deepfashion2.new_ids(source.files), len(source.files)
    jobs = [partial(_check_files, piece, source.images_dir, new_ids) for piece in shards.split(source.files)]
    found = run_jobs(jobs, workers, lambda done: report(min(done * shards.SHARD_SIZE, total), total))
    for _, part_findings in found:
        findings.merge(part_findings)
    parts = [part for part, _ in found]
    check_names(source, {name for part in parts for name in part.names}, new_ids, findings)
    return parts


def _check_files(files: Sequence[Path], images_dir: Path | None, new_ids: Mapping[str, int]) -> tuple[_Part, Findings]:
    part, findings = _Part(), Findings()
    for batch in batches(deepfashion2.read_some(files, findings, new_ids, images_dir)):
        inspect_garments(batch, findings)
        part.add(batch)
    return part, findings


def inspect_garments(images: Sequence[AnnotatedImage], findings: Findings) -> list[list[Measured]]:
    """Add what is wrong with the garments of some pictures; gives what `measure` does."""
    found = measure(images)
    outlines = [polygon for image in images for garment in image.garments for polygon in garment.segmentation]
    crossing, place = geometry.crossing(outlines), 0
    for image, measures in zip(images, found, strict=True):
        for garment, measured in zip(image.garments, measures, strict=True):
            count = len(garment.segmentation)
            crossed = [index for index in range(1, count + 1) if place + index - 1 in crossing] if crossing else ()
            check_garment(garment, image, findings, measured.area, crossed)
            place += count
    return found


def check_names(source: Source, names: set[str], new_ids: Mapping[str, int], findings: Findings) -> None:
    """Pictures without an annotation file, and numbers that stand twice."""
    if source.images_dir is not None and source.images_dir.is_dir() and source.path.is_dir():
        stems = {path.stem for path in source.files}
        for path in list_images(source.images_dir):
            if path.name not in names and path.stem not in stems:
                findings.add("image_without_annotation", path.name, message="no annotation file of this name")
    for name in new_ids:
        findings.add("duplicate_id", name, message="its number is another file's too", action="a new id is made")


def check_garment(
    garment: GarmentAnnotation, image: AnnotatedImage, findings: Findings, area: int, crossed: Sequence[int]
) -> None:
    """What is wrong with one garment of mask ``area`` in its picture (a size of 0 x 0 is not known).

    ``crossed`` are its polygons, counted from 1, that cross themselves.
    """

    def add(kind: str, message: str) -> None:
        findings.add(kind, image.file_name, garment.item, message)

    expected = LANDMARK_COUNTS[garment.category_id]
    landmarks = len(garment.landmarks) // 3
    if landmarks and landmarks != expected:
        add("landmark_count", f"landmarks: expected {expected} of {garment.category_name}, got {landmarks}")
    if not garment.segmentation:
        return
    width, height = image.width, image.height
    if width and height:
        beyond = geometry.overshoot(garment.segmentation, width, height)
        if beyond > _PIXELS_OUTSIDE:
            add("out_of_bounds", f"polygon: reaches {beyond:g} pixels outside {width} x {height}")
    if area == 0:
        add("zero_area", "polygons: cover no pixel")
    for index in crossed:
        add("self_intersection", f"polygon {index}: crosses itself")
    stated = garment.box_xyxy
    if stated is None or _same_box(geometry.true_box(garment.segmentation, width, height), stated):
        return
    if _same_box(extents(garment.segmentation), stated):  # not cut at the picture's edge, as some tools leave it
        return
    box = geometry.true_box(garment.segmentation, width, height) or ()
    add("box_mismatch", f"box: the polygons' is {[round(value, 1) for value in box]}, got {list(stated)}")


def _same_box(box: BoxFloats | None, stated: BoxFloats) -> bool:
    """Whether two boxes are one but for rounding, which is much of the area of a thin one."""
    if box is None or iou_xyxy(box, stated) >= _BOX_IOU:
        return True
    return all(abs(a - b) <= _ROUNDING for a, b in zip(box, stated, strict=True))
