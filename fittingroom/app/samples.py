"""What a style looks like before anybody tries it on: one garment of grey cloth, painted by the style's own weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fittingroom.appearance.choose import AvailableStyle
from fittingroom.categories import CATEGORY_IDS
from fittingroom.images import RGB, encode_png
from fittingroom.masks import Mask
from fittingroom.sample.canvas import Canvas, Light
from fittingroom.sample.fabrics import Fabric
from fittingroom.sample.scenes import lay_flat
from fittingroom.tryon.steps import GarmentTranslator

_SEED = 1
_USUAL = CATEGORY_IDS["short sleeve top"]
_GREY = Fabric("solid", (0.62, 0.62, 0.62), weave=0.01)


@dataclass(frozen=True)
class Sample:
    """A picture of a style, and of which of its versions."""

    version: int | None
    png: bytes


def paint_sample(style: AvailableStyle, version: int | None, translator: GarmentTranslator) -> Sample:
    """A garment of the style's category in the style, on white."""
    garment, mask = _garment(CATEGORY_IDS.get(style.category, _USUAL), int(getattr(translator, "size", 256)))
    return Sample(version, encode_png(translator.translate(garment, mask)))


def _garment(category: int, size: int) -> tuple[RGB, Mask]:
    """A rendered one on white, (size, size, 3), and its mask."""
    canvas = Canvas(np.ones((size, size, 3), np.float32), Light())
    lay_flat(canvas, np.random.default_rng(_SEED), category, _GREY, fill=0.84)
    mask = canvas.owners == 1
    return np.where(mask[..., None], canvas.pixels(), np.uint8(255)), mask
