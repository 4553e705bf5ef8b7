"""One region of VIA: its shape as a polygon, and which of its attributes says what the garment is.

Shapes are those people draw by hand, and rectangles, circles and ellipses. A class is text, a dropdown's or radio's
option (whose id may be a number that has nothing to do with ours), or a checkbox; it stands in ``category``, ``class``
or whatever the project calls it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fittingroom.annotations import fields, identity
from fittingroom.annotations.fields import Place
from fittingroom.annotations.model import Polygon

CATEGORY_ATTRIBUTES = ("category", "category_name", "category_id", "class", "name", "label", "type")
GARMENT = "garment"
"""Regions that share this attribute are one garment."""
Options = Mapping[str, Mapping[str, str]]
"""For each attribute its options' labels by id."""
_CORNERS = 64
"""Points of the outline of a circle or an ellipse: its area is 0.2 % short."""
_ROUND = {"circle": ("cx", "cy", "r", "r"), "ellipse": ("cx", "cy", "rx", "ry")}


def options_of(project: Mapping[str, Any]) -> Options:
    """The options that a project's ``_via_attributes`` defines for regions."""
    defined = project.get("_via_attributes")
    region = defined.get("region") if isinstance(defined, dict) else None
    found: dict[str, Mapping[str, str]] = {}
    for name, row in region.items() if isinstance(region, dict) else ():
        options = row.get("options") if isinstance(row, dict) else None
        if isinstance(options, dict):
            found[name] = {str(key): text for key, text in options.items() if isinstance(text, str) and text.strip()}
    return found


def texts(name: str, value: object, options: Options) -> list[str]:
    """What an attribute says: its text, the label of its option, or what is ticked of a checkbox."""
    if isinstance(value, dict):
        chosen = [key for key, ticked in value.items() if ticked and str(ticked).lower() not in ("false", "0")]
    elif isinstance(value, list):
        chosen = [part for part in value if isinstance(part, str)]
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        chosen = [str(value)]
    else:
        return []
    labels = options.get(name) or {}
    if labels and len(chosen) == 1 and "," in chosen[0] and chosen[0] not in labels:
        chosen = chosen[0].split(",")  # VIA 3's checkboxes
    return [labels.get(text.strip(), text) for text in chosen if text.strip()]


def spelt(name: str, value: object, options: Options) -> str | None:
    """The one of the 13 categories that an attribute names, as it is spelt there; None for none or several."""
    known = [text for text in texts(name, value, options) if identity.category_by_name(text) is not None]
    return known[0] if len({identity.category_by_name(text) for text in known}) == 1 else None


def groups_by(attributes: Mapping[str, Any], options: Options) -> str | None:
    """The value of ``garment`` that puts regions together; None where there is none, or it is the class itself."""
    name = attributes.get(GARMENT)
    if not isinstance(name, str) or not name.strip():
        return None
    others = (key for key in attributes if key != GARMENT)
    if spelt(GARMENT, name, options) and not any(spelt(key, attributes[key], options) for key in others):
        return None
    return name.strip()


def category(
    attributes: Mapping[str, Any], of_file: Mapping[str, Any], known: Mapping[str, Any], options: Options, place: Place
) -> tuple[int | None, str]:
    """A garment's category and the attribute that says it, or None with a finding that names what was seen.

    ``known`` is what our own file keeps of the garment; ``of_file`` are the picture's attributes, asked last.
    """
    ordered = sorted((name for name in attributes if name != GARMENT), key=_order)
    for name in [*ordered, GARMENT]:
        text = spelt(name, attributes.get(name), options)
        if text is not None:
            return identity.category(None, text, place, trust_name=True), name
    stated = [
        name for name in ordered if _order(name) < len(CATEGORY_ATTRIBUTES) and attributes[name] not in ("", None)
    ]
    for name in stated:
        text = str(attributes[name]).strip()
        if text.isdecimal() and not options.get(name):
            return identity.category(attributes[name], None, place), name
    if not stated and known:
        return identity.category(known.get("category_id"), known.get("category_name"), place), ""
    for name, value in of_file.items():
        text = spelt(name, value, {}) if not stated else None
        if text is not None:
            return identity.category(None, text, place, trust_name=True), ""
    seen = ", ".join(f"{name}={'+'.join(texts(name, value, options))[:40]!r}" for name, value in attributes.items())
    message = f"no attribute names one of the 13 categories; seen: {seen or 'none'}"
    place.note("unknown_category", message, "garment left out")
    return None, ""


def _order(name: str) -> int:
    lower = name.strip().lower()
    return CATEGORY_ATTRIBUTES.index(lower) if lower in CATEGORY_ATTRIBUTES else len(CATEGORY_ATTRIBUTES)


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
