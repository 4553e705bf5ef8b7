"""Mask areas and boxes of all garments of some pictures, measured together because that is several times faster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fittingroom.annotations import geometry
from fittingroom.annotations.model import AnnotatedImage, BoxFloats, GarmentAnnotation
from fittingroom.annotations.raster import Outlines, mask_areas
from fittingroom.boxes import xyxy_to_xywh

BATCH = 48
"""Pictures measured together: enough to pay for NumPy's calls, few enough that the arrays stay in the cache."""

_LONGEST = 2_000_000
"""Pixels that a batch's outlines may travel sideways; real garments come to some 500 each. Beyond, one at a time."""


class Measured(NamedTuple):
    """``area``: pixels of the mask. ``box_xywh``: the box of all polygons, clipped to the picture when its size is
    known."""

    area: int
    box_xywh: BoxFloats


_NOTHING = Measured(0, (0.0, 0.0, 0.0, 0.0))


def batches(images: Iterable[AnnotatedImage]) -> Iterator[list[AnnotatedImage]]:
    """Pictures a handful at a time, for `measure`."""
    waiting = iter(images)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def measure(images: Sequence[AnnotatedImage]) -> list[list[Measured]]:
    """For each picture, what each of its garments' polygons cover; 0 and no box where there are none."""
    garments = [(garment, image) for image in images for garment in image.garments]
    together = [index for index, (garment, image) in enumerate(garments) if garment.segmentation and image.width > 0]
    found = dict(zip(together, _measure_together([garments[index] for index in together]), strict=True))
    flat = iter(found.get(index) or _measure_alone(*pair) for index, pair in enumerate(garments))
    return [[next(flat) for _ in image.garments] for image in images]


def _measure_alone(garment: GarmentAnnotation, image: AnnotatedImage) -> Measured:
    box = geometry.true_box(garment.segmentation, image.width, image.height)
    if box is None:
        return _NOTHING
    x, y, width, height = xyxy_to_xywh(box)
    area = geometry.mask_area(garment.segmentation, image.width, image.height)
    return Measured(area, (float(x), float(y), float(width), float(height)))


def _measure_together(garments: Sequence[tuple[GarmentAnnotation, AnnotatedImage]]) -> list[Measured | None]:
    """None for a garment that has to be measured alone: far outside its picture, or in a batch of absurd outlines."""
    if not garments:
        return []
    polygons = [polygon for garment, _ in garments for polygon in garment.segmentation]
    parts = np.array([len(garment.segmentation) for garment, _ in garments])
    counts = np.array([len(polygon) // 2 for polygon in polygons])
    points = np.fromiter(chain.from_iterable(polygons), np.float64, 2 * int(counts.sum())).reshape(-1, 2)
    xs, ys = np.ascontiguousarray(points.T)
    sizes = np.array([(image.width, image.height) for _, image in garments])
    starts = (np.cumsum(counts) - counts)[np.cumsum(parts) - parts]
    low = np.stack([np.minimum.reduceat(axis, starts) for axis in (xs, ys)], axis=1)
    high = np.stack([np.maximum.reduceat(axis, starts) for axis in (xs, ys)], axis=1)
    corners = np.clip(low, 0, sizes), np.clip(high, 0, sizes)
    boxes = np.concatenate((corners[0], corners[1] - corners[0]), axis=1).tolist()
    # As in `geometry.mask_area`, which moves the points of such outlines.
    side = sizes.min(axis=1, keepdims=True)
    ordinary = ((low >= -side) & (high <= 2 * side)).all(axis=1)
    if float(np.abs(np.diff(xs)).sum()) > _LONGEST:
        ordinary[:] = False
    owners = np.repeat(np.arange(len(garments)), parts)
    outlines = Outlines(xs, ys, counts, owners, sizes[owners, 0], sizes[owners, 1])
    areas = mask_areas(outlines if ordinary.all() else _only(outlines, ordinary), len(garments)).tolist()
    return [
        Measured(area, tuple(box)) if fits else None
        for area, box, fits in zip(areas, boxes, ordinary.tolist(), strict=True)
    ]


def _only(outlines: Outlines, garments: NDArray[np.bool_]) -> Outlines:
    polygons = garments[outlines.garments]
    points = np.repeat(polygons, outlines.counts)
    return Outlines(outlines.xs[points], outlines.ys[points], *(values[polygons] for values in outlines[2:]))
