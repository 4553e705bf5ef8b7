"""What is wrong with garments as they were read: boxes, bounds, areas, crossings, landmarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from fittingroom.annotations import geometry
from fittingroom.annotations.fields import Place
from fittingroom.annotations.findings import Findings
from fittingroom.annotations.geometry import Measured
from fittingroom.annotations.model import AnnotatedImage, BoxFloats, GarmentAnnotation, extents
from fittingroom.boxes import iou_xyxy
from fittingroom.categories import LANDMARK_COUNTS

BATCH = 48
"""Pictures inspected together: enough to pay for NumPy's calls, few enough that the arrays stay in the cache."""
_BOX_IOU = 0.85
"""A stated box must overlap the polygons' box at least this much (intersection over union)."""
_ROUNDING = 1.0
"""Pixels by which a stated box may differ in each number, however thin it is."""
_PIXELS_OUTSIDE = 1.0
"""Annotation tools put points on the far edge of the last pixel; further out is an error."""


def batches(images: Iterable[AnnotatedImage]) -> Iterator[list[AnnotatedImage]]:
    """Pictures a handful at a time."""
    waiting = iter(images)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def measured(images: Iterable[AnnotatedImage]) -> list[list[Measured]]:
    """What each garment's polygons cover, for each picture."""
    return [[geometry.measure(g.segmentation, image.width, image.height) for g in image.garments] for image in images]


def inspect_garments(images: Sequence[AnnotatedImage], findings: Findings) -> list[list[Measured]]:
    """Add what is wrong with the garments of some pictures; gives what they cover, so that nobody measures again."""
    found = measured(images)
    outlines = [polygon for image in images for garment in image.garments for polygon in garment.segmentation]
    crossing, start = geometry.crossing(outlines), 0
    for image, measures in zip(images, found, strict=True):
        for garment, (area, _) in zip(image.garments, measures, strict=True):
            place = Place(findings, image.file_name, garment.item)
            stop = start + len(garment.segmentation)
            crossed = [index - start + 1 for index in range(start, stop) if index in crossing] if crossing else []
            _inspect(garment, image, place, area, crossed)
            start = stop
    return found


def _inspect(
    garment: GarmentAnnotation, image: AnnotatedImage, place: Place, area: int, crossed: Sequence[int]
) -> None:
    """One garment of mask ``area``; ``crossed`` are its polygons, counted from 1, that cross themselves."""
    expected, landmarks = LANDMARK_COUNTS[garment.category_id], len(garment.landmarks) // 3
    if landmarks and landmarks != expected:
        place.note("landmark_count", f"landmarks: expected {expected} of {garment.category_name}, got {landmarks}")
    if not garment.segmentation:
        return
    width, height = image.width, image.height
    beyond = geometry.overshoot(garment.segmentation, width, height) if width and height else 0
    if beyond > _PIXELS_OUTSIDE:
        place.note("out_of_bounds", f"polygon: reaches {beyond:g} pixels outside {width} x {height}")
    if area == 0:
        place.note("zero_area", "polygons: cover no pixel")
    for index in crossed:
        place.note("self_intersection", f"polygon {index}: crosses itself")
    stated, box = garment.box_xyxy, geometry.true_box(garment.segmentation, width, height)
    # Some tools do not cut a box at the picture's edge.
    if stated and not _same_box(box, stated) and not _same_box(extents(garment.segmentation), stated):
        rounded = [round(value, 1) for value in box or ()]
        place.note("box_mismatch", f"box: the polygons' is {rounded}, got {list(stated)}")


def _same_box(box: BoxFloats | None, stated: BoxFloats) -> bool:
    """Whether two boxes are one but for rounding, which is much of the area of a thin one."""
    if box is None or iou_xyxy(box, stated) >= _BOX_IOU:
        return True
    return all(abs(a - b) <= _ROUNDING for a, b in zip(box, stated, strict=True))
