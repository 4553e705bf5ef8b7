"""COCO run-length masks, read without trusting them (the reference C decoder does).

Format: column by column, alternating runs of background and mask; either a list of counts, or text that packs each
count in characters of five bits plus a go-on bit, as differences from the count two before (pycocotools' format).
"""

from __future__ import annotations

import numpy as np

from fittingroom.masks import Mask
from fittingroom.opening import MAX_PIXELS

KEPT = "coco_rle"
"""Where a garment's ``extra`` keeps a run-length mask that came in, so that it goes out again as it was: an object with
``iscrowd`` and ``segmentation``."""


def decode(value: object) -> Mask:
    """The bool (H, W) mask of ``{"size": [H, W], "counts": [...] or "..."}``.

    Raises:
        ValueError: not that, or counts that do not fill the size.
    """
    if not isinstance(value, dict):
        raise ValueError("expected a run-length mask with size and counts")
    size, counts = value.get("size"), value.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(type(n) is int and n > 0 for n in size)):
        raise ValueError("size: expected [height, width]")
    height, width = size
    if height * width > MAX_PIXELS:
        raise ValueError(f"size: expected at most {MAX_PIXELS:,} pixels, got {height} x {width}")
    runs = unpack(counts) if isinstance(counts, str) else counts
    if not (isinstance(runs, list) and all(type(n) is int and 0 <= n <= MAX_PIXELS for n in runs)):
        raise ValueError("counts: expected whole numbers from 0, or their packed text")
    if sum(runs) != height * width:
        raise ValueError(f"counts: expected a sum of {height * width}, got {sum(runs)}")
    values = np.arange(len(runs)) % 2 == 1
    return np.asarray(np.repeat(values, runs).reshape(width, height).T)


def encode(mask: Mask) -> dict[str, object]:
    """The bool (H, W) ``mask`` as ``{"size": [H, W], "counts": [...]}``."""
    flat = np.concatenate(([False], mask.T.ravel(), [False]))
    edges = np.flatnonzero(flat[1:-1] != flat[:-2])
    counts = np.diff(np.concatenate(([0], edges, [mask.size]))).tolist()
    return {"size": [mask.shape[0], mask.shape[1]], "counts": counts}


def unpack(text: str) -> list[int]:
    """The counts of a packed text.

    Raises:
        ValueError: not a packed text.
    """
    counts: list[int] = []
    number, bits = 0, 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or bits > 35:
            raise ValueError("counts: not a packed run-length text")
        number |= (code & 0x1F) << bits
        bits += 5
        if code & 0x20:
            continue
        if code & 0x10:
            number -= 1 << bits
        if len(counts) > 2:
            number += counts[-2]
        counts.append(number)
        number, bits = 0, 0
    if bits:
        raise ValueError("counts: the packed text ends within a number")
    return counts


def empty(height: int, width: int) -> dict[str, object]:
    """A mask with no pixel: what a garment without polygons is in COCO, so that tools load it."""
    return {"size": [height, width], "counts": [height * width]}
