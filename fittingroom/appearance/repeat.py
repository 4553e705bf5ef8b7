"""The repeat of patterned cloth: how fine its stripes, checks or dots are, and which way they run.

A repeat is one or two frequency vectors, the strongest peaks of the cloth's power spectrum. Measured against the longer
side of the garment's box, it can be laid on another garment; where it lies on this one is its phase.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.appearance.cloth import Dye
from fittingroom.appearance.colours import srgb_to_lab
from fittingroom.images import RGB
from fittingroom.masks import Mask, bounding_box

Vector = tuple[float, float]

_SIDE = 320
"""Pixels of the garment's longer side where its repeat is measured."""
FEWEST, MOST = 2.5, 60.0
"""Repeats along the garment's longer side between which one is looked for: fewer is no pattern, more cannot be seen."""
_SECOND = 0.35
"""Height of the second direction's peak over the first's from which a pattern repeats in both."""
_APART = 0.6
"""Sine of the least angle between the two directions."""
_PROMINENCE = 6.0
"""Height of a peak over the spectrum's middle at its distance, from which the cloth repeats at all."""
_REACH = 0.55
"""Deviation of the window in which a phase is read, in periods."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Repeat:
    """How a pattern repeats.

    Attributes:
        vectors: one (stripes) or two frequency vectors as x, y: repeats along the longer side of the garment's box.
            Stripes that run level have (0, f).
    """

    vectors: tuple[Vector, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.vectors) <= 2:
            raise ValueError(f"repeat: expected one or two vectors, got {len(self.vectors)}")

    @property
    def code(self) -> str:
        """For names: how often and at which angle in degrees, ``12at90`` for twelve level stripes."""
        return "-".join(f"{np.hypot(x, y):.0f}at{np.degrees(np.arctan2(y, x)) % 180:.0f}" for x, y in self.vectors)

    def per_pixel(self, mask: Mask) -> Floats:
        """The vectors (K, 2) in repeats a pixel on the garment at ``mask`` (H, W), not empty."""
        box = bounding_box(mask)
        assert box is not None
        return np.array(self.vectors) / max(box.width, box.height)


def figure_share(image: RGB, mask: Mask, dyes: tuple[Dye, ...]) -> Floats:
    """How much of each pixel of ``image`` (H, W, 3) is figure and not ground, (H, W) in 0..1; 0 outside ``mask``.

    ``dyes`` are the cloth's, its ground first; of plain cloth nothing is figure.
    """
    share = np.zeros(mask.shape)
    if len(dyes) > 1 and mask.any():
        lab = srgb_to_lab(image[mask])
        ground, figures = np.array(dyes[0].lab), [np.array(dye.lab) for dye in dyes[1:]]
        parts = np.stack([_share_and_distance(lab, ground, figure) for figure in figures])
        nearest = parts[:, 1].argmin(0)
        share[mask] = parts[nearest, 0, np.arange(len(lab))]
    return share


def _share_and_distance(lab: Floats, ground: Floats, figure: Floats) -> Floats:
    """Where between two dyes each colour (N, 3) is, and how far off their line: (2, N)."""
    along = figure - ground
    part = np.clip((lab - ground) @ along / max(float(along @ along), 1e-9), 0, 1)
    return np.stack([part, np.linalg.norm(ground + part[:, None] * along - lab, axis=1)])


def repeat_of(image: RGB, mask: Mask, dyes: tuple[Dye, ...], pattern: str) -> Repeat | None:
    """The repeat of the garment at ``mask`` (H, W) of ``image`` (H, W, 3), whose cloth has these ``dyes`` and this
    ``pattern``; None for plain cloth, and where nothing is seen to repeat."""
    box = bounding_box(mask)
    if box is None or pattern == "solid":
        return None
    inside = (slice(box.y1, box.y2), slice(box.x1, box.x2))
    scale = _SIDE / max(box.width, box.height)
    image, mask = np.ascontiguousarray(image[inside]), mask[inside]
    if scale < 1:
        size = (max(round(box.width * scale), 8), max(round(box.height * scale), 8))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        mask = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    return repeat_of_figure(figure_share(image, mask, dyes), mask, 1 if pattern == "striped" else 2)


def repeat_of_figure(figure: NDArray[np.floating], mask: Mask, directions: int = 2) -> Repeat | None:
    """The same, where the figure's share (H, W) of each pixel is known.

    Args:
        directions: 1 for stripes; with 2 a second is looked for, and left out where there is none.

    Returns:
        None where nothing repeats.
    """
    box = bounding_box(mask)
    if box is None:
        return None
    scale = _SIDE / max(box.width, box.height)
    inside = (slice(box.y1, box.y2), slice(box.x1, box.x2))
    size = (max(round(box.width * scale), 8), max(round(box.height * scale), 8))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    values = cv2.resize(figure[inside].astype(np.float32), size, interpolation=way)
    weight = cv2.erode(cv2.resize(mask[inside].astype(np.float32), size, interpolation=way), np.ones((5, 5)))
    weight = cv2.GaussianBlur(weight, (0, 0), 4) * weight
    if weight.sum() < 64:
        return None
    coarse = cv2.blur(values * weight, (_SIDE // 3, _SIDE // 3)) / np.maximum(
        cv2.blur(weight, (_SIDE // 3, _SIDE // 3)), 1e-3
    )
    square = np.zeros((2 * _SIDE, 2 * _SIDE), np.float32)
    square[: size[1], : size[0]] = (values - coarse) * weight
    height = np.abs(np.fft.rfft2(square))
    return _peaks(height, directions)


def _peaks(spectrum: NDArray[np.floating], directions: int) -> Repeat | None:
    fy = np.asarray(np.fft.fftfreq(2 * _SIDE)[:, None] * _SIDE, np.float64)
    fx = np.asarray(np.fft.rfftfreq(2 * _SIDE)[None] * _SIDE, np.float64)
    radius = np.hypot(fx, fy)
    height = np.asarray(cv2.GaussianBlur(spectrum.astype(np.float32), (3, 3), 0))
    known = (radius >= FEWEST) & (radius <= MOST)
    # Folds and shading fall off as 1 / f: so weighed, the pattern stands out wherever it lies.
    score = np.where(known, height * np.sqrt(radius), 0.0)
    first = np.unravel_index(int(score.argmax()), score.shape)
    ring = known & (np.abs(radius - radius[first]) < 0.25 * radius[first])
    if score[first] <= 0 or score[first] < _PROMINENCE * float(np.median(score[ring])):
        return None
    vectors = [_vector(fx, fy, first)]
    if directions > 1:
        x, y = vectors[0]
        crossing = np.abs(fx * y - fy * x) > _APART * radius * np.hypot(x, y)
        alike = (radius > 0.5 * radius[first]) & (radius < 2 * radius[first])
        crossed = np.where(crossing & alike, score, 0.0)
        second = np.unravel_index(int(crossed.argmax()), crossed.shape)
        if crossed[second] >= _SECOND * score[first]:
            vectors.append(_vector(fx, fy, second))
    return Repeat(tuple(vectors))


def _vector(fx: Floats, fy: Floats, place: tuple[np.intp, ...]) -> Vector:
    x, y = float(fx[0, place[1]]), float(fy[place[0], 0])
    if x < 0 or (abs(x) < 1e-6 and y < 0):
        x, y = -x, -y
    return x, y


def local_waves(figure: NDArray[np.floating], mask: Mask, repeat: Repeat) -> Floats:
    """Where in its repeat each pixel of the garment lies: (2 K, H, W), the cosine and sine of each vector's phase.

    Read by a Gabor filter from the ``figure``'s share (H, W): the cosine is 1 in the middle of a figure, and bends with
    the cloth. 0 outside ``mask``.
    """
    weight = mask.astype(np.float32)
    mean = float(figure[mask].mean()) if mask.any() else 0.0
    values = ((figure - mean) * weight).astype(np.float32)
    waves = []
    for x, y in repeat.per_pixel(mask):
        frequency = float(np.hypot(x, y))
        deviation = _REACH / max(frequency, 1e-6)
        reach = int(np.ceil(2.5 * deviation))
        rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
        window = np.exp(-(rows**2 + columns**2) / (2 * deviation**2))
        phase = 2 * np.pi * (x * columns + y * rows)
        # Correlated, so the filter's phase is that of its middle.
        real = cv2.filter2D(values, cv2.CV_32F, window * np.cos(phase), borderType=cv2.BORDER_CONSTANT)
        imaginary = -cv2.filter2D(values, cv2.CV_32F, window * np.sin(phase), borderType=cv2.BORDER_CONSTANT)
        size = np.maximum(np.hypot(real, imaginary), 1e-6)
        waves += [real / size * weight, imaginary / size * weight]
    return np.stack(waves).astype(np.float64)


_RELIEF_BLUR, _RELIEF = 1 / 40, 0.035
"""Deviation of the blur, and reach of the shift, as shares of the garment's longer side."""


def relief(image: RGB, mask: Mask) -> Floats:
    """By how many pixels in x and y a pattern on the garment's folds is shifted, (2, H, W): what its shading says of
    its slopes, for a pattern that lies on it like a film looks false."""
    box = bounding_box(mask)
    assert box is not None
    longer = max(box.width, box.height)
    light = np.log(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) + 12.0)
    weight = mask.astype(np.float32)
    deviation = _RELIEF_BLUR * longer
    smooth = cv2.GaussianBlur(light * weight, (0, 0), deviation) / np.maximum(
        cv2.GaussianBlur(weight, (0, 0), deviation), 1e-3
    )
    slopes = np.stack([np.gradient(smooth, axis=1), np.gradient(smooth, axis=0)]) * deviation
    return np.asarray(_RELIEF * longer * np.tanh(2.0 * slopes) * weight, np.float64)


def laid_waves(image: RGB, mask: Mask, repeat: Repeat) -> Floats:
    """The same for a repeat laid on the garment at ``mask`` (H, W), not empty, of ``image`` (H, W, 3), a figure in its
    middle, and bent by its folds: (2 K, H, W)."""
    box = bounding_box(mask)
    assert box is not None
    middle = ((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2)
    per_pixel = repeat.per_pixel(mask)
    return waves(per_pixel, (mask.shape[0], mask.shape[1]), -per_pixel @ middle, relief(image, mask)) * mask


def waves(per_pixel: Floats, shape: tuple[int, int], phase: Floats, shift: Floats) -> Floats:
    """Cosine and sine, (2 K, H, W), of frequency vectors (K, 2), in repeats a pixel.

    Args:
        phase: (K,) at the first pixel, in repeats.
        shift: (2, H, W), by how many pixels in x and y the cloth is shifted at each pixel.
    """
    rows, columns = np.mgrid[: shape[0], : shape[1]] + shift[::-1]
    angles = [2 * np.pi * (x * columns + y * rows + start) for (x, y), start in zip(per_pixel, phase, strict=True)]
    return np.stack([wave for angle in angles for wave in (np.cos(angle), np.sin(angle))])
