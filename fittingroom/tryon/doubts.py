"""Whether a garment's mask is to be trusted, told before anybody is shown what was painted through it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from fittingroom.cutout.plain import edge_support
from fittingroom.garment import Garment
from fittingroom.images import RGB
from fittingroom.tryon.targets import Found

LEAST_SCORE = 0.7
LEAST_WHOLE = 0.5
"""Of a mask in pieces, the largest piece's share."""
LEAST_SUPPORT = 0.8
"""Share of the outline along which the colours inside and outside differ."""
WORKING_SIDE = 240


def doubts_about(image: RGB, garment: Garment) -> tuple[str, ...]:
    """Plain words for what speaks against the mask of ``garment`` on ``image`` (H, W, 3); empty where nothing does.

    The limits were chosen on 30 street photos and close-ups of them, on which they doubt 6 % of the sound masks
    (docs/results.md).
    """
    found = []
    if garment.score < LEAST_SCORE:
        found.append(f"the segmenter is not sure of it (score {garment.score:.2f})")
    _, _, pieces, _ = cv2.connectedComponentsWithStats(garment.mask.astype(np.uint8))
    largest = float(pieces[1:, cv2.CC_STAT_AREA].max()) / garment.area
    if largest < LEAST_WHOLE:
        found.append(f"its outline is in pieces (the largest is {largest:.0%} of it)")
    support = edge_support(image, garment.mask, WORKING_SIDE)
    if support < LEAST_SUPPORT:
        found.append(f"only {support:.0%} of its outline follows an edge of the photo")
    return tuple(found)


def doubt_in_words(doubts: Sequence[tuple[Found, tuple[str, ...]]]) -> str:
    """One sentence for a person; empty where nothing is doubted."""
    said = [
        f"garment {found.number}: {' and '.join(reasons)}" if len(doubts) > 1 else " and ".join(reasons)
        for found, reasons in doubts
        if reasons
    ]
    return f"the garment's outline may be wrong: {'; '.join(said)}" if said else ""
