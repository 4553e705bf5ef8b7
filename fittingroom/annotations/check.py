"""Check annotations of any of the three formats: everything that is wrong, by kind, and never a crash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from fittingroom.annotations import deepfashion2, geometry, jsonfile, sources
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.model import AnnotatedImage, GarmentAnnotation
from fittingroom.annotations.sources import Format, Source
from fittingroom.boxes import iou_xyxy
from fittingroom.categories import LANDMARK_COUNTS
from fittingroom.errors import ImageRejected
from fittingroom.images import list_images

_BOX_IOU = 0.85
"""A stated box must overlap the polygons' box at least this much (intersection over union)."""
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
            "source": str(self.source),
            "source_format": self.source_format,
            "images": self.images,
            "garments": self.garments,
            "broken": self.broken,
            "findings": self.findings.to_json(),
        }

    def table(self) -> Table:
        """The findings by kind, for `rich`."""
        kind = self.source_format or "unreadable"
        return self.findings.table(f"{self.source}: {kind}, {self.images:,} images, {self.garments:,} garments")


def check(src: Path, *, images_dir: Path | None = None) -> CheckReport:
    """Read everything in ``src`` and report what is wrong with it; files are read one at a time.

    Raises:
        MissingInputError: no ``src``. AnnotationError: readable, but none of the three formats.
    """
    findings = Findings()
    try:
        source = sources.open_source(Path(src), findings, images_dir)
    except jsonfile.UnreadableAnnotation as error:
        findings.add(error.kind, error.file, message=error.detail)
        return CheckReport(Path(src), None, 0, 0, findings)
    images = garments = 0
    names: set[str] = set()
    try:
        for image in sources.read(source, findings, verify_area=True):
            images += 1
            garments += len(image.garments)
            names.add(image.file_name)
            sized = _check_picture(image, source, findings)
            for garment in sized.garments:
                check_garment(garment, sized, findings)
    except jsonfile.UnreadableAnnotation as error:
        findings.add(error.kind, error.file, message=error.detail, action="the rest of the document is not read")
    if source.format == "deepfashion2":
        _check_names(source, names, findings)
    return CheckReport(Path(src), source.format, images, garments, findings)


def _check_picture(image: AnnotatedImage, source: Source, findings: Findings) -> AnnotatedImage:
    """Compare a document's picture with the file; DeepFashion2's reader has asked the file already."""
    if source.format == "deepfashion2":
        return image
    if source.images_dir is None:
        findings.add("missing_image", image.file_name, message="no folder of pictures was found")
        return image
    try:
        size = geometry.image_size(source.images_dir / image.file_name)
    except ImageRejected as error:
        findings.add("image_unreadable", image.file_name, message=error.detail)
    except (OSError, ValueError):
        findings.add("missing_image", image.file_name, message=f"expected it in {source.images_dir}")
    else:
        stated = (image.width, image.height)
        if stated != size and stated != (0, 0):
            message = f"stated {stated[0]} x {stated[1]}, the picture has {size[0]} x {size[1]}"
            findings.add("size_mismatch", image.file_name, message=message)
    return image


def _check_names(source: Source, names: set[str], findings: Findings) -> None:
    if source.images_dir is not None and source.images_dir.is_dir() and source.path.is_dir():
        stems = {path.stem for path in source.files}
        for path in list_images(source.images_dir):
            if path.name not in names and path.stem not in stems:
                findings.add("image_without_annotation", path.name, message="no annotation file of this name")
    for name in deepfashion2.new_ids(source.files):
        findings.add("duplicate_id", name, message="its number is another file's too", action="a new id is made")


def check_garment(garment: GarmentAnnotation, image: AnnotatedImage, findings: Findings) -> None:
    """What is wrong with one garment in its picture (a picture of size 0 x 0 is of unknown size)."""

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
    if geometry.mask_area(garment.segmentation, width, height) == 0:
        add("zero_area", "polygons: cover no pixel")
    for index, polygon in enumerate(garment.segmentation, start=1):
        if geometry.crosses_itself(polygon):
            add("self_intersection", f"polygon {index}: crosses itself")
    box = geometry.true_box(garment.segmentation, width, height)
    if garment.box_xyxy is not None and box is not None and iou_xyxy(box, garment.box_xyxy) < _BOX_IOU:
        rounded = [round(value, 1) for value in box]
        add("box_mismatch", f"box: the polygons' is {rounded}, got {list(garment.box_xyxy)}")
