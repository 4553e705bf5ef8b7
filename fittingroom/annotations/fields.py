"""From foreign JSON values to clean ones: numbers, polygons, boxes, landmarks. What is no use becomes a finding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from fittingroom.annotations.findings import Findings
from fittingroom.annotations.model import DIFFICULTY, BoxFloats, GarmentAnnotation, Landmarks, Polygon
from fittingroom.opening import MAX_PIXELS

MAX_POINTS = 20_000
"""Points of one polygon. Real outlines have some 20 to 200; drawing a million to and fro takes minutes."""

_NUMERIC = frozenset({int, float})
LARGEST = 1e15
"""Beyond this a float no longer tells two neighbouring pixels apart; no picture is that large."""


@dataclass(frozen=True)
class Place:
    """Where a value stands, and where its findings go."""

    findings: Findings
    file: str
    garment: str = ""

    def note(self, kind: str, message: str, action: str = "") -> None:
        """Record a finding here."""
        self.findings.add(kind, self.file, self.garment, message, action)


def number(value: object, what: str, place: Place) -> float | None:
    """A finite number, or None with a finding; text that is a number counts as that number, with a finding."""
    if isinstance(value, str):
        try:
            meant = float(value)
        except ValueError:
            place.note("not_a_number", f"{what}: expected a number, got {value[:40]!r}", "left out")
            return None
        if math.isfinite(meant):
            place.note("text_for_number", f"{what}: {value[:40]!r}", "read as the number")
        value = int(meant) if math.isfinite(meant) and meant.is_integer() and "." not in value else meant
    if isinstance(value, bool) or not isinstance(value, int | float):
        place.note("not_a_number", f"{what}: expected a number, got {_short(value)}", "left out")
        return None
    if not math.isfinite(value) or abs(value) > LARGEST:
        place.note("not_a_number", f"{what}: expected a finite number, got {value!r}", "left out")
        return None
    return value


def integer(value: object, what: str, place: Place) -> int | None:
    """A whole number, or None with a finding; absent (None) is None without one."""
    if value is None or (type(value) is int and abs(value) <= LARGEST):
        return value
    found = number(value, what, place)
    if found is None:
        return None
    if found != int(found):
        place.note("bad_field", f"{what}: expected a whole number, got {found!r}", "left out")
        return None
    return int(found)


def text(value: object, what: str, place: Place) -> str | None:
    """A text, or None with a finding; absent (None) is None without one."""
    if value is None or isinstance(value, str):
        return value
    place.note("bad_field", f"{what}: expected text, got {_short(value)}", "left out")
    return None


def numbers(values: list[object], what: str, place: Place) -> list[float] | None:
    """A list of finite numbers, or None with a finding at the first that is none."""
    if _all_fine(values):
        return cast(list[float], values)
    clean: list[float] = []
    for value in values:
        found = number(value, what, place)
        if found is None:
            return None
        clean.append(found)
    return clean


def _all_fine(values: list[object]) -> bool:
    """The fast path: plain numbers only, none too large. The sum tells of NaN, which ``min`` and ``max`` may miss."""
    if not values:
        return True
    if not _NUMERIC.issuperset(map(type, values)):
        return False
    plain = cast(list[float], values)
    total = sum(plain)
    return min(plain) > -LARGEST and max(plain) < LARGEST and total == total


def polygon(value: object, place: Place) -> Polygon | None:
    """One polygon of at least three points, or None with a finding."""
    if not isinstance(value, list):
        place.note("bad_segmentation", f"polygon: expected a list, got {_short(value)}", "polygon left out")
        return None
    if value and all(isinstance(point, list) for point in value):
        place.note("reshaped", "polygon: points as nested pairs", "read as x, y, x, y, ...")
        value = [coordinate for point in value for coordinate in point]
    coordinates = numbers(value, "polygon", place)
    if coordinates is None:
        return None
    if len(coordinates) % 2:
        place.note("odd_coordinates", f"polygon: expected pairs, got {len(coordinates)} numbers", "polygon left out")
        return None
    if len(coordinates) > 2 * MAX_POINTS:
        message = f"polygon: expected at most {MAX_POINTS:,} points, got {len(coordinates) // 2:,}"
        place.note("polygon_too_long", message, "polygon left out")
        return None
    if len(coordinates) < 6:
        place.note("polygon_too_short", f"polygon: expected 3 points, got {len(coordinates) // 2}", "polygon left out")
        return None
    return tuple(coordinates)


def segmentation(value: object, place: Place) -> tuple[Polygon, ...]:
    """Every usable polygon of a garment; an empty one is a finding too."""
    if value is None:
        value = []
    if not isinstance(value, list):
        place.note("bad_segmentation", f"segmentation: expected a list of polygons, got {_short(value)}", "left out")
        return ()
    if value and all(isinstance(part, int | float) and not isinstance(part, bool) for part in value):
        place.note("reshaped", "segmentation: one flat list", "read as one polygon")
        value = [value]
    if not value:
        place.note("empty_segmentation", "segmentation: expected at least one polygon, got none")
    return tuple(found for part in value if (found := polygon(part, place)) is not None)


def box_xyxy(value: object, place: Place) -> BoxFloats | None:
    """x1 <= x2, y1 <= y2, or None with a finding; absent (None) is None without one."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4:
        place.note("bad_box", f"bounding_box: expected 4 numbers, got {_short(value)}", "left out")
        return None
    found = numbers(value, "bounding_box", place)
    if found is None:
        return None
    x1, y1, x2, y2 = found
    if x1 > x2 or y1 > y2:
        place.note("box_reversed", f"bounding_box: {found}", "corners put in order")
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def landmarks(value: object, place: Place) -> Landmarks:
    """x, y, visibility, x, y, ...; () when absent or, with a finding, when they are no triples."""
    if value is None:
        return ()
    if isinstance(value, list) and value and all(isinstance(point, list) for point in value):
        place.note("reshaped", "landmarks: nested triples", "read as x, y, visibility, ...")
        value = [coordinate for point in value for coordinate in point]
    if not isinstance(value, list) or len(value) % 3:
        size = f"{len(value)} numbers" if isinstance(value, list) else _short(value)
        place.note("bad_landmarks", f"landmarks: expected x, y, visibility triples, got {size}", "left out")
        return ()
    found = numbers(value, "landmarks", place)
    return () if found is None else tuple(found)


def size(width: object, height: object, place: Place) -> tuple[int, int]:
    """A picture's width and height in pixels; 0 x 0, unknown, when absent or, with a finding, when no picture's."""
    found = integer(width, "width", place) or 0, integer(height, "height", place) or 0
    if found == (0, 0):
        return found
    if min(found) <= 0 or found[0] * found[1] > MAX_PIXELS:
        place.note("bad_field", f"size: expected 1 to {MAX_PIXELS:,} pixels, got {found[0]} x {found[1]}", "left out")
        return 0, 0
    return found


def garment(
    category_id: int,
    polygons: tuple[Polygon, ...],
    points: object,
    box: object,
    stated: Mapping[str, Any],
    extra: Mapping[str, Any],
    place: Place,
) -> GarmentAnnotation:
    """The garment at ``place`` from its clean ``polygons`` and what a file states: its landmarks' ``points``, its
    ``box``, and in ``stated`` its style and difficulty; of that, values outside 1 to 3 stay, with a finding."""
    marks, corners, style = landmarks(points, place), box_xyxy(box, place), integer(stated.get("style"), "style", place)
    levels: dict[str, int | None] = {}
    for name in DIFFICULTY:
        levels[name] = level = integer(stated.get(name), name, place)
        if level is not None and not 1 <= level <= 3:
            place.note("value_range", f"{name}: expected 1 to 3, got {level}", "kept")
    return GarmentAnnotation(place.garment, category_id, polygons, marks, corners, style, **levels, extra=extra)


def _short(value: object) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return repr(value)[:60]
