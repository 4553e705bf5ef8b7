"""A garment found in a picture, one painted for it, and the one thing a stage needs of whatever finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fittingroom.boxes import Box
from fittingroom.categories import CATEGORY_NAMES, Group, group_of
from fittingroom.images import RGB
from fittingroom.masks import Mask, area, bounding_box


@dataclass(frozen=True, eq=False)
class Garment:
    """One instance: its category (1 to 13), score (0 to 1) and mask, bool (H, W) of the whole picture."""

    category_id: int
    score: float
    mask: Mask

    @property
    def category(self) -> str:
        """The category's name."""
        return CATEGORY_NAMES[self.category_id]

    @property
    def group(self) -> Group:
        """Which part of the body it covers."""
        return group_of(self.category_id)

    @property
    def box_xyxy(self) -> Box:
        """The mask's own bounding box in pixels (not the detector's); an empty mask gives an empty box."""
        return bounding_box(self.mask) or Box(0, 0, 0, 0)

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return area(self.mask)


class GarmentFinder(Protocol):
    """Anything that finds garments: the segmenter, or a stand-in in a test."""

    def find(self, image: RGB, score_threshold: float | None = None) -> list[Garment]:
        """Garments in ``image`` (H, W, 3), best score first; empty masks are left out."""
        ...


@dataclass(frozen=True, eq=False)
class Painting:
    """A garment in a style with a palette, not mixed yet.

    Attributes:
        choice: (S, S, P), how strongly each slot is chosen, before the softmax.
        shading: (S, S), the light and shadow that the cloth is multiplied by.
        palette: (P, 3), sRGB 0..1.
    """

    choice: NDArray[np.float32]
    shading: NDArray[np.float32]
    palette: NDArray[np.float32]
