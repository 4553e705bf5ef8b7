"""Names the pattern of a garment."""

from __future__ import annotations

from typing import Literal, get_args

from fittingroom.images import RGB
from fittingroom.masks import Mask

PatternName = Literal["solid", "striped", "checked", "dotted", "floral", "graphic"]
PATTERN_NAMES: tuple[PatternName, ...] = get_args(PatternName)


def pattern_of(image: RGB, mask: Mask) -> tuple[PatternName, float]:
    """Pattern and confidence (0 to 1) of the garment at ``mask``."""
    return "solid", 0.5
