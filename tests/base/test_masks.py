"""Masks: rasterising, outlines and measures against slow, plain counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fittingroom import masks
from fittingroom.boxes import Box


def test_rectangle_polygon_covers_its_pixels() -> None:
    mask = masks.from_polygons([[2, 1, 6, 1, 6, 4, 2, 4]], height=8, width=10)
    assert masks.bounding_box(mask) == Box(2, 1, 7, 5)
    assert masks.area(mask) == 5 * 4


def test_several_polygons_are_one_garment_and_overlap_counts_once() -> None:
    one = [0, 0, 4, 0, 4, 4, 0, 4]
    two = [2, 2, 6, 2, 6, 6, 2, 6]
    both = masks.from_polygons([one, two], 10, 10)
    assert masks.area(both) == 25 + 25 - 9


def test_polygon_far_outside_is_clipped_not_wrapped() -> None:
    mask = masks.from_polygons([[-1e12, -1e12, 1e12, -1e12, 1e12, 1e12, -1e12, 1e12]], 5, 5)
    assert mask.all()
    assert not masks.from_polygons([[1e9, 1e9, 2e9, 1e9, 2e9, 2e9]], 5, 5).any()


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_bounding_box_is_the_smallest(mask: np.ndarray) -> None:
    box = masks.bounding_box(mask)
    rows, columns = np.nonzero(mask)
    if not mask.any():
        assert box is None
        return
    assert box == Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@given(arrays(bool, (9, 11)), arrays(bool, (9, 11)))
def test_iou_is_symmetric_and_counts(a: np.ndarray, b: np.ndarray) -> None:
    union = sum(x or y for x, y in zip(a.flat, b.flat, strict=True))
    shared = sum(x and y for x, y in zip(a.flat, b.flat, strict=True))
    assert masks.iou(a, b) == masks.iou(b, a) == pytest.approx(shared / union if union else 0)


def test_solidity_tells_a_whole_garment_from_a_torn_one() -> None:
    whole = np.zeros((40, 40), bool)
    whole[5:35, 5:35] = True
    cross = np.zeros((40, 40), bool)
    cross[19:21] = cross[:, 19:21] = True
    assert masks.solidity(whole) == 1
    assert masks.solidity(cross) < 0.3
    assert masks.solidity(np.zeros((4, 4), bool)) == 0


def test_white_surround_keeps_enclosed_white() -> None:
    image = np.full((30, 30, 3), 255, np.uint8)
    image[5:25, 5:25] = (200, 30, 30)
    image[12:18, 12:18] = 255
    mask = masks.from_white_surround(image)
    assert masks.area(mask) == 20 * 20
    assert mask[15, 15]
    assert not mask[2, 2]


def test_outlines_rebuild_the_mask() -> None:
    mask = masks.from_polygons([[5, 5, 30, 8, 25, 40, 6, 35], [45, 5, 55, 5, 55, 20]], 50, 60)
    outlines = masks.to_polygons(mask)
    assert len(outlines) == 2
    assert masks.iou(masks.from_polygons(outlines, 50, 60), mask) > 0.98
