"""The ten steps of one try-on as one picture, for whoever wonders why a result looks as it does."""

from __future__ import annotations

import numpy as np

from fittingroom.images import RGB, flatten_on_white
from fittingroom.segmentation.overlay import garment_overlay, mask_overlay
from fittingroom.sheets import side_by_side
from fittingroom.tryon.photo import Photo
from fittingroom.tryon.steps import TryOnResult

HEIGHT = 480


def explanation(photo: Photo, result: TryOnResult, style_picture: RGB | None = None) -> RGB:
    """Steps 1 to 10 in two rows, (H, W, 3).

    Above: the style's picture where there was one, the photo, every garment found with its number, and the masks of
    those that were changed. Below, for the first of them: the square that the generator saw and what it painted; then
    the new garments at the photo's size, how much of them shows (white: wholly), and the result.
    """
    seen = flatten_on_white(photo.srgb) if photo.srgb.shape[2] == 4 else photo.srgb
    image = flatten_on_white(result.image) if result.image.shape[2] == 4 else result.image
    numbers = [each.number for each in result.found]
    first = result.changed[0]
    alpha = np.repeat(np.rint(result.alpha * 255).astype(np.uint8)[..., None], 3, axis=2)
    above = [
        *([("1-2  the style's picture", style_picture)] if style_picture is not None else []),
        ("the photo", seen),
        ("3  garments found", garment_overlay(seen, [each.garment for each in result.found], numbers)),
        ("3  changed", mask_overlay(seen, [each.found.garment.mask for each in result.changed])),
    ]
    below = [
        ("4  what the generator sees", first.garment_image),
        ("5  what it paints", first.translated),
        ("6-8  at the photo's size", result.new_garments),
        ("9  how much of it shows", alpha),
        ("10  the result", image),
    ]
    rows = [side_by_side(row, HEIGHT) for row in (above, below)]
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(r, ((0, 0), (0, width - r.shape[1]), (0, 0)), constant_values=255) for r in rows])
