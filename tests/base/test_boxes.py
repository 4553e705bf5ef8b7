"""Boxes: conversions and clipping keep what they promise for any numbers."""

from hypothesis import given
from hypothesis import strategies as st

from fittingroom.boxes import Box, iou_xyxy, xywh_to_xyxy, xyxy_to_xywh

numbers = st.integers(-2000, 2000)


@given(st.tuples(numbers, numbers, numbers, numbers))
def test_xywh_round_trip(box: tuple[int, int, int, int]) -> None:
    assert xywh_to_xyxy(xyxy_to_xywh(box)) == box


@given(numbers, numbers, numbers, numbers, st.integers(1, 500), st.integers(1, 500))
def test_clip_is_inside_and_never_reversed(x1: int, y1: int, x2: int, y2: int, height: int, width: int) -> None:
    clipped = Box(x1, y1, x2, y2).clip(height, width)
    assert 0 <= clipped.x1 <= clipped.x2 <= width
    assert 0 <= clipped.y1 <= clipped.y2 <= height


def test_clip_keeps_exactly_the_shared_pixels() -> None:
    assert Box(-5, 3, 12, 40).clip(height=20, width=10) == Box(0, 3, 10, 20)


def test_iou_counts_pixels() -> None:
    assert iou_xyxy((0, 0, 4, 4), (2, 2, 6, 6)) == 4 / 28
    assert iou_xyxy((0, 0, 4, 4), (4, 0, 8, 4)) == 0
    assert iou_xyxy((5, 5, 2, 2), (5, 5, 2, 2)) == 0
