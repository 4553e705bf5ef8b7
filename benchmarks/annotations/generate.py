"""Makes DeepFashion2 folders of any size whose files look like real ones to a program that reads them.

What is drawn follows tables of counts and quantiles, taken from 835 real street photos annotated in this layout
(Clothing Co-Parsing): garments a picture, polygons a garment, points a polygon, sizes of boxes and pictures. Landmarks
have each category's own number. Coordinates are written in the three ways that are seen: ``12``, ``12.0``, ``12.25``.
"""

from __future__ import annotations

import io
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fittingroom.categories import CATEGORY_NAMES, LANDMARK_COUNTS

GARMENTS = {1: 122, 2: 455, 3: 239, 4: 19}
POLYGONS = {1: 1254, 2: 408, 3: 125, 4: 30, 5: 6, 6: 2}
CATEGORIES = {1: 121, 2: 438, 4: 374, 5: 51, 7: 52, 8: 419, 9: 142, 10: 228}
# Quantiles from 0 to 1, evenly spaced; values between them are drawn evenly.
LARGEST_POLYGON_POINTS = (6, 40, 53, 63, 73, 82, 93, 103, 115, 136, 220)
FURTHER_POLYGON_POINTS = (6, 12, 16, 20, 25, 31, 39, 49, 58, 71, 150)
BOX_WIDTHS = (20, 93, 136, 152, 165, 179, 193, 209, 224, 244, 420)
BOX_HEIGHTS = (30, 160, 196, 230, 259, 283, 311, 340, 375, 424, 640)
PICTURE_HEIGHTS = (790, 817, 820, 823, 825, 827, 830, 832, 837, 842, 860)
PICTURE_WIDTH = 550
WRITTEN = ("whole", "point zero", "point zero", "decimals")


def make(folder: Path, count: int, seed: int = 0) -> None:
    """Write ``count`` pictures and their annotations; pictures are plain JPEGs, as only their headers are read."""
    dice = random.Random(seed)
    for name in ("image", "annos"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    jpegs: dict[int, bytes] = {}
    for number in range(1, count + 1):
        height = _drawn(PICTURE_HEIGHTS, dice)
        if height not in jpegs:
            jpegs[height] = _jpeg(PICTURE_WIDTH, height)
        (folder / "image" / f"{number:06d}.jpg").write_bytes(jpegs[height])
        (folder / "annos" / f"{number:06d}.json").write_text(json.dumps(_picture(number, height, dice)))


def _picture(number: int, height: int, dice: random.Random) -> dict[str, Any]:
    value: dict[str, Any] = {"source": dice.choice(("user", "shop")), "pair_id": (number + 2) // 3}
    written = dice.choice(WRITTEN)
    for item in range(1, _weighted(GARMENTS, dice) + 1):
        value[f"item{item}"] = _garment(height, written, dice)
    return value


def _garment(height: int, written: str, dice: random.Random) -> dict[str, Any]:
    category = _weighted(CATEGORIES, dice)
    w, h = min(_drawn(BOX_WIDTHS, dice), PICTURE_WIDTH - 2), min(_drawn(BOX_HEIGHTS, dice), height - 2)
    x, y = dice.uniform(0, PICTURE_WIDTH - w - 1), dice.uniform(0, height - h - 1)
    polygons = [_polygon(x, y, w, h, _drawn(LARGEST_POLYGON_POINTS, dice), written, dice)]
    for _ in range(_weighted(POLYGONS, dice) - 1):
        part_w, part_h = max(w * dice.uniform(0.1, 0.5), 6), max(h * dice.uniform(0.1, 0.4), 6)
        left, top = x + dice.uniform(0, max(w - part_w, 0)), y + dice.uniform(0, max(h - part_h, 0))
        points = _drawn(FURTHER_POLYGON_POINTS, dice)
        polygons.append(_polygon(left, top, part_w, part_h, points, written, dice))
    xs = [value for polygon in polygons for value in polygon[0::2]]
    ys = [value for polygon in polygons for value in polygon[1::2]]
    landmarks = []
    for _ in range(LANDMARK_COUNTS[category]):
        seen = dice.choice((0, 1, 2, 2, 2))
        landmarks += [round(dice.uniform(x, x + w)), round(dice.uniform(y, y + h)), seen] if seen else [0, 0, 0]
    return {
        "segmentation": polygons,
        "scale": dice.randint(1, 3),
        "viewpoint": dice.choice((2, 2, 2, 1, 3)),
        "zoom_in": dice.randint(1, 3),
        "landmarks": landmarks,
        "style": dice.choice((0, 0, 1, 2)),
        "bounding_box": [int(min(xs)), int(min(ys)), math.ceil(max(xs)), math.ceil(max(ys))],
        "category_id": category,
        "occlusion": dice.randint(1, 3),
        "category_name": CATEGORY_NAMES[category],
    }


def _polygon(x: float, y: float, w: float, h: float, count: int, written: str, dice: random.Random) -> list[float]:
    """An outline of ``count`` points that fills its box like a garment: long straight sides, a ragged edge."""
    angles = np.sort(np.array([dice.random() for _ in range(count)])) * 2 * math.pi
    waves = sum(dice.uniform(0, 0.12) * np.sin(k * angles + dice.uniform(0, 6)) for k in (3, 5, 9))
    # The exponent makes a rounded rectangle of the circle.
    ragged = 1 - 0.15 * np.array([dice.random() for _ in range(count)])
    radius = (np.abs(np.cos(angles)) ** 3 + np.abs(np.sin(angles)) ** 3) ** (-1 / 3) * (1 + waves) * ragged
    px, py = radius * np.cos(angles), radius * np.sin(angles)
    px, py = (axis - axis.min() for axis in (px, py))
    points = np.stack((x + px / max(px.max(), 1e-6) * w, y + py / max(py.max(), 1e-6) * h), axis=1).ravel()
    if written == "decimals":
        return [round(value, 2) for value in points.tolist()]
    whole = np.rint(points)
    return whole.astype(int).tolist() if written == "whole" else whole.tolist()


def _jpeg(width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height), (200, 190, 180)).save(target, "JPEG", quality=75)
    return target.getvalue()


def _weighted(table: dict[int, int], dice: random.Random) -> int:
    return dice.choices(list(table), list(table.values()))[0]


def _drawn(quantiles: tuple[int, ...], dice: random.Random) -> int:
    spot = dice.random() * (len(quantiles) - 1)
    low = int(spot)
    return round(quantiles[low] + (quantiles[low + 1] - quantiles[low]) * (spot - low))
