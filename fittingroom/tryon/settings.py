"""How a try-on looks, and what of the photo is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fittingroom.appearance.repeat import Vector
from fittingroom.fields import CheckedSettings, Range, Share
from fittingroom.framing import MARGIN
from fittingroom.masks import Mask, bounding_box
from fittingroom.style_card import Lab
from fittingroom.tryon.targets import Target


@dataclass(frozen=True)
class TryOnSettings(CheckedSettings):
    """How a try-on looks."""

    size: Annotated[int, Range(16, 4096)] | None = None
    """The generator's side in pixels; None takes the translator's own (256 for one that does not say)."""
    margin: Share = MARGIN
    """White around the garment's box in its square, as a share of the longer side, as in the training pictures."""
    feather: Annotated[float, Range(0, 0.5)] = 0.008
    """Width of the soft edge, as a share of the garment's longer side (at least a pixel; 0 is a hard edge)."""
    grow: Annotated[float, Range(0, 0.1)] = 0.004
    """By how much the mask is grown to cover the old garment's rim, as a share of the longer side."""
    detail: Share = 0.8
    """How much of the original's fine lightness detail (seams, weave, sharp folds) comes back."""
    score_threshold: Share | None = None
    """Least score of a garment on the person photo; None leaves it to the finder."""
    dyes: tuple[Lab, ...] | None = None
    """Colours in CIELAB to paint the style's pattern in, its ground first; None paints in the style's own."""
    cloth: tuple[Lab, ...] = ()
    """Colours in CIELAB of the cloth the result is to look like, its ground first: `TryOnResult.colour` measures it."""
    pattern: str = ""
    """Of the style, for the same."""
    repeat: tuple[Vector, ...] = ()
    """How fine the pattern is to be and which way it runs (`fittingroom.appearance.repeat.Repeat`); empty leaves it to
    the style."""
    garment: str = ""
    """Which garments are changed (`fittingroom.tryon.targets.Target`); empty leaves it to the style's category."""
    person: str = ""
    """Of several people whose; empty is the one who shows most near the middle."""
    strict: bool = False
    """Refuse a garment whose mask is doubtful (`fittingroom.tryon.doubts`) instead of saying so next to the result."""

    def check_together(self) -> None:
        """Refuse a garment or person that means nothing."""
        Target(garment=self.garment, person=self.person)

    def feather_pixels(self, mask: Mask) -> float:
        """The soft edge's width for this garment."""
        return max(self.feather * _longest(mask), 1.0) if self.feather else 0.0

    def grow_pixels(self, mask: Mask) -> int:
        """By how many pixels this garment's mask is grown."""
        return round(self.grow * _longest(mask))


def _longest(mask: Mask) -> int:
    box = bounding_box(mask)
    return max(box.width, box.height) if box else 0
