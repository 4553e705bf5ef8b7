"""Axis-aligned boxes. Pixel boxes are ``box_xyxy``: x1, y1, x2, y2, the right and bottom edge excluded."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """A box in whole pixels: columns ``x1 <= x < x2``, rows ``y1 <= y < y2``."""

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.x2 - self.x1

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.y2 - self.y1

    @property
    def area(self) -> int:
        """Pixels inside; 0 for an empty or reversed box."""
        return max(self.width, 0) * max(self.height, 0)

    def clip(self, height: int, width: int) -> Box:
        """The part inside an image of (height, width); may be empty, never reversed."""
        x1, y1 = min(max(self.x1, 0), width), min(max(self.y1, 0), height)
        return Box(x1, y1, max(min(self.x2, width), x1), max(min(self.y2, height), y1))

    def expand(self, pixels: int) -> Box:
        """The box grown by ``pixels`` on every side (not clipped)."""
        return Box(self.x1 - pixels, self.y1 - pixels, self.x2 + pixels, self.y2 + pixels)


def xyxy_to_xywh(box_xyxy: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """To COCO's x, y, width, height."""
    x1, y1, x2, y2 = box_xyxy
    return x1, y1, x2 - x1, y2 - y1


def xywh_to_xyxy(box_xywh: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """From COCO's x, y, width, height."""
    x, y, width, height = box_xywh
    return x, y, x + width, y + height


def iou_xyxy(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union, 0 to 1; 0 when both are empty."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum(max(x[2] - x[0], 0.0) * max(x[3] - x[1], 0.0) for x in (a, b))
    union = areas - shared
    return shared / union if union > 0 else 0.0
