"""Says what a garment looks like: its colour by name, its dominant colours and its pattern."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.appearance.cloth import shrunk
from fittingroom.appearance.colours import ColourName, colour_name, colour_names, srgb_to_lab
from fittingroom.appearance.patterns import pattern_of
from fittingroom.errors import NoGarmentFound
from fittingroom.images import RGB
from fittingroom.masks import Mask, bounding_box
from fittingroom.style_card import Pattern

__all__ = ["StyleDescription", "colour_name", "describe_garment"]

_SIDE = 160
_SAMPLES = 1200
"""Pixels whose colours are named."""
_WHITE_SHARE, _BLACK_SHARE = 0.3, 0.25
"""A pattern mostly grey, with so much white or black, is white in the shade or black in the light: borders set on the
``tune`` split of benchmarks/describe_judged.csv."""


@dataclass(frozen=True)
class StyleDescription:
    """What a garment looks like.

    ``colour``: the name of its main colour; ``lab``: that colour in CIELAB (D65); ``confidence``: of the pattern, 0 to
    1; ``colours``: names and their shares of the garment's pixels, largest first, summing to 1. A solid garment's
    shadows count under their own names there.
    """

    colour: ColourName
    lab: tuple[float, float, float]
    pattern: Pattern
    confidence: float
    colours: list[tuple[ColourName, float]]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def describe_garment(image_rgb: RGB, mask: Mask) -> StyleDescription:
    """Describe the garment at ``mask`` (bool (H, W)) of ``image_rgb`` (H, W, 3).

    Raises:
        NoGarmentFound: the mask is empty.
    """
    image, inside = _cropped(image_rgb, mask)
    pattern, confidence = pattern_of(image, inside)
    lab, names = _named_pixels(image, inside)
    colours = _shares(names)
    if pattern == "solid":
        # Folds of one cloth wear several names; the middle one is its own.
        middle = np.median(lab, axis=0)
        colour = colour_name(middle)
    else:
        colour = _main_colour(colours)
        middle = np.median(lab[names == colour], axis=0)
    lightness, a, b = (round(float(value), 2) for value in middle)
    return StyleDescription(colour, (lightness, a, b), pattern, confidence, colours)


def _main_colour(shares: list[tuple[ColourName, float]]) -> ColourName:
    """What a person names a patterned garment after: the largest share, unless that is grey between white and black."""
    main = shares[0][0]
    if main != "grey":
        return main
    share = dict(shares)
    white, black = share.get("white", 0.0), share.get("black", 0.0)
    if white >= _WHITE_SHARE and white >= black:
        return "white"
    return "black" if black >= _BLACK_SHARE else main


def colour_shares(image_rgb: RGB, mask: Mask) -> list[tuple[ColourName, float]]:
    """The colours of the garment at ``mask`` (bool (H, W)), as in `StyleDescription.colours`, without its pattern.

    Raises:
        NoGarmentFound: the mask is empty.
    """
    return _shares(_named_pixels(*_cropped(image_rgb, mask))[1])


def _cropped(image_rgb: RGB, mask: Mask) -> tuple[RGB, Mask]:
    if mask.shape != image_rgb.shape[:2]:
        raise ValueError(f"mask: expected shape {image_rgb.shape[:2]}, got {mask.shape}")
    box = bounding_box(mask)
    if box is None:
        raise NoGarmentFound("no garment to describe: the mask is empty")
    return image_rgb[box.y1 : box.y2, box.x1 : box.x2], mask[box.y1 : box.y2, box.x1 : box.x2]


def _named_pixels(image: RGB, inside: Mask) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """L*a*b* (N, 3) of up to some `_SAMPLES` pixels of the garment, and their names."""
    image, core = shrunk(image, inside, _SIDE)
    pixels = image[core]
    lab = srgb_to_lab(pixels[:: max(len(pixels) // _SAMPLES, 1)])
    return lab, colour_names(lab)


def _shares(names: NDArray[np.str_]) -> list[tuple[ColourName, float]]:
    found, counts = np.unique(names, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(found[i].item(), round(float(counts[i] / len(names)), 4)) for i in order]
