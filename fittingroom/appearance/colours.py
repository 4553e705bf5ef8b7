"""Colour as the eye sees it: sRGB to CIELAB and back, and names for colours.

CIELAB here is CIE 1976 L*a*b* under D65 (2 degree observer), sRGB after IEC 61966-2-1. For differences between
colours see `fittingroom.appearance.ciede2000`.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fittingroom.appearance.ciede2000 import ciede2000

__all__ = ["COLOUR_NAMES", "ColourName", "ciede2000", "colour_name", "colour_names", "lab_to_srgb", "srgb_to_lab"]

Floats = NDArray[np.float64]

ColourName = Literal[
    "black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "beige"
]
COLOUR_NAMES: tuple[ColourName, ...] = get_args(ColourName)

_WHITE_D65 = np.array([0.95047, 1.0, 1.08883])
_RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_XYZ_TO_RGB = np.linalg.inv(_RGB_TO_XYZ)
_DELTA = 6 / 29


def srgb_to_lab(rgb: NDArray[Any]) -> Floats:
    """(..., 3) sRGB, uint8 0 to 255 or float 0 to 1, to L* (0 to 100), a*, b*."""
    values = np.asarray(rgb, np.float64)
    if np.asarray(rgb).dtype == np.uint8:
        values = values / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0.04045) + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _RGB_TO_XYZ.T / _WHITE_D65
    f = np.where(ratio > _DELTA**3, np.cbrt(ratio), ratio / (3 * _DELTA**2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_srgb(lab: NDArray[Any]) -> Floats:
    """(..., 3) L*, a*, b* to sRGB 0 to 1; colours that a screen cannot show are clipped."""
    lab = np.asarray(lab, np.float64)
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > _DELTA, f**3, 3 * _DELTA**2 * (f - 4 / 29)) * _WHITE_D65
    linear = np.clip(xyz @ _XYZ_TO_RGB.T, 0, 1)
    return np.asarray(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def colour_name(lab: ArrayLike) -> ColourName:
    """`colour_names` of one colour, L*a*b* ``lab`` (3,)."""
    name: ColourName = colour_names(np.asarray(lab, np.float64)[None])[0].item()
    return name


def colour_names(lab: ArrayLike) -> NDArray[np.str_]:
    """The name, among 12, that most people would give each L*a*b* of ``lab`` (N, 3) on a garment in an ordinary photo.

    The borders were set by eye on photos of garments on floors, beds and hangers, whose white balance is what phones
    make of it; they are not those of a colour atlas.
    """
    values = np.asarray(lab, np.float64)
    lightness, chroma = values[:, 0], np.hypot(values[:, 1], values[:, 2])
    hue = np.degrees(np.arctan2(values[:, 2], values[:, 1])) % 360
    rules = [*_without_hue(lightness, chroma, hue), *_reds(lightness, chroma, hue), *_browns(lightness, chroma, hue)]
    rules += [
        ((hue < 112) & (lightness > 75) & ((chroma > 35) | _light_yellow(lightness, chroma, hue)), "yellow"),
        ((hue < 112) & (lightness > 75) & (chroma < 16), "beige"),
        (hue < 212, "green"),
        # A screen's purest blue lies at 306, and its shades with it.
        ((hue < 298) | ((hue < 307) & (chroma > np.where(lightness < 25, 25, 60))), "blue"),
        (hue < 328, "purple"),
        (lightness > 55, "pink"),
    ]
    # Of each pixel the first rule that holds.
    return np.select([holds for holds, _ in rules], [name for _, name in rules], "purple")


Rules = list[tuple[NDArray[np.bool_], str]]
"""Which of N colours a rule holds for, and the name it gives them; a later rule is for those no earlier one took."""


def _without_hue(lightness: Floats, chroma: Floats, hue: Floats) -> Rules:
    """Black, white or grey; the colours with a hue are left to the others.

    Lamps shift greys towards yellow and skylight shifts them towards blue, so they reach further there.
    """
    warm, cool = (hue >= 30) & (hue <= 105), (hue >= 230) & (hue <= 300)
    limit = np.where(warm | cool, 8.5, np.where((hue > 105) & (hue < 190), 9.5, 7.0))
    grey = ~((lightness < 30) & warm & (hue < 85)) & (chroma < limit)
    dark = [
        (lightness < 14) & (chroma < np.where((hue > 105) & (hue <= 300) & (lightness > 5), 9.5, 14)),
        (lightness < 19) & (chroma < 9),
        (lightness < 28) & (chroma < 7.5),
    ]
    return [
        (np.logical_or.reduce(dark), "black"),
        ((lightness > 74) & (chroma < np.where(warm, 9.0, 8.0)), "white"),
        ((lightness > 66) & (chroma < 11.5) & (hue >= 268) & (hue <= 300), "white"),
        (grey & (lightness < 80), "grey"),
        (grey, "white"),
    ]


def _reds(lightness: Floats, chroma: Floats, hue: Floats) -> Rules:
    """Hues 345 to 42: red, and what it turns into when dark, light or pale."""
    left, right = hue >= 345, hue < 42
    dull = (lightness < 26) & (chroma < 12)
    return [
        (left & dull, "purple"),
        (right & dull, "brown"),
        (right & (hue < 34) & (lightness < 32) & (chroma > 0.6 * lightness), "red"),
        (left & (lightness > 40), "pink"),
        (left & (hue < 355), "purple"),
        (left, "red"),
        ((hue < 12) & (lightness > 43), "pink"),
        (hue < 12, "red"),
        ((hue < 20) & ((lightness > 58) | ((chroma < 30) & (lightness > 42))), "pink"),
        (hue < 20, "red"),
        (right & (lightness > 64) & ((hue < 38) | (chroma < 30)), "pink"),
        (right & (lightness > 64), "orange"),
        (right & (chroma > 55) & (hue >= 38) & (lightness > 50), "orange"),
        (right & (lightness > 52) & (chroma < 30), "pink"),
        (right & (chroma > np.where(hue < 38, 24, 32)), "red"),
        (right, "brown"),
    ]


def _browns(lightness: Floats, chroma: Floats, hue: Floats) -> Rules:
    """Hues 42 to 105: orange and yellow when strong, brown when dark, beige when pale."""
    warm, middle, cool = hue < 68, hue < 88, hue < 105
    return [
        (warm & (chroma > 48) & (lightness > 45), "orange"),
        (warm & (hue < 45) & (lightness > 52) & (chroma < 30), "pink"),
        (warm & (lightness > 62) & (chroma < 38), "beige"),
        (warm & (lightness > 62), "orange"),
        (warm, "brown"),
        (middle & (lightness > 56) & (chroma > 42) & (hue < 74), "orange"),
        (middle & (lightness > 56) & (chroma > 42), "yellow"),
        (middle & (lightness > 58), "beige"),
        (middle, "brown"),
        (cool & (hue >= 95) & (chroma > 26) & (lightness <= 62), "green"),
        (cool & (lightness > 58) & (chroma > np.where(hue >= 95, 28, 36)), "yellow"),
        (cool & (lightness > 70) & _light_yellow(lightness, chroma, hue), "yellow"),
        (cool & (lightness > 58), "beige"),
        (cool & (hue >= 90) & (chroma > 16) & (chroma > 0.38 * lightness), "green"),  # khaki and olive
        (cool & (chroma < 30) & (hue < 98), "brown"),
        (cool, "green"),
    ]


def _light_yellow(lightness: Floats, chroma: Floats, hue: Floats) -> NDArray[np.bool_]:
    """Of hues 88 to 112: lighter than yellow and no cream; the nearer to green, the less chroma it takes."""
    return np.asarray(chroma > np.maximum(36 - 1.2 * (hue - 88), 14) * np.minimum(lightness / 92, 1), bool)
