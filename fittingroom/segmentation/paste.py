"""Examples that no camera took: arms and hair of another photo over garments, and a plain wall behind a person.

Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation", CVPR 2021. Part maps
say what is arm, hair and background.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom import masks
from fittingroom.images import RGB
from fittingroom.segmentation.parts import BODY, OTHER, SKIN, PartMap

LEAST_PIECE = 0.002
"""Pieces of a smaller share of their photo are not pasted."""
MOST_PIECES = 3
SIZES = (0.25, 0.8)
"""A piece's longer side next to the garment's, least and greatest."""
FEATHER = 0.8
"""Standard deviation of the blur of a pasted edge, in pixels."""


def paste_body(
    image: RGB,
    parts: PartMap,
    garments: list[masks.Mask],
    donor: tuple[RGB, PartMap],
    random: np.random.Generator,
) -> tuple[RGB, PartMap, list[masks.Mask]]:
    """The photo with pieces of the donor's skin and hair over its garments; all three as they are afterwards.

    Args:
        image: (H, W, 3) uint8.
        parts: (H, W), of the photo.
        garments: their masks, (H, W).
        donor: another photo and its part map, of any size.
        random: decides which pieces, where and how large.
    """
    pieces = _pieces(*donor)
    boxes = [box for garment in garments if (box := masks.bounding_box(garment)) is not None]
    if not pieces or not boxes:
        return image, parts, garments
    for _ in range(int(random.integers(1, MOST_PIECES + 1))):
        colours, piece, value = pieces[int(random.integers(len(pieces)))]
        box = boxes[int(random.integers(len(boxes)))]
        longer = float(random.uniform(*SIZES)) * max(box.width, box.height)
        angle = float(random.uniform(-180, 180) if value == SKIN else random.uniform(-40, 40))
        scale = longer / max(piece.shape)
        matrix = cv2.getRotationMatrix2D(((piece.shape[1] - 1) / 2, (piece.shape[0] - 1) / 2), angle, scale)
        middle = (random.uniform(box.x1, box.x2), random.uniform(box.y1, box.y2))
        matrix[:, 2] += np.array(middle) - ((piece.shape[1] - 1) / 2, (piece.shape[0] - 1) / 2)
        size = (image.shape[1], image.shape[0])
        alpha = cv2.warpAffine(piece.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
        inside = alpha >= 0.5
        image = _mixed(image, np.asarray(cv2.warpAffine(colours, matrix, size), np.uint8), inside)
        parts = np.where(inside, np.uint8(value), parts)
        garments = [garment & ~inside for garment in garments]
    return image, parts, garments


def wall_behind(image: RGB, parts: PartMap, random: np.random.Generator) -> RGB:
    """The photo, (H, W, 3) uint8, with what its part map (H, W) calls `OTHER` painted as a plain wall: mostly light,
    with a fall of light.
    """
    background = parts == OTHER
    light = float(random.uniform(120, 255))
    tint = random.uniform(-12, 12, 3) if random.random() < 0.7 else random.uniform(-90, 20, 3)
    across = np.linspace(-1, 1, image.shape[1])[None, :] * random.uniform(-25, 25)
    down = np.linspace(-1, 1, image.shape[0])[:, None] * random.uniform(-25, 25)
    wall = light + tint + (across + down)[:, :, None] + random.normal(0, 2, image.shape)
    return _mixed(image, np.clip(wall, 0, 255).astype(np.uint8), background)


def _pieces(image: RGB, parts: PartMap) -> list[tuple[RGB, masks.Mask, int]]:
    """Connected pieces of skin and of hair: colours and mask of their box, and which of the two."""
    found = []
    for value in BODY:
        _, labels, stats, _ = cv2.connectedComponentsWithStats((parts == value).astype(np.uint8))
        for number, (x, y, width, height, area) in enumerate(stats):
            if number and area >= LEAST_PIECE * parts.size:
                inside = np.s_[y : y + height, x : x + width]
                found.append((image[inside], labels[inside] == number, value))
    return found


def _mixed(image: RGB, other: RGB, where: NDArray[np.bool_]) -> RGB:
    """``other`` where the mask is, with a soft edge."""
    alpha = cv2.GaussianBlur(where.astype(np.float32), (0, 0), FEATHER)[:, :, None]
    return np.asarray(np.round(image + alpha * (other.astype(np.float32) - image)), np.uint8)
