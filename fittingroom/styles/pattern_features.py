"""What tells patterns apart, as numbers: texture, direction, repetition, blobs, and where on the garment it all is.

Everything is measured inside the garment's mask, on lightness and colour with the slow part (folds, shadows, light
from one side) taken away, at a fixed size, so that the same cloth gives the same numbers in a large and a small photo.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.images import RGB
from fittingroom.masks import Mask, bounding_box

Floats = NDArray[np.float32]

SIDE = 176
"""The garment's longer side while it is measured, in pixels."""
_SCALES = (1.0, 2.0, 4.0, 8.0)
_DIRECTIONS = 12
_LAGS = 24
_GRID = 4


def pattern_features(image: RGB, mask: Mask) -> Floats:
    """Features (N,) of the garment at ``mask`` (not empty) of ``image`` (H, W, 3)."""
    lab, inside = _normalised(image, mask)
    light = _detail(lab[..., 0], inside, 10.0)
    tint = np.hypot(_detail(lab[..., 1], inside, 10.0), _detail(lab[..., 2], inside, 10.0))
    parts = [
        _bands(lab, inside),
        _directions(light, inside),
        _repetition(light, inside),
        _local_repetition(light, inside),
        _texture_codes(light, inside),
        _blobs(lab, inside),
        _whereabouts(light, tint, lab, inside),
        _palette(lab, inside),
    ]
    return np.nan_to_num(np.concatenate(parts)).astype(np.float32)


def _normalised(image: RGB, mask: Mask) -> tuple[Floats, Mask]:
    """The garment's box at `SIDE` in CIELAB, and its mask less the rim."""
    box = bounding_box(mask)
    if box is None:
        raise ValueError("mask: expected at least one pixel of garment, got none")
    image, mask = image[box.y1 : box.y2, box.x1 : box.x2], mask[box.y1 : box.y2, box.x1 : box.x2]
    scale = SIDE / max(mask.shape)
    size = (max(round(mask.shape[1] * scale), 8), max(round(mask.shape[0] * scale), 8))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, size, interpolation=method).astype(np.float32) / 255
    solid = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    whole = int(solid.sum()) == solid.size  # a fabric close-up: no outline to keep away from
    core = solid if whole else cv2.erode(solid, np.ones((7, 7), np.uint8), borderValue=0)
    if core.sum() < 0.3 * solid.sum() or core.sum() < 64:
        core = solid
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.float32), core.astype(bool)


def _smooth(values: Floats, weight: Floats, sigma: float) -> Floats:
    """Gaussian mean of the garment's own pixels."""
    top = cv2.GaussianBlur(values * weight, (0, 0), sigma)
    bottom = cv2.GaussianBlur(weight, (0, 0), sigma)
    return np.asarray(top / np.maximum(bottom, 1e-3), np.float32)


def _detail(values: Floats, inside: Mask, sigma: float) -> Floats:
    weight = inside.astype(np.float32)
    return np.asarray((values - _smooth(values, weight, sigma)) * weight, np.float32)


def _bands(lab: Floats, inside: Mask) -> Floats:
    """How much happens at each scale, in lightness and in colour, and how peaked it is."""
    weight = inside.astype(np.float32)
    found: list[float] = []
    for channel in range(3):
        levels = [lab[..., channel], *(_smooth(lab[..., channel], weight, sigma) for sigma in _SCALES)]
        for fine, coarse in itertools.pairwise(levels):
            band = (fine - coarse)[inside]
            spread = float(band.std())
            found.append(np.log1p(spread))
            if channel == 0:
                found.append(float(np.clip((band**4).mean() / (spread**4 + 1e-3), 0, 30)) / 10)
                found.append(float(np.clip((band**3).mean() / (spread**3 + 1e-2), -5, 5)))
        found.append(np.log1p(float(lab[..., channel][inside].std())))
    return np.array(found, np.float32)


def _directions(light: Floats, inside: Mask) -> Floats:
    """Energy of the gradient by direction at two scales: one peak for stripes, two at right angles for checks."""
    weight = inside.astype(np.float32)
    inner = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0).astype(bool)
    found: list[Floats] = []
    for sigma in (0.8, 2.0):
        smooth = _smooth(light, weight, sigma)
        x, y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
        energy = (x * x + y * y)[inner]
        angle = np.arctan2(y, x)[inner] % np.pi
        bins = np.minimum((angle / np.pi * _DIRECTIONS + 0.5).astype(int) % _DIRECTIONS, _DIRECTIONS - 1)
        histogram = np.bincount(bins, energy, _DIRECTIONS) / max(float(energy.sum()), 1e-6)
        turned = np.roll(histogram, -int(histogram.argmax()))
        double = np.abs(np.sum(histogram * np.exp(2j * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS)))
        fourfold = np.abs(np.sum(histogram * np.exp(4j * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS)))
        upright = histogram[0] + histogram[_DIRECTIONS // 2]
        found.append(np.array([*turned, double, fourfold, upright, histogram[0], histogram[6]], np.float32))
    return np.concatenate(found)


def _correlation(light: Floats, inside: Mask, reach: int) -> Floats:
    """Normalised autocorrelation under a mask, (reach + 1, 2 reach + 1): lags down 0 to reach, across -reach to reach.

    Each lag is divided by the energy of the two overlapping parts, so that the mask's shape does not show.
    """
    height, width = light.shape
    size = (cv2.getOptimalDFTSize(height + reach), cv2.getOptimalDFTSize(width + reach))
    weight = np.fft.rfft2(inside.astype(np.float32), size)
    value = np.fft.rfft2(light, size)
    square = np.fft.rfft2(light * light, size)
    product = np.fft.irfft2(value * np.conj(value), size)
    ahead = np.fft.irfft2(square * np.conj(weight), size)
    behind = np.fft.irfft2(weight * np.conj(square), size)
    result = product / np.sqrt(np.maximum(ahead, 1e-3) * np.maximum(behind, 1e-3))
    columns = np.r_[np.arange(-reach, 0), np.arange(reach + 1)]
    return np.asarray(result[: reach + 1][:, columns], np.float32)


def _sampled(correlation: Floats, reach: int) -> Floats:
    """Autocorrelation along directions (0 to 165 degrees) at lags 1 to reach, (directions, reach)."""
    angles = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    lags = np.arange(1, reach + 1)
    x = (reach + lags * np.cos(angles)[:, None]).astype(np.float32)
    y = (lags * np.sin(angles)[:, None]).astype(np.float32)
    return np.asarray(cv2.remap(correlation, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _repetition_of(light: Floats, inside: Mask, reach: int) -> Floats:
    rays = _sampled(_correlation(light, inside, reach), reach)
    low = np.minimum.accumulate(rays, axis=1)
    rise = (rays - low).max(axis=1)  # how clearly the cloth comes back after its first change
    persistence = rays.mean(axis=1)
    order = int(persistence.argmax())
    rise_t, persist_t = np.roll(rise, -order), np.roll(persistence, -order)
    across = (order + _DIRECTIONS // 2) % _DIRECTIONS
    curves = rays[[0, _DIRECTIONS // 2, order, across]][:, [0, 1, 2, 3, 5, 7, 9, 11, 14, 17, 20, 23]]
    average = rays.mean(axis=0)[[0, 1, 2, 3, 5, 7, 9, 11, 14, 17, 20, 23]]
    peaks = [rise.max(), rise.min(), np.sort(rise)[-2:].mean(), np.median(rise), persistence.max() - persistence.min()]
    return np.concatenate([rise_t, persist_t, curves.ravel(), average, np.array(peaks)]).astype(np.float32)


def _repetition(light: Floats, inside: Mask) -> Floats:
    """Repetition over the whole garment."""
    return _repetition_of(light, inside, _LAGS)


def _local_repetition(light: Floats, inside: Mask) -> Floats:
    """Repetition in the fullest windows (cloth hangs in other directions elsewhere): the median over up to six."""
    side = 64
    fullness = cv2.boxFilter(inside.astype(np.float32), -1, (side, side), borderType=cv2.BORDER_CONSTANT)
    rows: list[Floats] = []
    for _ in range(6):
        y, x = np.unravel_index(int(fullness.argmax()), fullness.shape)
        if fullness[y, x] < 0.5:
            break
        top, left = max(int(y) - side // 2, 0), max(int(x) - side // 2, 0)
        window = np.s_[top : top + side, left : left + side]
        rows.append(_repetition_of(light[window], inside[window], _LAGS))
        fullness[max(int(y) - 28, 0) : int(y) + 28, max(int(x) - 28, 0) : int(x) + 28] = 0
    if not rows:
        return _repetition_of(light, inside, _LAGS)
    return np.asarray(np.median(rows, axis=0), np.float32)


def _texture_codes(light: Floats, inside: Mask) -> Floats:
    """Rotation-invariant uniform local binary patterns at two radii (Ojala, Pietikainen and Maenpaa, PAMI 2002)."""
    found = []
    for radius in (1, 3):
        codes = np.zeros(light.shape, np.int32)
        changes = np.zeros(light.shape, np.int32)
        previous: NDArray[np.bool_] | None = None
        first: NDArray[np.bool_] | None = None
        for step in range(8):
            angle = step * np.pi / 4
            dy, dx = round(radius * np.sin(angle)), round(radius * np.cos(angle))
            above = np.roll(light, (-dy, -dx), (0, 1)) > light + 1.0
            codes += above
            if previous is None:
                first = above
            else:
                changes += above != previous
            previous = above
        changes += previous != first
        code = np.where(changes <= 2, codes, 9)
        found.append(np.bincount(code[inside], minlength=10) / max(int(np.count_nonzero(inside)), 1))
    return np.concatenate(found).astype(np.float32)


def _base_distance(lab: Floats, inside: Mask) -> Floats:
    """How far each pixel is from the garment's commonest colour; shadows count little, hues much."""
    weight = inside.astype(np.float32)
    relative = lab.copy()
    relative[..., 0] = _detail(lab[..., 0], inside, 24.0)
    pixels = relative[inside]
    bins = np.clip(np.round((pixels - pixels.min(0)) / (8, 6, 6)), 0, 40).astype(int)
    code = bins @ np.array([1681, 41, 1])
    values, counts = np.unique(code, return_counts=True)
    base = np.median(pixels[code == values[counts.argmax()]], axis=0)
    return np.asarray(np.linalg.norm((relative - base) * (0.8, 1.2, 1.2), axis=2) * weight, np.float32)


def _blobs(lab: Floats, inside: Mask) -> Floats:
    """Things on the base colour: how many, how large, how alike, how round, how evenly strewn."""
    distance = _base_distance(lab, inside)
    found: list[float] = []
    total = max(int(np.count_nonzero(inside)), 1)
    for threshold in (12.0, 25.0):
        marks = (distance > threshold).astype(np.uint8)
        _, _, stats, centres = cv2.connectedComponentsWithStats(marks, connectivity=4)
        areas = stats[1:, cv2.CC_STAT_AREA].astype(np.float64)
        keep = areas >= 5
        areas, centres, stats = areas[keep], centres[1:][keep], stats[1:][keep]
        share = float(marks.sum()) / total
        if len(areas) < 3:
            found += [share, float(len(areas)) / 10, float(areas.max(initial=0)) / total, 0, 0, 0, 0, 0, 0]
            continue
        sides = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].astype(np.float64)
        fill = areas / sides.prod(axis=1)
        aspect = sides.min(axis=1) / sides.max(axis=1)
        gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2)
        np.fill_diagonal(gaps, np.inf)
        nearest = gaps.min(axis=1)
        found += [
            share,
            np.log1p(len(areas)),
            float(areas.max()) / total,
            np.log1p(float(np.median(areas))),
            float(np.log(areas).std()),
            float(np.median(fill)),
            float(np.median(aspect)),
            float(nearest.std() / nearest.mean()),
            float(np.mean((aspect > 0.6) & (fill > 0.6))),
        ]
    return np.array(found, np.float32)


def _whereabouts(light: Floats, tint: Floats, lab: Floats, inside: Mask) -> Floats:
    """Where the pattern is: all over, or in the one place where prints are."""
    distance = np.minimum(_base_distance(lab, inside), 40.0)
    height, width = light.shape
    maps = (np.abs(light), tint, distance)
    found: list[float] = []
    row_of = np.minimum(np.arange(height) * _GRID // height, _GRID - 1)
    column_of = np.minimum(np.arange(width) * _GRID // width, _GRID - 1)
    cell = row_of[:, None] * _GRID + column_of[None]
    weight = np.bincount(cell[inside], minlength=_GRID**2)
    full = weight >= 0.3 * height * width / _GRID**2
    for values in maps:
        sums = np.bincount(cell[inside], values[inside].astype(np.float64), _GRID**2)
        mean = sums / np.maximum(weight, 1)
        overall = float(values[inside].mean()) + 1e-3
        strong = np.where(full, mean, overall)
        used = strong[full] if full.any() else strong
        found += [
            np.log1p(overall),
            float(used.std() / overall),
            float(used.max() / overall),
            float(used.min() / overall),
            float(np.median(used) / overall),
            *(strong.reshape(_GRID, _GRID).mean(axis=1) / overall),
            float(strong.reshape(_GRID, _GRID)[:, 1:3].mean() / overall),
            float(strong.reshape(_GRID, _GRID)[1:3, 1:3].mean() / overall),
        ]
    return np.array(found, np.float32)


def _palette(lab: Floats, inside: Mask) -> Floats:
    """How many colours, and how far apart."""
    pixels = lab[inside]
    chroma = np.hypot(pixels[:, 1], pixels[:, 2])
    hue = np.arctan2(pixels[:, 2], pixels[:, 1]) % (2 * np.pi)
    strength = np.maximum(chroma - 8.0, 0.0)
    by_hue = np.bincount((hue / (2 * np.pi) * 12).astype(int) % 12, strength, 12)
    strongest = np.sort(by_hue / max(float(strength.sum()), 1e-3))[::-1]
    bins = np.round(pixels / (15, 12, 12)).astype(int)
    code = (bins + 50) @ np.array([10201, 101, 1])
    shares = np.sort(np.unique(code, return_counts=True)[1] / len(pixels))[::-1]
    tops = np.pad(np.cumsum(shares)[:6], (0, max(0, 6 - len(shares))), constant_values=1.0)
    entropy = float(-(shares * np.log(shares)).sum())
    lows = np.percentile(pixels[:, 0], [2, 25, 50, 75, 98]) / 100
    values = [*tops, entropy, *strongest[:4], chroma.mean() / 40, chroma.std() / 20, *lows, np.mean(chroma > 20)]
    return np.array(values, np.float32)
