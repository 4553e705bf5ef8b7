"""A document and its picture brought together: what is outlined always means the picture as it is seen.

Phones store the pixels as the sensor gives them and say in EXIF how to turn them. Some tools outline what is seen,
some the stored pixels; some work on a smaller copy. The stated size tells which; where it cannot (none is stated, or
both are alike) the points may, and where nothing tells, that is a finding. Nothing is turned or scaled in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from fittingroom.annotations import rle
from fittingroom.annotations.fields import Place
from fittingroom.annotations.headers import Header
from fittingroom.annotations.model import AnnotatedImage, BoxFloats, GarmentAnnotation
from fittingroom.masks import Mask, to_polygons

Size = tuple[int, int]
"""Width and height in pixels."""
_OUTSIDE = 1.0
"""Pixels that a point may lie outside a picture it is meant for."""


@dataclass(frozen=True)
class Mapping:
    """From pixels of a picture of one size to those of ``target``: scaled, then turned by EXIF's ``orientation``."""

    size: Size
    target: Size
    orientation: int = 1

    @property
    def before_turning(self) -> Size:
        """The target's size before it is turned."""
        return self.target[::-1] if self.orientation >= 5 else self.target

    @property
    def changes(self) -> bool:
        """Whether a point moves at all."""
        return self.orientation != 1 or self.size != self.target

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where a point comes to lie; whole numbers stay whole where nothing is scaled."""
        width, height = self.before_turning
        if (width, height) != self.size:
            x, y = x * width / self.size[0], y * height / self.size[1]
        if self.orientation in (2, 3, 7, 8):
            x = width - x
        if self.orientation in (3, 4, 6, 7):
            y = height - y
        return (y, x) if self.orientation >= 5 else (x, y)

    def points(self, values: Sequence[float]) -> tuple[float, ...]:
        """``x1, y1, x2, y2, ...``"""
        pairs = zip(values[0::2], values[1::2], strict=True)
        return tuple(value for x, y in pairs for value in self.point(x, y))

    def landmarks(self, values: Sequence[float]) -> tuple[float, ...]:
        """``x1, y1, v1, x2, ...``; a landmark that is not labelled stays at 0, 0."""
        triples = zip(values[0::3], values[1::3], values[2::3], strict=True)
        return tuple(v for x, y, seen in triples for v in (*(self.point(x, y) if seen or x or y else (x, y)), seen))

    def box(self, box_xyxy: BoxFloats) -> BoxFloats:
        """x1, y1, x2, y2 in order again."""
        (xa, ya), (xb, yb) = self.point(*box_xyxy[:2]), self.point(*box_xyxy[2:])
        return min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)

    def mask(self, mask: Mask) -> Mask:
        """A bool mask (H, W) of ``size``, as one of ``target``."""
        if (mask.shape[1], mask.shape[0]) != self.before_turning:
            scaled = cv2.resize(mask.astype(np.uint8), self.before_turning, interpolation=cv2.INTER_NEAREST)
            mask = np.asarray(scaled, bool)
        if self.orientation in (2, 3, 7, 8):
            mask = mask[:, ::-1]
        if self.orientation in (3, 4, 6, 7):
            mask = mask[::-1]
        return np.ascontiguousarray(mask.T if self.orientation >= 5 else mask)


def fitted(image: AnnotatedImage, header: Header | None, place: Place, *, upright: bool = False) -> AnnotatedImage:
    """``image`` in pixels of its picture as it is seen.

    ``image`` has the size its document states (0 x 0 for none) and means that. Without a ``header`` only run-length
    masks are brought to the stated size.

    Args:
        upright: the document is known to mean the upright picture where its size does not say otherwise.
    """
    masks = any(rle.KEPT in garment.extra for garment in image.garments)
    stated = (image.width, image.height)
    if header is not None and header.orientation == 1 and not masks and stated in ((0, 0), header.stored):
        return image if stated == header.stored else replace(image, width=header.width, height=header.height)
    frame = stated if stated != (0, 0) else _mask_size(image)
    if header is None:
        mapping = Mapping(frame, frame) if frame else None
    else:
        mapping = _document_mapping(image, frame, header, place, upright)
    garments = tuple(_fitted(garment, mapping, header, place) for garment in image.garments)
    width, height = mapping.target if mapping is not None else stated
    return replace(image, width=width, height=height, garments=garments)


def _document_mapping(
    image: AnnotatedImage, frame: Size | None, header: Header, place: Place, known_upright: bool
) -> Mapping:
    """How the document's pixels become the picture's."""
    target, stored, orientation = header.upright, header.stored, header.orientation
    turns = target != stored
    fits_upright, fits_stored = _fits(image, target), _fits(image, stored)
    meant: Size | None = None  # the upright or the stored size; None where nothing tells
    if frame is None:
        if turns and fits_upright != fits_stored:
            meant = target if fits_upright else stored
        elif turns and not fits_upright:
            meant = target  # points outside either are a finding of their own
        frame = meant or target
    elif frame in (target, stored):
        meant = frame if turns else None
        if turns and frame == stored and fits_upright and not fits_stored:  # PIL's size next to a browser's outlines
            place.note("rescaled", f"{_text(frame)}, the stored size, next to outlines of what is seen", "read as seen")
            frame = meant = target
    elif alike(frame, target) or alike(frame, stored):
        place.note("rescaled", f"stated {_text(frame)}, the picture has {_text(target)}", "brought to the picture")
        meant = (target if alike(frame, target) else stored) if turns else None
    elif frame == target[::-1] and fits_upright and not _fits(image, frame):
        place.note("rescaled", f"stated {_text(frame)}, width and height are swapped", "read the right way round")
        frame = meant = target
    else:
        place.note("size_mismatch", f"stated {_text(frame)}, the picture has {_text(target)}", "kept as stated")
        return Mapping(frame, frame)
    if meant == stored and turns:
        place.note("turned", f"outlined in the stored {_text(stored)}", f"turned by EXIF orientation {orientation}")
        return Mapping(frame, target, orientation)
    if meant is None and orientation != 1 and not known_upright and _has_points(image):
        place.note("orientation_unknown", f"EXIF orientation {orientation}", "read as what is seen")
    return Mapping(frame, target)


def _fitted(
    garment: GarmentAnnotation, mapping: Mapping | None, header: Header | None, place: Place
) -> GarmentAnnotation:
    """One garment through the mapping (None: nothing is known of the picture); a run-length mask that was kept goes
    through its own."""
    if mapping is not None and mapping.changes:
        garment = replace(
            garment,
            segmentation=tuple(mapping.points(polygon) for polygon in garment.segmentation),
            landmarks=mapping.landmarks(garment.landmarks),
            box_xyxy=garment.box_xyxy and mapping.box(garment.box_xyxy),
        )
    return _with_mask(garment, mapping, header, place) if rle.KEPT in garment.extra else garment


def _with_mask(
    garment: GarmentAnnotation, mapping: Mapping | None, header: Header | None, image_place: Place
) -> GarmentAnnotation:
    """A garment whose kept run-length mask has the picture's size, outlined where it has no polygons."""
    place = Place(image_place.findings, image_place.file, garment.item)
    kept: Any = garment.extra[rle.KEPT]
    try:
        if not isinstance(kept, dict):
            raise ValueError(f"expected a run-length mask, got {type(kept).__name__}")
        mask = rle.decode(kept.get("segmentation"))
        size = (mask.shape[1], mask.shape[0])
        own = mapping if mapping is None or size == mapping.size else _mask_mapping(size, mapping, header)
        if own is None and mapping is not None:
            raise ValueError(f"a run-length mask of {_text(size)} in a picture of {_text(mapping.target)}")
    except ValueError as error:
        place.note("bad_segmentation", str(error), "segmentation left out")
        return replace(garment, extra={k: v for k, v in garment.extra.items() if k != rle.KEPT})
    if own is not None and own.changes:
        if mapping is not None and size != mapping.size:
            place.note("rescaled", f"a run-length mask of {_text(size)}", f"brought to {_text(own.target)}")
        mask = own.mask(mask)
        kept = {**kept, "segmentation": rle.encode(mask)}
    outline = garment.segmentation or tuple(tuple(polygon) for polygon in to_polygons(mask))
    return replace(garment, segmentation=outline, extra={**garment.extra, rle.KEPT: kept})


def _mask_mapping(size: Size, mapping: Mapping, header: Header | None) -> Mapping | None:
    """How a mask of another size than the document's comes to lie on the picture; None where its shape fits neither."""
    turned = header is not None and header.upright == mapping.target and header.orientation >= 5
    if header is not None and turned and alike(size, header.stored) and not alike(size, mapping.target):
        return Mapping(size, mapping.target, header.orientation)
    return Mapping(size, mapping.target) if alike(size, mapping.target) else None


def _mask_size(image: AnnotatedImage) -> Size | None:
    """The size that the first run-length mask states."""
    for garment in image.garments:
        kept = garment.extra.get(rle.KEPT)
        mask = kept.get("segmentation") if isinstance(kept, dict) else None
        size = mask.get("size") if isinstance(mask, dict) else None
        if isinstance(size, list) and len(size) == 2 and all(type(side) is int and 0 < side < 10**5 for side in size):
            return size[1], size[0]
    return None


def alike(size: Size, other: Size) -> bool:
    """Whether one is the other scaled, to the pixel that rounding may take."""
    factor = other[0] / size[0]
    return abs(size[1] * factor - other[1]) <= max(1.0, factor)


def _coordinates(image: AnnotatedImage) -> Iterator[tuple[float, float]]:
    for garment in image.garments:
        for polygon in garment.segmentation:
            yield from zip(polygon[0::2], polygon[1::2], strict=True)
        if garment.box_xyxy is not None:
            yield garment.box_xyxy[:2]
            yield garment.box_xyxy[2:]
        for x, y, seen in zip(garment.landmarks[0::3], garment.landmarks[1::3], garment.landmarks[2::3], strict=True):
            if seen:
                yield x, y


def _fits(image: AnnotatedImage, size: Size) -> bool:
    return all(-_OUTSIDE <= x <= size[0] + _OUTSIDE and -_OUTSIDE <= y <= size[1] + _OUTSIDE
               for x, y in _coordinates(image))  # fmt: skip


def _has_points(image: AnnotatedImage) -> bool:
    return any(True for _ in _coordinates(image)) or any(rle.KEPT in garment.extra for garment in image.garments)


def _text(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
