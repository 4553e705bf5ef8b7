"""Mask areas of many garments at once: the very numbers that COCO's rasteriser gives, without walking the outlines.

pycocotools draws an outline on a grid five times finer than the pixels, step by step, and keeps the steps that cross
the middle of a column of pixels (``rleFrPoly`` in maskApi.c). Only those steps matter for the area, and each can be
computed from its edge alone; here NumPy does that for all edges of a batch. The arithmetic, its order and its rounding
are the original's, so the areas are equal, not merely close. `geometry.mask_area` is the same, one garment at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.integer]

_FINER = 5
"""Grid lines a pixel. The middle of column x lies between the lines 5 x + 2 and 5 x + 3."""
_CLOSE = 1e-6
"""Steps. Far more than the rounding of sums of some thousand steps, far less than a step."""


class Outlines(NamedTuple):
    """Polygons of at least one point each, one after the other.

    ``xs``, ``ys``: (N,) points in pixels, no further than a few picture sizes outside. ``counts``: (P,) points of
    each polygon. ``garments``: (P,) the index of each polygon's garment, ascending. ``widths``, ``heights``: (P,)
    pixels of each polygon's picture.
    """

    xs: Floats
    ys: Floats
    counts: Whole
    garments: Whole
    widths: Whole
    heights: Whole


def mask_areas(outlines: Outlines, garments: int) -> Whole:
    """Pixels of each of ``garments`` garments, (garments,): the union of its polygons, clipped to the picture."""
    areas = np.zeros(garments, np.int64)
    if not len(outlines.counts):
        return areas
    rows = int(outlines.heights.max()) + 1
    keys, crossings = _crossings(outlines, rows)
    keys.sort()
    starts, ends = keys[0::2], keys[1::2]  # an outline is closed: it crosses a column an even number of times
    pairs = crossings // 2
    alone = np.bincount(outlines.garments, minlength=garments)[outlines.garments] == 1
    areas[outlines.garments[alone]] = _sums(ends - starts, pairs)[alone]
    if not alone.all():
        _add_unions(areas, outlines, starts, ends, pairs, ~alone, rows)
    return areas


def _before(lengths: Whole) -> Whole:
    return np.cumsum(lengths) - lengths


def _sums(values: Whole, lengths: Whole) -> Whole:
    """Sums of consecutive runs of ``values``."""
    sums = np.zeros(len(lengths), np.int64)
    filled = lengths > 0
    if len(values):
        sums[filled] = np.add.reduceat(values, _before(lengths)[filled], dtype=np.int64)
    return sums


class _Edges(NamedTuple):
    """Edges on the fine grid, (E,) each: both ends, the first column crossed, how many are, and the first one's key."""

    x0: Whole
    y0: Whole
    x1: Whole
    y1: Whole
    first: Whole
    columns: Whole
    keys: Whole

    def take(self, chosen: Whole) -> _Edges:
        return _Edges(*(values.take(chosen) for values in self))


def _crossings(outlines: Outlines, rows: int) -> tuple[Whole, Whole]:
    """Every crossing as one number that sorts by polygon, column and row, and how many each polygon has."""
    counts = outlines.counts
    x0, y0 = ((values * _FINER + 0.5).astype(np.int32) for values in (outlines.xs, outlines.ys))  # cut, as C cuts
    ends = np.cumsum(counts)
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    x1[ends - 1], y1[ends - 1] = x0[ends - counts], y0[ends - counts]
    first = np.maximum((np.minimum(x0, x1) + 2) // _FINER, 0)
    limits = np.repeat(outlines.widths.astype(np.int32) - 1, counts)
    columns = np.maximum(np.minimum((np.maximum(x0, x1) - 3) // _FINER, limits) - first + 1, 0)
    # The narrow kind halves what is moved about and sorts twice as fast; both counts that rows multiply must fit.
    widest = max(int(outlines.widths.sum()), int(columns.sum(dtype=np.int64)))
    kind = np.int32 if (rows + _FINER) * widest < 2**31 else np.int64
    keys = (rows * (np.repeat(_before(outlines.widths), counts) + first)).astype(kind)
    edges = _Edges(x0, y0, x1, y1, first, columns, keys)
    steep = np.abs(x1 - x0) < np.abs(y1 - y0)
    crossed = columns > 0
    heights = np.repeat(outlines.heights, counts)
    inside = outlines.ys.min() >= 0 and bool((outlines.ys <= heights).all())
    found = []
    for rule, chosen in ((_flat, np.flatnonzero(crossed & ~steep)), (_steep, np.flatnonzero(crossed & steep))):
        columns_keys, fine_rows = rule(edges.take(chosen), rows)
        row = fine_rows.astype(np.int32)
        row += 2
        row //= _FINER
        if not inside:
            row = np.clip(row, 0, np.repeat(heights.take(chosen), columns.take(chosen)))
        columns_keys += row.astype(kind, copy=False)
        found.append(columns_keys)
    return np.concatenate(found), _sums(columns, counts)


def _flat(edges: _Edges, rows: int) -> tuple[Whole, Floats]:
    """For edges wider than high, at each column: its key, and the fine row of the upper of the two steps."""
    flip = edges.x0 > edges.x1
    start, end = np.where(flip, edges.y1, edges.y0), np.where(flip, edges.y0, edges.y1)
    slope = (end - start) / np.abs(edges.x1 - edges.x0)
    step = _FINER * edges.first + 2 - np.minimum(edges.x0, edges.x1) + (slope < 0)
    key, steps, starts, fine_rows = _spread(edges, rows, step, start, slope)
    fine_rows *= steps
    fine_rows += starts
    fine_rows += 0.5
    return key, fine_rows


def _steep(edges: _Edges, rows: int) -> tuple[Whole, Floats]:
    """The same for edges higher than wide: there it is the step before x passes the middle of the column."""
    flip = edges.y0 > edges.y1
    start, end = np.where(flip, edges.x1, edges.x0), np.where(flip, edges.x0, edges.x1)
    slope = (end - start) / np.abs(edges.y1 - edges.y0)
    top = np.minimum(edges.y0, edges.y1) - 1
    key, middle, starts, slopes, tops = _spread(edges, rows, _FINER * edges.first + 3, start, slope, top)
    exact = (middle - starts - 0.5) / slopes
    steps = np.ceil(exact)
    # Next to a whole number the division may round where the original's sum does not: there the sum decides.
    close = np.flatnonzero(np.abs(exact - np.rint(exact)) < _CLOSE)
    near, starts, slopes, middle = (values.take(close) for values in (steps, starts, slopes, middle))

    def passed(step: Floats) -> NDArray[np.bool_]:
        return (starts + slopes * step + 0.5 >= middle) ^ (slopes < 0)

    near -= passed(near - 1)
    near += ~passed(near)
    steps[close] = near
    steps += tops
    return key, steps


def _spread(edges: _Edges, rows: int, line: Whole, *shared: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """For each column that an edge crosses: its key, ``line`` and _FINER more a column, and what all columns share."""
    kind = edges.keys.dtype
    before = _before(edges.columns).astype(kind)
    place = np.arange(int(edges.columns.sum(dtype=np.int64)), dtype=kind)
    edge = np.repeat(np.arange(len(before)), edges.columns)
    for start, step in ((edges.keys, rows), (line, _FINER)):
        spread = (start - step * before).take(edge)
        spread += step * place
        yield spread
    yield from (values.take(edge) for values in shared)


def _add_unions(
    areas: Whole, outlines: Outlines, starts: Whole, ends: Whole, pairs: Whole, several: NDArray[np.bool_], rows: int
) -> None:
    """Areas of garments of several polygons, which may cover each other: the pixels under at least one."""
    chosen = np.flatnonzero(np.repeat(several, pairs))
    counts, garment = pairs[several], outlines.garments[several]
    opens = np.concatenate(([True], garment[1:] != garment[:-1]))
    # From columns of its own each polygon moves to those of its garment's first one.
    own = _before(outlines.widths)[several]
    move = np.repeat((rows * (own[opens][np.cumsum(opens) - 1] - own)).astype(starts.dtype), counts)
    # The lowest bit says start (0) or end (1), so that runs that touch stay one.
    events = np.concatenate((starts.take(chosen) + move, ends.take(chosen) + move))
    if len(events) and int(events.max()) >= 2**30:
        events = events.astype(np.int64)
    events *= 2
    events[len(chosen) :] += 1
    events.sort()
    depth = np.cumsum(1 - 2 * (events & 1), dtype=np.int32)
    places = events >> 1
    covered = np.append(np.diff(places) * (depth[:-1] > 0), 0)
    areas[garment[opens]] = _sums(covered, np.add.reduceat(2 * counts, np.flatnonzero(opens)))
