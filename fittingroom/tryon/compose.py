"""Blending of a try-on: soft edges, garments one over the other, and the original's fine detail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.errors import SettingError
from fittingroom.garment import Painting
from fittingroom.images import RGB
from fittingroom.masks import Mask

Alpha = NDArray[np.float32]
"""How much of the new garment shows, 0 to 1, (H, W)."""


def spread_colours(image: NDArray[Any], mask: Mask, trust: int = 1) -> NDArray[Any]:
    """Fill everything outside the mask with the colour of the nearest garment pixel.

    Resizing a garment on white mixes white into its edge, which shows as a bright rim on the photo; mixing its own
    colours instead does not. The outermost ``trust`` pixels are mixed with white already and are replaced as well.
    """
    inner = mask
    if trust > 0:
        kernel = np.ones((2 * trust + 1, 2 * trust + 1), np.uint8)
        inner = cv2.erode(mask.astype(np.uint8), kernel, borderValue=0).astype(bool)
        # Thin parts (straps) would vanish whole; they keep their own pixels.
        inner |= mask & ~cv2.dilate(inner.astype(np.uint8), np.ones((4 * trust + 1, 4 * trust + 1), np.uint8)).astype(
            bool
        )
    if not inner.any():
        return image.copy()
    _, labels = cv2.distanceTransformWithLabels(
        (~inner).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(labels.max()) + 1, image.shape[2]), image.dtype)
    colours[labels[inner]] = image[inner]
    return np.asarray(colours[labels])


def mix_at(painting: Painting, mask: Mask, side: int) -> RGB:
    """A painting of the garment at ``mask`` (S, S), mixed at ``side`` pixels and spread around it: (side, side, 3).

    What is chosen is enlarged, not its colours, so that a pattern's edges are as sharp as the photo.
    """
    spread = spread_colours(np.dstack([painting.choice, painting.shading]), mask)
    planes = [cv2.resize(plane, (side, side), interpolation=cv2.INTER_CUBIC) for plane in np.moveaxis(spread, 2, 0)]
    weights, light = np.stack(planes[:-1]), planes[-1]
    np.exp(weights - weights.max(0), out=weights)
    cloth = np.tensordot(weights, painting.palette, (0, 0)) * (light / weights.sum(0))[..., None]
    return np.asarray(np.rint(255 * np.clip(cloth, 0, 1)), np.uint8)


def feather(mask: Mask, width: float, grow: int = 0) -> Alpha:
    """Soft edge of a mask: 1 inside, falling to 0 at its rim over ``width`` pixels, and exactly 0 outside.

    The fall lies inside the (grown) mask, so nothing outside it changes. The photo's border is no rim: a garment
    that runs out of the photo is opaque there.

    Args:
        mask: bool (H, W).
        width: pixels over which alpha rises; 0 (less than a hundredth) gives a hard edge.
        grow: pixels by which the mask is grown first, to cover an old garment's rim.
    """
    if width < 0 or grow < 0:
        raise SettingError("feather", (width, grow), "not negative")
    grown = mask
    if grow:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
        grown = cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
    if width < 0.01:
        return grown.astype(np.float32)
    if grown.all():
        return np.ones(mask.shape, np.float32)
    padded = cv2.copyMakeBorder(grown.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    # The centre of a rim pixel is half a pixel inside.
    alpha = np.clip((distance - 0.5) / width, 0.0, 1.0)
    alpha[~grown] = 0
    return np.asarray(alpha, np.float32)


def blend(photo: RGB, garment: RGB, alpha: Alpha) -> RGB:
    """``alpha * garment + (1 - alpha) * photo``, rounded; where alpha is 0 the photo's own bytes."""
    result = photo.copy()
    touched = alpha > 0
    weight = alpha[touched][:, None]
    mixed = weight * garment[touched].astype(np.float32) + (1 - weight) * photo[touched].astype(np.float32)
    result[touched] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return result


def stack(layers: Sequence[tuple[RGB, Alpha]]) -> tuple[RGB, Alpha]:
    """Garments one over the other as one: blended once, it is what blending each in turn gives (Porter and Duff,
    "Compositing Digital Images", SIGGRAPH 1984)."""
    sheet, alpha = layers[0]
    for above, its_alpha in layers[1:]:
        rest = alpha * (1 - its_alpha)
        total = rest + its_alpha
        weight = np.divide(its_alpha, total, out=np.zeros_like(total), where=total > 0)
        sheet, alpha = blend(sheet, above, weight), total
    return sheet, alpha


def add_detail(translated: RGB, original: RGB, mask: Mask, seen_size: int, strength: float, bold: float = 9.0) -> RGB:
    """Put back the fine lightness detail that the generator never saw because it works at ``seen_size`` pixels.

    Detail is what shrinking the original to ``seen_size`` and growing it again loses: seams, weave, the sharp side of
    folds. Only lightness (CIELAB L*) is touched, and less on darker results (a crease on black shows less than on
    white). The edges of an old print are detail too, but far stronger: what is well over ``bold`` units is dropped, so
    that an old pattern does not come back as outlines.

    Args:
        translated: (S, S, 3), the new garment at the square's own size.
        original: (S, S, 3), the old garment there; outside the mask it may hold anything.
        mask: bool (S, S).
        seen_size: the generator's side; where S is not larger nothing was lost and nothing is added.
        strength: 0 (off) to 1.
        bold: in units of L*; detail of this strength comes back at six tenths, of thrice it not at all.
    """
    side = translated.shape[0]
    if strength <= 0 or side <= seen_size or not mask.any():
        return translated
    old = _lightness(spread_colours(original, mask, trust=0))
    shrunk = cv2.resize(old, (seen_size, seen_size), interpolation=cv2.INTER_AREA)
    seen = cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_CUBIC)
    lost = old - seen
    lab = cv2.cvtColor(translated.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    scale = np.clip((lab[..., 0] + 10) / (old + 10), 0.4, 1.2)
    lab[..., 0] = np.clip(lab[..., 0] + strength * scale * lost * np.exp(-0.5 * (lost / bold) ** 2), 0, 100)
    sharpened = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    return np.where(mask[..., None], np.rint(sharpened * 255), translated).astype(np.uint8)


def _lightness(image: RGB) -> NDArray[np.float32]:
    """CIELAB L*, 0 to 100, (H, W)."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0], np.float32)
