"""Pictures of what was found: masks tinted and outlined on the photo, several photos on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from fittingroom.garment import Garment
from fittingroom.images import RGB, resize

_TINTS = ((230, 60, 60), (60, 120, 240), (50, 180, 80), (240, 180, 40), (170, 80, 220), (40, 190, 200))


def draw_garments(image: RGB, garments: Sequence[Garment], labels: bool = True) -> RGB:
    """``image`` (H, W, 3) with each garment tinted and outlined, and its category and score (percent) written on it."""
    picture = image.astype(np.float32)
    for garment, tint in zip(garments, _repeated(len(garments)), strict=True):
        picture[garment.mask] = 0.55 * picture[garment.mask] + 0.45 * np.array(tint, np.float32)
    drawn = np.ascontiguousarray(picture.round().astype(np.uint8))
    for garment, tint in zip(garments, _repeated(len(garments)), strict=True):
        outlines, _ = cv2.findContours(garment.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, tint, max(round(min(image.shape[:2]) / 200), 1))
    if labels:
        for garment in garments:
            _write(drawn, f"{garment.category} {garment.score:.0%}", garment.box_xyxy.x1, garment.box_xyxy.y1)
    return drawn


def sheet(pictures: Sequence[RGB], columns: int = 6, height: int = 320) -> RGB:
    """Pictures side by side on white, each ``height`` pixels high, ``columns`` a row; (H, W, 3)."""
    sized = [resize(p, max(round(p.shape[1] * height / p.shape[0]), 1), height) for p in pictures]
    rows = [sized[i : i + columns] for i in range(0, len(sized), columns)]
    gap = 8
    width = max((sum(p.shape[1] + gap for p in row) + gap for row in rows), default=gap)
    canvas = np.full((len(rows) * (height + gap) + gap, width, 3), 255, np.uint8)
    for number, row in enumerate(rows):
        x, y = gap, gap + number * (height + gap)
        for picture in row:
            canvas[y : y + height, x : x + picture.shape[1]] = picture
            x += picture.shape[1] + gap
    return canvas


def _repeated(count: int) -> list[tuple[int, int, int]]:
    return [_TINTS[i % len(_TINTS)] for i in range(count)]


def _write(image: RGB, text: str, x: int, y: int) -> None:
    scale = max(min(image.shape[:2]) / 700, 0.3)
    place = (max(x, 2), min(max(y + round(16 * scale), round(16 * scale)), image.shape[0] - 2))
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)
