"""The few colours a domain is made of: k-means over its garments' pixels, the same for the same pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fittingroom.appearance.colours import lab_to_srgb, srgb_to_lab

ROUNDS = 20
SMALLEST_SHARE = 0.01
"""Clusters of fewer pixels than this are stray background or a label, not the style's cloth."""


def palette(pixels: NDArray[np.uint8], count: int, one_hue: bool = False) -> NDArray[np.float32]:
    """``count`` colours (count, 3), sRGB 0..1, dark to light, of ``pixels`` (N, 3).

    Clusters are found in CIELAB, starting from equal shares of lightness; each gives its median. One too small stands
    for the largest, so that a plain style has some colours more than once. With ``one_hue`` all are
    the largest in more or less light: a plain style's garments differ in dye, but each has one, and painted with the
    dyes of all it is blotched.

    Raises:
        ValueError: no pixel.
    """
    if not len(pixels):
        raise ValueError("palette: expected pixels, got none")
    lab = srgb_to_lab(pixels)
    ordered = lab[np.argsort(lab[:, 0], kind="stable")]
    centres = np.stack([part.mean(0) if len(part) else ordered[0] for part in np.array_split(ordered, count)])
    for _ in range(ROUNDS):
        nearest = _nearest(lab, centres)
        for number in range(count):
            if (nearest == number).any():
                centres[number] = lab[nearest == number].mean(0)
    nearest = _nearest(lab, centres)
    sizes = np.bincount(nearest, minlength=count)
    colours = [
        np.median(pixels[nearest == number], axis=0) / 255 if sizes[number] else np.zeros(3) for number in range(count)
    ]
    largest = colours[int(sizes.argmax())]
    kept = [
        colour if size >= SMALLEST_SHARE * len(pixels) else largest for colour, size in zip(colours, sizes, strict=True)
    ]
    if one_hue:
        kept = list(_of_one_dye(np.array(kept), largest))
    return np.array(sorted(kept, key=lambda colour: float(colour.sum())), np.float32)


def _of_one_dye(colours: NDArray[np.floating], main: NDArray[np.floating]) -> NDArray[np.float64]:
    """``colours`` (count, 3), sRGB 0..1, as the cloth ``main`` has them in shadow and light; lightness is kept."""
    lab, wanted = srgb_to_lab(colours), srgb_to_lab(main)
    lab[:, 1:] = np.minimum(lab[:, :1] / max(wanted[0], 1.0), 1.0) * wanted[1:]  # in shadow a dye's chroma goes, too
    return lab_to_srgb(lab)


def _nearest(lab: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.int64]:
    distances = ((lab[:, None, :] - centres[None]) ** 2).sum(2)
    return np.asarray(distances.argmin(1), np.int64)
