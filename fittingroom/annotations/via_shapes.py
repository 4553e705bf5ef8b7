"""VIA's region shapes as polygons: those people draw by hand, and rectangles, circles and ellipses."""

from __future__ import annotations

import math

from fittingroom.annotations import fields
from fittingroom.annotations.fields import Place
from fittingroom.annotations.model import Polygon

_CORNERS = 64
"""Points of the outline of a circle or an ellipse: its area is 0.2 % short."""
_ROUND = {"circle": ("cx", "cy", "r", "r"), "ellipse": ("cx", "cy", "rx", "ry")}


def outline(shape: object, place: Place) -> Polygon | None:
    """The polygon of a region's ``shape_attributes``, or None with a finding."""
    if not isinstance(shape, dict):
        place.note("bad_segmentation", "shape_attributes: expected an object", "region left out")
        return None
    kind = shape.get("name")
    if kind == "rect":
        corner = fields.numbers([shape.get(key) for key in ("x", "y", "width", "height")], "rect", place)
        if corner is None:
            return None
        x, y, width, height = corner
        return (x, y, x + width, y, x + width, y + height, x, y + height)
    if isinstance(kind, str) and kind in _ROUND:
        return _round(kind, shape, place)
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if kind not in (None, "polygon", "polyline") or not isinstance(xs, list) or not isinstance(ys, list):
        place.note("unsupported_shape", f"expected an outline, got {kind!r:.40}", "region left out")
        return None
    if len(xs) != len(ys):
        place.note("odd_coordinates", f"expected as many y as x, got {len(xs)} x and {len(ys)} y", "polygon left out")
        return None
    return fields.polygon([value for point in zip(xs, ys, strict=True) for value in point], place)


def _round(kind: str, shape: dict[str, object], place: Place) -> Polygon | None:
    found = fields.numbers([shape.get(key) for key in _ROUND[kind]], kind, place)
    theta = fields.numbers([shape.get("theta") or 0], "theta", place)
    if found is None or theta is None:
        return None
    cx, cy, rx, ry = found
    place.note("outlined_shape", kind, f"outlined by {_CORNERS} points")
    cosine, sine = math.cos(theta[0]), math.sin(theta[0])
    points = []
    for corner in range(_CORNERS):
        along, across = rx * math.cos(math.tau * corner / _CORNERS), ry * math.sin(math.tau * corner / _CORNERS)
        points += [round(cx + along * cosine - across * sine, 2), round(cy + along * sine + across * cosine, 2)]
    return tuple(points)
