"""Whether what the parts head takes for skin or hair has the colour of the skin and hair that lie next to the garments.

The head has seen few garments of skin-like colours and leaves holes in orange and coral cloth. A person's own face,
neck and hair tell better: chromaticity hardly changes with light and shade, so a histogram of it, projected back (Swain
and Ballard, "Color Indexing", IJCV 1991), says which pixels inside a garment can be the same person's.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.images import RGB

SURE = 0.8
"""From this probability on, and away from garments, a pixel shows what the person's skin and hair look like."""
APART = 0.2
"""Away from garments: below this probability of any of them."""
LEAST_SHOWN = 0.0005
"""Share of a photo that has to be sure skin or hair before it teaches colours; else skin in general is asked for."""
BINS = 64
"""Of a* and b* each, 4 units wide."""
TOLERANCE = 2.0
"""Standard deviation, in bins, by which colours may differ from those that were seen."""
RARE = 0.04
"""Colours seen at least this often, relative to the commonest, count in full."""
SKIN_HUES, MOST_CHROMA = (15.0, 85.0), 38.0
"""Hue angles (degrees) and the highest chroma of human skin in CIELAB, of whatever tone, in common light."""


def believed(image: RGB, body: NDArray[np.float32], cloth: NDArray[np.float32]) -> NDArray[np.float32]:
    """``body`` (H, W), 0 to 1, lowered inside garments where ``image``'s colours are not a person's.

    Args:
        image: (H, W, 3).
        body: how surely each pixel is skin or hair.
        cloth: how surely each is on any garment, 0 to 1.
    """
    doubtful = (body > 0.1) & (cloth > 0.1)
    if not doubtful.any():
        return body
    sure = (body >= SURE) & (cloth < APART)
    rows, columns = np.where(doubtful.any(axis=1))[0], np.where(doubtful.any(axis=0))[0]
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    lab = cv2.cvtColor(cv2.medianBlur(np.ascontiguousarray(image[part]), 5), cv2.COLOR_RGB2LAB)
    if sure.mean() >= LEAST_SHOWN:
        seen = cv2.cvtColor(np.ascontiguousarray(image[sure][None]), cv2.COLOR_RGB2LAB)
        counts = cv2.calcHist([seen], [1, 2], None, [BINS, BINS], [0, 256, 0, 256])
        counts = cv2.GaussianBlur(counts, (0, 0), TOLERANCE)
        likely = np.clip(counts / (RARE * counts.max()), 0, 1).astype(np.float32)
        agrees = likely[lab[..., 1] // (256 // BINS), lab[..., 2] // (256 // BINS)]
    else:
        a, b = lab[..., 1].astype(np.float32) - 128, lab[..., 2].astype(np.float32) - 128
        hue = np.degrees(np.arctan2(b, a))
        skin = (hue > SKIN_HUES[0]) & (hue < SKIN_HUES[1]) & (np.hypot(a, b) < MOST_CHROMA)
        agrees = (skin | (lab[..., 0] < 60)).astype(np.float32)  # or dark enough for hair
    result = body.copy()
    result[part] = np.where(doubtful[part], body[part] * agrees, body[part])
    return result
