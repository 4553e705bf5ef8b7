"""Pictures of what was found: masks tinted and outlined on the photo."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from fittingroom.boxes import Box, iou_xyxy
from fittingroom.garment import Garment
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.sheets import font

TINTS = ((0, 158, 115), (213, 94, 0), (86, 180, 233), (204, 121, 167), (230, 159, 0), (0, 114, 178))
"""Okabe and Ito's colours: told apart by colour-blind people too."""


def mask_overlay(image: RGB, masks: Sequence[Mask], strength: float = 0.45) -> RGB:
    """The picture, (H, W, 3) uint8, with each mask (H, W) tinted, by ``strength`` from 0 to 1, and outlined."""
    result = image.astype(np.float32)
    thickness = max(round(max(image.shape[:2]) / 300), 1)
    outlines = []
    for index, mask in enumerate(masks):
        tint = TINTS[index % len(TINTS)]
        result[mask] = (1 - strength) * result[mask] + strength * np.array(tint, np.float32)
        contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outlines.append((contours, tint))
    painted = np.ascontiguousarray(result.round().astype(np.uint8))
    for contours, tint in outlines:
        cv2.drawContours(painted, contours, -1, tint, thickness)
    return painted


def garment_overlay(image: RGB, garments: Sequence[Garment], numbers: Sequence[int] = ()) -> RGB:
    """`mask_overlay` with each garment's number (where there are ``numbers``), category and score written on it."""
    painted = Image.fromarray(mask_overlay(image, [garment.mask for garment in garments]))
    draw = ImageDraw.Draw(painted)
    lettering = font(max(round(max(image.shape[:2]) / 40), 11))
    taken: list[Box] = []
    for index, garment in enumerate(garments):
        box = garment.box_xyxy
        text = f"{numbers[index]}: " if numbers else ""
        text += f"{garment.category} {garment.score:.2f}"
        left, top, right, bottom = (round(edge) for edge in draw.textbbox((0, 0), text, font=lettering))
        width, height = right - left + 8, bottom - top + 8
        x = min(max(box.x1, 0), max(painted.width - width, 0))
        y = min(max(box.y1 - height, 0), max(painted.height - height, 0))
        while any(iou_xyxy((x, y, x + width, y + height), other) > 0 for other in taken):
            y += height // 2 + 1  # garments overlap; their labels shall not
        taken.append(Box(x, y, x + width, y + height))
        draw.rectangle(taken[-1], fill=TINTS[index % len(TINTS)])
        draw.text((x + 4 - left, y + 4 - top), text, font=lettering, fill=(255, 255, 255))
    return np.array(painted)
