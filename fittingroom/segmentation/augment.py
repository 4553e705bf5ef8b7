"""What is drawn for a photo in training: how it is placed, and what happens to its light and its pixels.

All numbers come from one generator in one order, so a photo's draw depends on (seed, epoch, index) alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.boxes import Box
from fittingroom.images import RGB
from fittingroom.segmentation.settings import SegmenterSettings

ASPECTS = (0.62, 1.2)
"""Least and greatest width over height of a close-up."""
OFF_CENTRE = 0.35
"""How far a close-up's middle lies from the garment's, at most, as a share of the garment's sides."""


@dataclass(frozen=True)
class Draw:
    """What was drawn for one photo: its placement, the matrix its colours go through, what is done to its pixels."""

    scale: float
    flip: bool
    shift: tuple[float, float]
    colour_matrix: NDArray[np.float64] | None
    light: tuple[float, NDArray[np.float64]] | None = None
    """Exponent of brightness and a factor for each channel."""
    close_up: CloseUp | None = None
    degraded: Degraded | None = None
    paste: bool = False
    wall: bool = False

    @classmethod
    def at(cls, random: np.random.Generator, settings: SegmenterSettings) -> Draw:
        """Draw for one photo; always the same count of numbers."""
        numbers, more = random.random(8), random.random(20)
        signed = 2 * numbers - 1
        scale = 1 + settings.scale_jitter * signed[0]
        strength = settings.colour_jitter
        colour, light = None, None
        if strength:
            brightness, contrast, saturation = (float(value) for value in 1 + strength * signed[4:7])
            colour = _colour_matrix(brightness, contrast, saturation, 0.3 * strength * signed[7])
        if settings.light_jitter:
            signs = 2 * more[:4] - 1
            light = (float(np.exp(settings.light_jitter * signs[0])), 1 + 0.3 * settings.light_jitter * signs[1:4])
        low, high = settings.close_up_zoom
        near = CloseUp(
            float(np.exp(np.log(low) + more[5] * np.log(high / low))),
            float(ASPECTS[0] + more[6] * (ASPECTS[1] - ASPECTS[0])),
            float(more[7]),
            (float(more[8] * 2 - 1) * OFF_CENTRE, float(more[9] * 2 - 1) * OFF_CENTRE),
        )
        degraded = Degraded(
            settings.blur * max(2 * more[10] - 1, 0),
            settings.noise * max(2 * more[11] - 1, 0),
            int(100 - (100 - settings.jpeg) * max(2 * more[12] - 1, 0)),
        )
        return cls(
            scale,
            settings.flip and numbers[1] < 0.5,
            (numbers[2], numbers[3]),
            colour,
            light,
            near if more[4] < settings.close_up_share else None,
            degraded,
            more[13] < settings.paste_share,
            more[14] < settings.wall_share,
        )

    def placement(self, height: int, width: int) -> tuple[NDArray[np.float64], tuple[int, int]]:
        """The 3 x 3 matrix from the photo to the example, and the example's (height, width).

        An enlarged photo is cropped to its own size at the drawn place; a smaller one makes a smaller example. A
        close-up is at its scale already.
        """
        scale = 1.0 if self.close_up else self.scale
        new = (max(round(height * min(scale, 1)), 8), max(round(width * min(scale, 1)), 8))
        matrix = scaling(scale, scale)
        spare = (width * scale - new[1], height * scale - new[0])
        matrix[0, 2] -= max(spare[0], 0) * self.shift[0]
        matrix[1, 2] -= max(spare[1], 0) * self.shift[1]
        if self.flip:
            matrix = np.array([[-1.0, 0, new[1] - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
        return matrix, new

    def pixels(self, image: RGB, random: np.random.Generator) -> RGB:
        """The photo, (H, W, 3) uint8, with its colours and light changed, then degraded; as large as before."""
        if self.colour_matrix is not None:
            image = np.asarray(cv2.transform(image, self.colour_matrix), np.uint8)
        if self.light is not None:
            exponent, factors = self.light
            ramp = (np.arange(256) / 255) ** exponent * 255
            table = np.clip(np.round(ramp[:, None] * factors), 0, 255).astype(np.uint8)
            image = np.asarray(cv2.LUT(image, table[:, None, :]), np.uint8)
        return image if self.degraded is None else self.degraded.of(image, random)


@dataclass(frozen=True)
class CloseUp:
    """A close-up as drawn: times enlarged, width over height, which garment (0 to 1), and how far off its middle."""

    zoom: float
    aspect: float
    garment: float
    off: tuple[float, float]

    def view(self, garments: list[Box], height: int, width: int) -> Box:
        """The part of a photo to look at, inside of it, in its pixels.

        Args:
            garments: boxes of the photo's garments, in its pixels; at least one.
            height: of the photo.
            width: of the photo.
        """
        box = garments[min(int(self.garment * len(garments)), len(garments) - 1)]
        wide = min(min(width, height) / self.zoom, width)
        high = min(wide / self.aspect, height)
        x = (box.x1 + box.x2) / 2 + self.off[0] * box.width - wide / 2
        y = (box.y1 + box.y2) / 2 + self.off[1] * box.height - high / 2
        left, top = (int(np.clip(at, 0, most)) for at, most in ((x, width - wide), (y, height - high)))
        return Box(left, top, left + max(int(wide), 8), top + max(int(high), 8)).clip(height, width)


@dataclass(frozen=True)
class Degraded:
    """Standard deviations of blur (pixels) and of noise (grey levels), and the JPEG quality: 0, 0, 100 is no change."""

    blur: float
    noise: float
    quality: int

    def of(self, image: RGB, random: np.random.Generator) -> RGB:
        """A photo, (H, W, 3) uint8, as a poor camera and a network would leave it; as large as before."""
        if self.blur > 0.2:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), self.blur), np.uint8)
        if self.noise > 0.5:
            noisy = image + random.normal(0, self.noise, image.shape).astype(np.float32)
            image = np.clip(noisy, 0, 255).astype(np.uint8)
        if self.quality < 100:
            _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
            image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        return image


def scaling(x: float, y: float) -> NDArray[np.float64]:
    """The 3 x 3 matrix that scales about the picture's corner, where pixel centres have whole numbers."""
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def _colour_matrix(brightness: float, contrast: float, saturation: float, hue: float) -> NDArray[np.float64]:
    """One 3 x 4 matrix for all four: factors about 1, and a rotation about the grey axis in radians."""
    grey = np.full((3, 3), 1 / 3)
    cross = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    rotation = np.cos(hue) * (np.eye(3) - grey) + np.sin(hue) * cross + grey
    matrix = brightness * contrast * (grey + saturation * (rotation - grey))
    offset = np.full((3, 1), 127.5 * brightness * (1 - contrast))
    return np.hstack([matrix, offset])
