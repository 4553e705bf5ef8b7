"""The dyes of a garment's cloth: its own colours, without the light that falls on it.

Plain cloth has one dye; a fold is no second colour, and neither a print nor a label is. Patterned cloth has a ground
and one to four figures (stripes, checks, dots), the ground first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.appearance.colours import ciede2000, lab_to_srgb, srgb_to_lab
from fittingroom.errors import InputError, NoGarmentFound
from fittingroom.images import RGB
from fittingroom.masks import Mask, bounding_box
from fittingroom.style_card import Lab

MOST_DYES = 5
SMALLEST_SHARE = 0.04
"""A colour of less of patterned cloth is a label, a button or a seam."""
_SHOWN = 2.0
"""CIEDE2000 by which a screen may miss a colour that is asked for."""
_PLAIN_SIDE, _PATTERN_SIDE = 160, 320
_SAMPLES = 4000
"""Pixels that are counted."""
_CLUSTERS, _ROUNDS = 8, 8
_WEIGHTS = np.array([0.65, 1.0, 1.0])
"""Of L*, a* and b* between colours of one cloth: what the light leaves uneven shows in lightness first."""
_ONE_DYE = 14.0
"""Colours nearer than this, so weighed, are one dye."""
_BLEND = 7.0
"""A colour so near the line between two others is where they meet, unless it has much of the cloth."""
_SAME_CLOTH = 22.0
"""Chroma by which plain cloth may differ from its dye, shadow allowed for: what differs more is a print."""
_EQUAL = 0.8
"""Share of the second dye over the first's from which neither is plainly the ground."""
_IN_SHADE, _ONE_SHADE = (0.4, 0.92), 9.0
"""Lightness of a dye in the shade over its own, and how far its a* and b* may then be from it."""
_IN_LIGHT = (0.55, 1.35)
"""Lightness of plain cloth over that of its dye, in shadow and in light."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Dye:
    """A colour in CIELAB (D65) and its share of the cloth, 0 to 1."""

    lab: Lab
    share: float = 1.0

    @property
    def code(self) -> str:
        """As ``#rrggbb``."""
        return colour_code(self.lab)


def cloth_of(image: RGB, mask: Mask, pattern: str) -> tuple[Dye, ...]:
    """The dyes of the garment at ``mask`` (bool (H, W)) of ``image`` (H, W, 3), the ground first.

    Args:
        pattern: ``solid`` cloth has one dye; any other has two to `MOST_DYES`, or one where no second is to be seen.
            In ``checked`` cloth threads cross: a colour between two others is no dye, however much of it there is.

    Raises:
        NoGarmentFound: the mask is empty.
    """
    plain = pattern == "solid"
    box = bounding_box(mask)
    if box is None:
        raise NoGarmentFound("no cloth to look at: the mask is empty")
    place = np.s_[box.y1 : box.y2, box.x1 : box.x2]
    small, inside = shrunk(image[place], mask[place], _PLAIN_SIDE if plain else _PATTERN_SIDE)
    if plain:
        return (Dye(_lab(_plain_dye(_thinned(srgb_to_lab(small)[inside])))),)
    even = _without_light(small, inside)
    unmixed = _unmixed(even, inside)
    return _patterned_dyes(
        _thinned(even[inside]), _thinned(even[unmixed]), _thinned(small[unmixed]), pattern == "checked"
    )


_LAB = re.compile(r"lab\(\s*([-+.\d]+)%?[\s,]+([-+.\d]+)[\s,]+([-+.\d]+)\s*\)")


def parse_dye(text: str) -> Lab:
    """A colour as people write it: ``#2f6b3a``, a CSS name (``seagreen``), ``rgb(47, 107, 58)`` or ``lab(40 -30 20)``.

    Raises:
        InputError: it is none of these, or a CIELAB colour that a screen cannot show.
    """
    from PIL import ImageColor

    said = text.strip().lower()
    if found := _LAB.fullmatch(said):
        try:
            lightness, a, b = (float(value) for value in found.groups())
        except ValueError:
            raise _no_colour(text) from None
        lab = np.array([lightness, a, b])
        if distance(_lab(srgb_to_lab(lab_to_srgb(lab))), _lab(lab)) > _SHOWN:
            raise InputError(f"colour: expected one that a screen can show, got {text!r}")
        return _lab(lab)
    try:
        rgb = ImageColor.getrgb(said)
    except (ValueError, OverflowError):
        raise _no_colour(text) from None
    if not all(0 <= value <= 255 for value in rgb):  # Pillow takes any percentage
        raise _no_colour(text)
    if rgb[3:] not in ((), (255,)):
        raise InputError(f"colour: expected one that is not transparent, got {text!r}")
    return _lab(srgb_to_lab(np.array(rgb[:3], np.uint8)))


def _no_colour(text: str) -> InputError:
    return InputError(f"colour: expected #rrggbb, a CSS name such as seagreen, or lab(L a b), got {text!r}")


def colour_code(lab: Sequence[float]) -> str:
    """CIELAB as ``#rrggbb``, clipped to what a screen shows."""
    red, green, blue = (round(float(value) * 255) for value in lab_to_srgb(np.asarray(lab, np.float64)))
    return f"#{red:02x}{green:02x}{blue:02x}"


def distance(first: Lab, second: Lab) -> float:
    """CIEDE2000 between two dyes."""
    return round(float(ciede2000(first, second)), 2)


def shrunk(image: RGB, mask: Mask, side: int) -> tuple[RGB, Mask]:
    """A garment's picture at a side of at most ``side``, and the mask there without its rim, which mixes with what lies
    around it and holds the darkest shadows."""
    inside = mask.astype(np.uint8)
    scale = side / max(inside.shape)
    if scale < 1:
        size = (max(round(inside.shape[1] * scale), 1), max(round(inside.shape[0] * scale), 1))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        inside = np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    core = cv2.erode(inside, np.ones((5, 5), np.uint8), borderValue=0)
    return image, (core if np.count_nonzero(core) >= 64 else inside).astype(bool)


def _thinned(values: NDArray[Any]) -> NDArray[Any]:
    return values[:: max(len(values) // _SAMPLES, 1)]


def _plain_dye(lab: Floats) -> Floats:
    """The middle of all that is one cloth in more or less light; a print, being less, is left out."""
    dye = np.median(lab, axis=0)
    for _ in range(4):
        lightness = lab[:, 0] / max(float(dye[0]), 1.0)
        expected = np.minimum(lightness, 1.0)[:, None] * dye[1:]
        off = np.hypot(*(lab[:, 1:] - expected).T)
        room = 6.0 / max(float(dye[0]), 6.0)  # black cloth: a few units are no print
        cloth = (off < _SAME_CLOTH) & (lightness > _IN_LIGHT[0] - room) & (lightness < _IN_LIGHT[1] + room)
        if not cloth.any():
            break
        dye = np.median(lab[cloth], axis=0)
    return dye


def _without_light(image: RGB, inside: Mask) -> Floats:
    """CIELAB (H, W, 3) of each pixel as it would look in the garment's middle light, found over a third of it: patterns
    repeat within, folds and shadows do not."""
    linear = (image.astype(np.float32) / 255) ** 2.2
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722], np.float32) + 0.01
    weight = inside.astype(np.float32)
    side = max(max(inside.shape) // 3, 1)
    coarse = cv2.blur(np.log(luminance) * weight, (side, side)) / np.maximum(cv2.blur(weight, (side, side)), 1e-3)
    light = np.exp(np.clip(np.median(coarse[inside]) - coarse, -0.5, 0.5))
    even = np.clip(linear * light[..., None], 0, 1) ** np.float32(1 / 2.2)
    return np.asarray(cv2.cvtColor(even.astype(np.float32), cv2.COLOR_RGB2LAB), np.float64)


def _unmixed(lab: Floats, inside: Mask) -> Mask:
    """Pixels of ``lab`` (H, W, 3) that are of one dye, (H, W): along the axis on which the cloth varies most they are
    among the highest or lowest of their neighbours. The rest are edges, and the middle of what is too fine to see."""
    values = lab[inside]
    _, _, axes = np.linalg.svd(_thinned(values - values.mean(0)), full_matrices=False)
    along = (lab @ axes[0]).astype(np.float32)
    kernel = np.ones((5, 5), np.uint8)
    high = cv2.dilate(np.where(inside, along, -1e3), kernel)
    low = cv2.erode(np.where(inside, along, 1e3), kernel)
    edge = np.maximum(0.12 * (high - low), 1.0)
    return np.asarray(inside & ((along >= high - edge) | (along <= low + edge)), bool)


def _patterned_dyes(lab: Floats, unmixed: Floats, seen: RGB, crossed: bool) -> tuple[Dye, ...]:
    """Clusters of ``unmixed`` pixels, those of one dye taken together, no blends and labels; shares of ``lab``.

    What tells them apart is their colour in even light; the dye is the middle of them as they were ``seen``.
    """
    points = unmixed * _WEIGHTS
    centres, sizes = _merged(*_clusters(points), _ONE_DYE / 2)
    enough = sizes >= SMALLEST_SHARE * sizes.sum()
    centres, sizes = _merged(centres[enough], sizes[enough], _ONE_DYE)
    own = _nearest(points, centres)
    kept = np.flatnonzero(~_blends(centres, sizes, np.inf if crossed else 0.5))[:MOST_DYES]
    near = _nearest(lab * _WEIGHTS, centres[kept])
    colours = srgb_to_lab(seen)
    dyes = [
        Dye(_lab(np.median(colours[own == number], axis=0)), round(float((near == place).mean()), 4))
        for place, number in enumerate(kept)
        if (own == number).any()
    ]
    return _ground_first(_without_shades(dyes))


def _without_shades(dyes: list[Dye]) -> list[Dye]:
    """Those that are no other, larger dye in the shade, which `_without_light` leaves where light changes within a
    stripe's breadth; two stay in any case: cloth may be of two tones."""
    kept = sorted(dyes, key=lambda dye: -dye.share)
    for place in range(len(kept) - 1, 0, -1):
        owner = next((i for i in range(place) if _shades(kept[place].lab, kept[i].lab)), None)
        if owner is not None and len(kept) > 2:
            kept[owner] = replace(kept[owner], share=round(kept[owner].share + kept.pop(place).share, 4))
    return kept


def _shades(dye: Lab, other: Lab) -> bool:
    light = dye[0] / max(other[0], 1.0)
    return _IN_SHADE[0] < light < _IN_SHADE[1] and math.dist(dye[1:], [light * each for each in other[1:]]) < _ONE_SHADE


def _ground_first(dyes: list[Dye]) -> tuple[Dye, ...]:
    """By share, largest first; of two that share the cloth about equally the more colourful, as people name it."""
    ordered = sorted(dyes, key=lambda dye: -dye.share)
    if len(ordered) > 1 and ordered[1].share > _EQUAL * ordered[0].share:
        ordered[:2] = sorted(ordered[:2], key=lambda dye: -math.hypot(*dye.lab[1:]))
    return tuple(ordered)


def _blends(centres: Floats, sizes: Floats, most: float) -> NDArray[np.bool_]:
    """Which centres lie between two others, no blends themselves, and have less than ``most`` of the smaller."""
    blends = np.zeros(len(centres), bool)
    for place in np.argsort(-sizes, kind="stable") if most > 1 else np.argsort(sizes, kind="stable"):
        others = [number for number in range(len(centres)) if number != place and not blends[number]]
        blends[place] = any(
            between(centres[place], centres[first], centres[second])[1] < _BLEND
            and 0.1 < between(centres[place], centres[first], centres[second])[0] < 0.9
            and sizes[place] < most * min(sizes[first], sizes[second])
            for first, second in combinations(others, 2)
        )
    return blends


def between(point: Floats, start: Floats, end: Floats) -> tuple[float, float]:
    """Where on the way from ``start`` (0) to ``end`` (1) ``point`` is nearest, and how far off it is."""
    along = end - start
    part = float(np.clip((point - start) @ along / max(float(along @ along), 1e-9), 0, 1))
    return part, float(np.linalg.norm(start + part * along - point))


def _merged(centres: Floats, sizes: Floats, apart: float) -> tuple[Floats, Floats]:
    """The two nearest centres taken together, again and again, until all are ``apart`` or two are left."""
    while len(centres) > 2:
        between = np.linalg.norm(centres[:, None] - centres[None], axis=2) + 1e6 * np.eye(len(centres))
        first, second = np.unravel_index(int(between.argmin()), between.shape)
        if between[first, second] > apart:
            break
        both = sizes[first] + sizes[second]
        centres[first] = (centres[first] * sizes[first] + centres[second] * sizes[second]) / both
        sizes[first] = both
        centres, sizes = np.delete(centres, second, 0), np.delete(sizes, second)
    order = np.argsort(-sizes, kind="stable")
    return centres[order], sizes[order]


def _clusters(points: Floats) -> tuple[Floats, Floats]:
    """k-means from equal shares of lightness: centres (K, 3) and sizes (K,), none empty."""
    ordered = points[np.argsort(points[:, 0], kind="stable")]
    centres = np.stack([part.mean(0) for part in np.array_split(ordered, _CLUSTERS) if len(part)])
    for _ in range(_ROUNDS):
        nearest = _nearest(points, centres)
        sizes = np.bincount(nearest, minlength=len(centres)).astype(np.float64)
        sums = np.stack([np.bincount(nearest, points[:, axis], len(centres)) for axis in range(3)], 1)
        centres = (sums / np.maximum(sizes, 1)[:, None])[sizes > 0]
    sizes = np.bincount(_nearest(points, centres), minlength=len(centres)).astype(np.float64)
    return centres[sizes > 0], sizes[sizes > 0]


def _nearest(points: Floats, centres: Floats) -> NDArray[np.int64]:
    squares = (centres**2).sum(1)[None] - 2 * points @ centres.T
    return np.asarray(squares.argmin(1), np.int64)


def _lab(values: Floats) -> Lab:
    lightness, a, b = (round(float(value), 2) for value in values)
    return lightness, a, b
