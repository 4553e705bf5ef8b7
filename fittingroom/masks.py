"""Binary masks: bool arrays of shape (H, W), True on the garment."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.boxes import Box

Mask = NDArray[np.bool_]

_SUBPIXEL_BITS = 4


def from_polygons(polygons: Sequence[Sequence[float]], height: int, width: int) -> Mask:
    """The union of polygons, each ``[x1, y1, x2, y2, ...]`` in pixels; parts outside the image are clipped."""
    canvas = np.zeros((height, width), np.uint8)
    scale = 1 << _SUBPIXEL_BITS
    for polygon in polygons:
        points = np.asarray(polygon, np.float64).reshape(-1, 2)
        # Beyond this range OpenCV's fixed-point coordinates wrap round.
        points = np.clip(points, -16_000_000 / scale, 16_000_000 / scale)
        cv2.fillPoly(canvas, [np.round(points * scale).astype(np.int32)], 1, shift=_SUBPIXEL_BITS)
    return canvas.astype(bool)


def to_polygons(mask: Mask, minimum_area: float = 1.0) -> list[list[float]]:
    """Outer outlines as ``[x1, y1, ...]``, largest first; those of less than ``minimum_area`` pixels are left out."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    kept = sorted((c for c in contours if len(c) >= 3 and cv2.contourArea(c) >= minimum_area), key=cv2.contourArea)
    return [contour.reshape(-1).astype(float).tolist() for contour in reversed(kept)]


def area(mask: Mask) -> int:
    """Pixels on the garment."""
    return int(np.count_nonzero(mask))


def bounding_box(mask: Mask) -> Box | None:
    """The smallest box that holds the mask, or None for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def iou(a: Mask, b: Mask) -> float:
    """Intersection over union, 0 to 1; 0 when both are empty."""
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else 0.0


def solidity(mask: Mask) -> float:
    """Area over the area of the convex hull, 0 to 1: near 1 for a whole garment, low for torn or thin masks."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return 0.0
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.concatenate(contours)), 1)
    return area(mask) / max(int(np.count_nonzero(hull)), 1)


def from_white_surround(image: NDArray[np.uint8], threshold: int = 248) -> Mask:
    """The garment in a picture cut out on white, (H, W, 3): all but the near-white region joined to the border.

    White parts enclosed by the garment stay on it. A white garment on white cannot be told apart this way, which is
    why our own cut-outs carry their mask in the alpha channel.
    """
    near_white = (image >= threshold).all(axis=2).astype(np.uint8)
    framed = np.pad(near_white, 1, constant_values=1)
    cv2.floodFill(framed, None, (0, 0), 2)
    return np.asarray(framed[1:-1, 1:-1] != 2)
