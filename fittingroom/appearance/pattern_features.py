"""What the pattern network looks at: the garment as a whole, and windows of its cloth at three finer scales.

A window shows its cloth at a fixed scale next to the garment, so that the same cloth gives the same pixels in a large
and a small photo; the finer scales show what is too fine for the whole.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.images import RGB
from fittingroom.masks import Mask, bounding_box

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

WHOLE = 96
"""Side of the view of the whole garment, in pixels."""
SIDE = 64
"""Side of a window, in pixels."""
SCALES = (192, 384, 768)
"""The garment's longer side, in pixels, as windows show it; never more than `_STRETCHED` of what the photo has."""
WINDOWS = 2
"""At each scale."""
_STRETCHED = 2.0
_LOCAL = 15
"""Pixels over which light is even."""
CHANNELS = 5


def pattern_views(image: RGB, mask: Mask) -> tuple[Bytes, Bytes]:
    """The garment at ``mask`` (H, W), not empty, of ``image`` (H, W, 3): (1, `WHOLE`, `WHOLE`, 4) and (N, `SIDE`,
    `SIDE`, 4), N windows by scale; CIELAB in 8 bits, and the mask (0 or 1)."""
    box = bounding_box(mask)
    if box is None:
        raise ValueError("mask: expected at least one pixel of garment, got none")
    image, mask = image[box.y1 : box.y2, box.x1 : box.x2], mask[box.y1 : box.y2, box.x1 : box.x2]
    inside = np.ascontiguousarray(mask).view(np.uint8)
    longer = max(mask.shape)
    whole = _shown(image, inside, (mask.shape[1] / 2, mask.shape[0] / 2), WHOLE / longer, WHOLE)
    windows = []
    for scale in SCALES:
        factor = min(scale / longer, _STRETCHED)
        span = SIDE / factor * WHOLE / longer  # of the window, in pixels of the whole
        for y, x in _fullest(whole[..., 3], span):
            centre = (
                (x - WHOLE / 2) * longer / WHOLE + mask.shape[1] / 2,
                (y - WHOLE / 2) * longer / WHOLE + mask.shape[0] / 2,
            )
            windows.append(_shown(image, inside, centre, factor, SIDE))
    return whole[None], np.stack(windows)


def _shown(image: RGB, inside: Bytes, centre: tuple[float, float], factor: float, side: int) -> Bytes:
    """A square of ``side`` pixels around ``centre`` (x, y), at ``factor``; nothing where the picture ends."""
    height, width = inside.shape
    half = side / factor / 2
    left, top = max(round(centre[0] - half), 0), max(round(centre[1] - half), 0)
    right, bottom = (
        min(max(round(centre[0] + half), left + 1), width),
        min(max(round(centre[1] + half), top + 1), height),
    )
    left, top = min(left, width - 1), min(top, height - 1)
    size = (min(max(round((right - left) * factor), 1), side), min(max(round((bottom - top) * factor), 1), side))
    part = np.s_[top:bottom, left:right]
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    lab = cv2.cvtColor(cv2.resize(image[part], size, interpolation=method), cv2.COLOR_RGB2LAB)
    view = np.zeros((side, side, 4), np.uint8)
    y, x = (side - size[1]) // 2, (side - size[0]) // 2
    there = np.s_[y : y + size[1], x : x + size[0]]
    view[there][..., :3] = lab
    view[there][..., 3] = cv2.resize(inside[part], size, interpolation=cv2.INTER_NEAREST)
    return view


def _fullest(inside: Bytes, span: float) -> list[tuple[float, float]]:
    """Middles (y, x) of `WINDOWS` windows of ``span`` pixels that hold most of the garment, apart from each other and
    near its middle."""
    side = max(round(span), 1)
    fullness = cv2.blur(inside.astype(np.float32), (side, side), borderType=cv2.BORDER_CONSTANT)
    rows, columns = np.nonzero(inside)
    if len(rows) == 0:
        return [(WHOLE / 2, WHOLE / 2)] * WINDOWS
    y, x = np.ogrid[:WHOLE, :WHOLE]
    middle = rows.mean(), columns.mean()
    score = fullness - np.float32(0.2 / WHOLE) * np.hypot(y - middle[0], x - middle[1]).astype(np.float32)
    found = []
    for _ in range(WINDOWS):
        at = np.unravel_index(int(score.argmax()), score.shape)
        found.append((float(at[0]), float(at[1])))
        score = score - np.maximum(0, 1 - np.hypot(y - at[0], x - at[1]) / max(side, 24)).astype(np.float32)
    return found


def channels(views: Bytes, middle: Floats) -> Floats:
    """What the network reads of ``views`` (N, S, S, 4), (N, S, S, `CHANNELS`): CIELAB less the garment's ``middle``
    (3,), lightness in even light at its own contrast, and the mask."""
    weight = views[..., 3].astype(np.float32)
    lab = (views[..., :3].astype(np.float32) - middle) * weight[..., None]
    found = np.empty((*weight.shape, CHANNELS), np.float32)
    found[..., :3] = lab / np.array([60, 25, 25], np.float32)
    found[..., 4] = weight
    for number, (light, inside) in enumerate(zip(lab[..., 0], weight, strict=True)):
        around = cv2.blur(inside, (_LOCAL, _LOCAL), borderType=cv2.BORDER_CONSTANT)
        mean = cv2.blur(np.ascontiguousarray(light), (_LOCAL, _LOCAL), borderType=cv2.BORDER_CONSTANT)
        detail = (light - mean / np.maximum(around, 1e-3)) * inside
        spread = np.sqrt(float((detail * detail).sum()) / max(float(inside.sum()), 1.0))
        found[number, ..., 3] = detail / np.float32(2 * spread + 4)
    return found


def middle_of(whole: Bytes) -> Floats:
    """The garment's median colour (3,) in ``whole`` (1, `WHOLE`, `WHOLE`, 4)."""
    own = whole[whole[..., 3] > 0][:, :3]
    return np.median(own, axis=0).astype(np.float32) if len(own) else np.full(3, 128, np.float32)
