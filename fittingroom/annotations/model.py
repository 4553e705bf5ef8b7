"""What one annotated picture and one annotated garment are, whatever file they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fittingroom.categories import CATEGORY_NAMES
from fittingroom.garment import Garment
from fittingroom.masks import from_polygons

Polygon = tuple[float, ...]
"""x1, y1, x2, y2, ... in pixels of the whole picture; numbers stay as written (integers stay integers)."""
Landmarks = tuple[float, ...]
"""x1, y1, v1, x2, y2, v2, ... in pixels; the visibility v is 0 not labelled, 1 occluded, 2 visible."""
BoxFloats = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels, as the file states it."""

DIFFICULTY = ("scale", "occlusion", "zoom_in", "viewpoint")
"""Attributes of a garment that are 1 to 3."""


@dataclass(frozen=True)
class GarmentAnnotation:
    """One garment. ``None`` means that the file does not say; ``extra`` holds the fields we do not know, untouched.

    ``item`` is DeepFashion2's own key (``item3``) and is unique within the picture. ``segmentation`` holds one
    polygon for each visible part. ``scale``, ``occlusion``, ``zoom_in`` and ``viewpoint`` are 1 to 3 as in
    DeepFashion2's README.
    """

    item: str
    category_id: int
    segmentation: tuple[Polygon, ...] = ()
    landmarks: Landmarks = ()
    box_xyxy: BoxFloats | None = None
    style: int | None = None
    scale: int | None = None
    occlusion: int | None = None
    zoom_in: int | None = None
    viewpoint: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def category_name(self) -> str:
        """The category, spelt as DeepFashion2's README spells it."""
        return CATEGORY_NAMES[self.category_id]


@dataclass(frozen=True)
class AnnotatedImage:
    """One picture and its garments. ``width`` and ``height`` are pixels, 0 when the picture is not there to ask.

    ``file_name`` is relative to the folder of pictures, with forward slashes. ``source`` is ``user`` or ``shop`` in
    DeepFashion2; pictures that share a ``pair_id`` show the same garments.
    """

    file_name: str
    image_id: int
    width: int = 0
    height: int = 0
    source: str | None = None
    pair_id: int | None = None
    garments: tuple[GarmentAnnotation, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def garment_masks(image: AnnotatedImage) -> list[Garment]:
    """The ground truth as `Garment` values of score 1: bool masks of the whole picture, in the order of ``garments``.

    Garments whose polygons cover no pixel are left out, as a finder leaves them out.

    Raises:
        ValueError: the picture's size is not known.
    """
    if image.width <= 0 or image.height <= 0:
        raise ValueError(f"{image.file_name}: expected a known size, got {image.width} x {image.height}")
    found = [
        Garment(garment.category_id, 1.0, from_polygons(garment.segmentation, image.height, image.width))
        for garment in image.garments
    ]
    return [garment for garment in found if garment.mask.any()]


def extents(polygons: Sequence[Polygon]) -> BoxFloats | None:
    """x1, y1, x2, y2 that hold every point, or None when there is no point."""
    if not polygons:
        return None
    # Plain min and max of slices: for polygons of some hundred points that is several times faster than NumPy.
    return (
        min(min(polygon[0::2]) for polygon in polygons),
        min(min(polygon[1::2]) for polygon in polygons),
        max(max(polygon[0::2]) for polygon in polygons),
        max(max(polygon[1::2]) for polygon in polygons),
    )
