"""Signs of a person in a picture of a garment: a figure instead of a garment, hands or hair across one.

No face detector is at hand that needs no weights, so proportions and skin colours decide. They miss people (turned
away, seated) and take some garments for one (long, skin-coloured at the top): docs/crawl.md has the measured figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.garment import Garment
from fittingroom.images import RGB
from fittingroom.masks import Mask, area, bounding_box

_FACE = 0.006
"""Least area of a face, of the figure's."""
_FACES_WITHIN = 0.35
"""Part of a figure's height that its face lies in."""
_SKIN_COLOURED = 0.25
"""A garment with more than this of skin's colours is of that colour itself."""
_INSIDE = 0.7
"""Part of a found garment that must lie in an outline to belong to it."""
_BESIDE = 0.08
"""Least part of a person that is next to the garments."""
_BARE_BESIDE, _BARE_BESIDE_TWO = 0.3, 0.04
"""Least part of that which is skin, next to one garment and next to garments of several parts of the body."""


def skin(image: RGB) -> Mask:
    """Pixels of human skin's colours, light to dark, in ordinary light (YCrCb ranges)."""
    converted = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    return np.asarray(cv2.inRange(converted, (70, 139, 81), (255, 171, 124)) > 0)


def is_figure(image: RGB, mask: Mask) -> bool:
    """Whether what ``mask`` covers is a person, dressed, rather than a garment."""
    box = bounding_box(mask)
    if box is None:
        return False
    figure = mask[box.y1 : box.y2, box.x1 : box.x2]
    bare = skin(image[box.y1 : box.y2, box.x1 : box.x2]) & figure
    height, width = figure.shape
    tall, bare_share = height / width, area(bare) / area(figure)
    if bare_share >= 0.6:
        return False
    top = max(height // 8, 1)
    bare_top = area(bare[:top]) / max(area(figure[:top]), 1)
    head_width = np.count_nonzero(figure[: max(height // 10, 1)].any(axis=0)) / width
    has_head = bare_top > 0.1 and bare_share > 0.02 and head_width < 0.65
    return (tall > 1.4 and has_head) or (tall > 1.2 and _has_face(bare[: max(int(_FACES_WITHIN * height), 4)], figure))


def is_worn(image: RGB, mask: Mask, garments: Sequence[Garment]) -> bool:
    """Whether ``mask``, what stands out in the picture, is a person, given the garments a finder saw in the picture.

    A person is garments with something next to them in the same outline (head, arms, legs) that is partly skin.
    Garments of two parts of the body need less of it: a head with a hat, gloves.
    """
    inside = [garment for garment in garments if area(garment.mask & mask) > _INSIDE * garment.area]
    if not inside:
        return False
    rest = mask & ~np.logical_or.reduce([garment.mask for garment in inside])
    if area(rest) < _BESIDE * area(mask):
        return False
    bare = area(skin(image) & rest) / area(rest)
    return bare > (_BARE_BESIDE_TWO if len({garment.group for garment in inside}) > 1 else _BARE_BESIDE)


def covered_share(image: RGB, mask: Mask, outline: bool = False) -> float:
    """How much skin or hair lies across the garment at ``mask``, of its area, 0 to 1.

    Counted are patches of skin on it and, with ``outline``, what bites into its outline where that is skin or nearly
    black: a segmenter leaves hands and hair out. Without a segmenter what bites into it is the background.
    """
    box = bounding_box(mask)
    if box is None:
        return 0.0
    garment, picture = mask[box.y1 : box.y2, box.x1 : box.x2], image[box.y1 : box.y2, box.x1 : box.x2]
    bare = skin(picture)
    on_it = bare & garment
    if area(on_it) > _SKIN_COLOURED * area(garment):
        return 0.0
    across = _patches(on_it, least=0.01 * area(garment))
    if outline:
        side = max(min(garment.shape) // 6, 3) | 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        bites = (cv2.morphologyEx(garment.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0) & ~garment
        across = across | (bites & (bare | (picture.max(axis=2) < 60)))
    return area(across) / area(garment)


def _has_face(bare: Mask, figure: Mask) -> bool:
    opened = cv2.morphologyEx(bare.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(opened)
    for part in range(1, count):
        width, height, size = (int(value) for value in stats[part, 2:5])
        if 0.4 < width / height < 1.6 and size > 0.45 * width * height and size > _FACE * area(figure):
            return True
    return False


def _patches(mask: Mask, least: float) -> Mask:
    """Connected parts of at least so many pixels."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    large: NDArray[np.bool_] = stats[:count, cv2.CC_STAT_AREA] >= least
    large[0] = False
    return np.asarray(large[labels])
