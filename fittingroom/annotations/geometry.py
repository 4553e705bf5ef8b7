"""What polygons cover: COCO mask area, true box, crossings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from fittingroom.annotations.model import BoxFloats, Polygon, extents

_PAIRS_AT_ONCE = 500_000
"""Pairs of edges compared at once, to bound the memory."""
MAX_CROSSING_POINTS = 5_000
"""Polygons of more points are not searched for crossings (the search is quadratic)."""

_LONGEST_OUTLINE = 5_000_000
_UNKNOWN_SIDE = 8192.0


class Measured(NamedTuple):
    """``area``: pixels of the mask. ``box_xywh``: the box of all polygons, clipped to the picture when its size is
    known."""

    area: int
    box_xywh: BoxFloats


def measure(polygons: Sequence[Polygon], width: int, height: int) -> Measured:
    """What a garment's polygons cover in a picture of ``width`` x ``height`` (0 x 0: unknown); 0 without any."""
    x1, y1, x2, y2 = true_box(polygons, width, height) or (0, 0, 0, 0)
    area = mask_area(polygons, width, height)
    return Measured(area, (float(x1), float(y1), float(x2 - x1), float(y2 - y1)))


def mask_area(polygons: Sequence[Polygon], width: int, height: int) -> int:
    """Pixels of the union of polygons by COCO's own rasteriser, clipped to the picture.

    A picture of unknown size (0) clips nothing on the right and at the bottom. Points further than one picture size
    outside are moved to that distance: COCO's rasteriser walks every pixel of an edge, and a file may state 1e12.
    """
    if not polygons:
        return 0
    if width <= 0 or height <= 0:
        _, _, right, bottom = extents(polygons) or (0, 0, 0, 0)
        width, height = (int(min(max(edge, 1.0), _UNKNOWN_SIDE)) + 2 for edge in (right, bottom))
    side = min(width, height)
    if any(min(polygon) < -side or max(polygon) > 2 * side for polygon in polygons):
        polygons = [_near(polygon, width, height) for polygon in polygons]
    coarser = max(_coarser(polygon, width, height) for polygon in polygons)
    if coarser > 1:
        polygons = [tuple(value / coarser for value in polygon) for polygon in polygons]
        return mask_area(polygons, -(-width // coarser), -(-height // coarser)) * coarser**2
    # A list of lists of more than four numbers each is what pycocotools takes for polygons.
    runs = coco_mask.frPyObjects([list(polygon) for polygon in polygons], height, width)
    return int(coco_mask.area(runs[0] if len(runs) == 1 else coco_mask.merge(runs)))


def _coarser(polygon: Polygon, width: int, height: int) -> int:
    """1, or how many times coarser to draw an outline so absurdly long (thousands of points to and fro across the
    picture) that COCO's rasteriser would run out of memory; its area is then an estimate."""
    if len(polygon) // 2 * 3 * max(width, height) <= _LONGEST_OUTLINE:
        return 1  # not even if every edge crossed the whole picture and more
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    length = float(np.abs(np.diff(points, axis=0)).max(axis=1, initial=0.0).sum())
    return int(length // _LONGEST_OUTLINE) + 1


def _near(polygon: Polygon, width: int, height: int) -> Polygon:
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    return tuple(np.clip(points, (-width, -height), (2 * width, 2 * height)).ravel().tolist())


def true_box(polygons: Sequence[Polygon], width: int, height: int) -> BoxFloats | None:
    """x1, y1, x2, y2 of all points, clipped to the picture when its size is known; None without polygons."""
    box = extents(polygons)
    if box is None or width <= 0 or height <= 0:
        return box
    x1, y1, x2, y2 = box
    return min(max(x1, 0), width), min(max(y1, 0), height), min(max(x2, 0), width), min(max(y2, 0), height)


def clip_polygon(polygon: Polygon, width: int, height: int) -> Polygon:
    """The polygon cut at the picture's edges (Sutherland and Hodgman, 1974); () when nothing is left.

    A concave polygon may come back with parts joined along the edge, which cover no pixel.
    """
    points = list(zip(polygon[0::2], polygon[1::2], strict=True))
    for axis, limit, keep_above in ((0, 0, True), (0, width, False), (1, 0, True), (1, height, False)):
        points = _cut(points, axis, limit, keep_above)
        if len(points) < 3:
            return ()
    return tuple(value for point in points for value in point)


def _cut(points: list[tuple[float, float]], axis: int, limit: float, keep_above: bool) -> list[tuple[float, float]]:
    def inside(point: tuple[float, float]) -> bool:
        return point[axis] >= limit if keep_above else point[axis] <= limit

    kept: list[tuple[float, float]] = []
    for before, here in zip(points[-1:] + points[:-1], points, strict=True):
        if inside(before) != inside(here):
            share = (limit - before[axis]) / (here[axis] - before[axis])
            other = before[1 - axis] + share * (here[1 - axis] - before[1 - axis])
            kept.append((limit, other) if axis == 0 else (other, limit))
        if inside(here):
            kept.append(here)
    return kept


def overshoot(polygons: Sequence[Polygon], width: int, height: int) -> float:
    """How many pixels the points reach beyond the picture, 0 when none does."""
    box = extents(polygons)
    if box is None:
        return 0.0
    return max(0.0, -box[0], -box[1], box[2] - width, box[3] - height)


def crosses_itself(polygon: Polygon) -> bool:
    """Whether two edges cross at an inner point of both; edges that only touch do not count."""
    return bool(crossing([polygon]))


def crossing(polygons: Sequence[Polygon]) -> set[int]:
    """The places in ``polygons`` of those that cross themselves (see `crosses_itself`): many together, at once.

    Only edges of one polygon whose boxes meet are compared, found by sorting along x.
    """
    places = [i for i, polygon in enumerate(polygons) if 4 <= len(polygon) // 2 <= MAX_CROSSING_POINTS]
    if not places:
        return set()
    counts = np.array([len(polygons[i]) // 2 for i in places])
    flat = np.fromiter(chain.from_iterable(polygons[i] for i in places), np.float64, 2 * int(counts.sum()))
    begin, total = flat.reshape(-1, 2), int(counts.sum())
    following = np.arange(1, total + 1)
    following[np.cumsum(counts) - 1] = np.cumsum(counts) - counts
    end, owner = begin[following], np.repeat(np.arange(len(places)), counts)
    low, high = np.minimum(begin, end), np.maximum(begin, end)
    # Ranks, not coordinates: whole numbers keep the polygons apart exactly, whatever the coordinates are.
    ranks = np.unique(np.concatenate((low[:, 0], high[:, 0])), return_inverse=True)[1].reshape(2, total)
    left, right = ranks + owner * (2 * total + 1)
    order = np.argsort(left, kind="stable")
    meeting = np.searchsorted(left[order], right[order], "right") - np.arange(1, total + 1)
    found: set[int] = set()
    upto = np.cumsum(meeting)
    start = 0
    while start < total:
        stop = max(int(np.searchsorted(upto, upto[start] - meeting[start] + _PAIRS_AT_ONCE)), start + 1)
        first = np.repeat(np.arange(start, stop), meeting[start:stop])
        within = np.arange(len(first)) - np.repeat(
            np.cumsum(meeting[start:stop]) - meeting[start:stop], meeting[start:stop]
        )
        one, other = order[first], order[first + 1 + within]
        near = (low[one, 1] <= high[other, 1]) & (low[other, 1] <= high[one, 1])
        one, other = one[near], other[near]
        a, b, c, d = begin[one], end[one], begin[other], end[other]
        crossed = (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)
        found.update(owner[one[crossed]].tolist())
        start = stop
    return {places[i] for i in found}


def _side(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sign of the turn a, b, c."""
    turn = (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
    return np.asarray(np.sign(turn))
