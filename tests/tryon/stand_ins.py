"""Stand-ins for the two models, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fittingroom.appearance.colours import lab_to_srgb
from fittingroom.categories import CATEGORY_IDS
from fittingroom.garment import Garment
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.style_card import Lab


class Finder:
    """Finds a garment wherever the photo is not black."""

    def find(self, image: RGB, score_threshold: float | None = None) -> list[Garment]:
        assert score_threshold is None
        mask = np.zeros(image.shape[:2], bool)
        mask[20:60, 20:50] = True
        return [Garment(CATEGORY_IDS["vest"], 0.9, mask)] if image.any() else []


class Dyer:
    """Paints everything in the first dye, or red."""

    size = 32

    def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
        colour = np.array([200, 30, 40]) if dyes is None else np.rint(lab_to_srgb(np.array(dyes[0])) * 255)
        return np.where(mask[..., None], colour.astype(np.uint8), image_rgb)


class Painter:
    size = 32

    def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
        assert dyes is None
        return np.where(mask[..., None], np.array([200, 30, 40], np.uint8), image_rgb)
