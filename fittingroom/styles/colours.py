"""Colour as the eye sees it: sRGB to CIELAB and back, and names for colours.

CIELAB here is CIE 1976 L*a*b* under D65 (2 degree observer), sRGB after IEC 61966-2-1. For differences between
colours see `fittingroom.styles.ciede2000`.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fittingroom.styles.ciede2000 import ciede2000

__all__ = ["COLOUR_NAMES", "ColourName", "ciede2000", "colour_name", "lab_to_srgb", "srgb_to_lab"]

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
    """The name, among 12, that most people would give L*a*b* ``lab`` (3,) on a garment in an ordinary photo.

    The borders were set by eye on photos of garments on floors, beds and hangers, whose white balance is what phones
    make of it; they are not those of a colour atlas.
    """
    lightness, a, b = (float(value) for value in np.asarray(lab, np.float64))
    chroma, hue = float(np.hypot(a, b)), float(np.degrees(np.arctan2(b, a)) % 360)
    return _without_hue(lightness, chroma, hue) or _by_hue(lightness, chroma, hue)


def _without_hue(lightness: float, chroma: float, hue: float) -> ColourName | None:
    """Black, white or grey, or None where the colour has a hue.

    Lamps shift greys towards yellow and skylight shifts them towards blue, so they reach further there.
    """
    warm, cool = 30 <= hue <= 105, 230 <= hue <= 300
    if (lightness < 14 and chroma < 14) or (lightness < 19 and chroma < 9) or (lightness < 28 and chroma < 7.5):
        return "black"
    if lightness > 74 and chroma < (9.0 if warm else 8.0):
        return "white"
    if lightness > 66 and chroma < 11.5 and 268 <= hue <= 300:
        return "white"
    if lightness < 30 and warm and hue < 85:
        return None
    limit = 8.5 if warm or cool else 9.5 if 105 < hue < 190 else 7.0
    if chroma >= limit:
        return None
    return "grey" if lightness < 80 else "white"


def _by_hue(lightness: float, chroma: float, hue: float) -> ColourName:
    if hue >= 345 or hue < 42:
        return _reds(lightness, chroma, hue)
    if hue < 105:
        return _browns(lightness, chroma, hue)
    if hue < 212:
        return "yellow" if hue < 112 and lightness > 75 and chroma > 35 else "green"
    if hue < 298 or (hue < 307 and chroma > 60):  # a screen's purest blue lies at 306
        return "blue"
    if hue < 328:
        return "purple"
    return "pink" if lightness > 55 else "purple"


def _reds(lightness: float, chroma: float, hue: float) -> ColourName:
    """Hues 345 to 42: red, and what it turns into when dark, light or pale."""
    if lightness < 26 and chroma < 12:
        return "purple" if hue >= 345 else "brown"
    if hue >= 345:
        return "pink" if lightness > 40 else "purple" if hue < 355 else "red"
    if hue < 12:
        return "pink" if lightness > 43 else "red"
    if hue < 20:
        return "pink" if lightness > 58 or (chroma < 30 and lightness > 42) else "red"
    if lightness > 64:
        return "pink" if hue < 38 or chroma < 30 else "orange"
    if chroma > 55 and hue >= 38 and lightness > 50:
        return "orange"
    if lightness > 52 and chroma < 30:
        return "pink"
    return "red" if chroma > (24 if hue < 38 else 32) else "brown"


def _browns(lightness: float, chroma: float, hue: float) -> ColourName:
    """Hues 42 to 105: orange and yellow when strong, brown when dark, beige when pale."""
    if hue < 68:
        if chroma > 48 and lightness > 45:
            return "orange"
        if hue < 45 and lightness > 52 and chroma < 30:
            return "pink"
        if lightness > 62:
            return "beige" if chroma < 38 else "orange"
        return "brown"
    if hue < 88:
        if lightness > 56 and chroma > 42:
            return "orange" if hue < 74 else "yellow"
        return "beige" if lightness > 58 else "brown"
    if hue >= 95 and chroma > 26 and lightness <= 62:
        return "green"
    if lightness > 58:
        return "yellow" if chroma > (28 if hue >= 95 else 36) else "beige"
    return "brown" if chroma < 30 and hue < 98 else "green"
