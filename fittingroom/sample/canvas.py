"""The canvas: layers painted back to front with light, and who owns each pixel.

A layer is an outline filled with a cloth or skin colour, rounded like a pillow, creased by a fold height field and lit
from one direction (Lambert's cosine law). A pixel belongs to the layer that covers at least half of it, so that the
true masks agree with what is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fittingroom.images import RGB
from fittingroom.sample.shapes import Field, Points

Colour = tuple[float, float, float]
Albedo = Callable[[Field, Field], Field]
Height = Callable[[Field, Field], Field]

_SHIFT = 4


@dataclass(frozen=True)
class Light:
    """Where the light comes from (x right, y down, z to the camera) and how much comes from everywhere."""

    x: float = -0.45
    y: float = -0.5
    z: float = 0.74
    ambient: float = 0.5


@dataclass(frozen=True, eq=False)
class Surface:
    """What a layer is made of. ``round_px`` is how far its edge curves away; ``height`` gives folds in pixels."""

    albedo: Colour | Albedo
    round_px: float = 6.0
    height: Height | None = None
    shine: float = 0.0
    warp: float = 0.0
    shadow: float = 0.35
    """How much it darkens the figure just below it."""


def polygon_alpha(outline: Points, left: int, top: int, width: int, height: int) -> NDArray[np.uint8]:
    """Coverage 0 to 255 of a window (height, width) at (left, top) by a polygon in pixels."""
    alpha = np.zeros((height, width), np.uint8)
    points = np.round((outline - (left, top)) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(alpha, [points], 255, lineType=cv2.LINE_AA, shift=_SHIFT)
    return alpha


def soft_blur(image: NDArray[np.uint8] | Field, sigma: float) -> Field:
    """A Gaussian blur, as float32; wide ones are made on a smaller copy, many times faster and alike to the eye."""
    shrink = int(sigma / 2.5)
    if shrink < 2 or min(image.shape[:2]) < 8 * shrink:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    rows, columns = image.shape[:2]
    small = cv2.resize(image, (columns // shrink, rows // shrink), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(np.asarray(small, np.float32), (0, 0), sigma / shrink)
    return np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


class Canvas:
    """``image`` float32 (H, W, 3) 0 to 1; ``owners`` uint8 (H, W); ``figure`` float32 (H, W), where someone stands."""

    def __init__(self, background: Field, light: Light) -> None:
        self.image = np.ascontiguousarray(background, np.float32)
        self.height, self.width = self.image.shape[:2]
        self.owners = np.zeros((self.height, self.width), np.uint8)
        self.figure = np.zeros((self.height, self.width), np.float32)
        self.light = light

    def paint(self, outline: Points, surface: Surface, owner: int = 0, holes: list[Points] | None = None) -> None:
        """Paint one layer; what it covers now belongs to ``owner`` (0: no garment)."""
        # A margin beyond the picture keeps its border from looking like the layer's own edge.
        margin = int(surface.round_px) + 4
        x1, y1 = np.floor(outline.min(axis=0)).astype(int) - margin
        x2, y2 = np.ceil(outline.max(axis=0)).astype(int) + margin
        x1, y1 = max(x1, -margin), max(y1, -margin)
        x2, y2 = min(x2, self.width + margin), min(y2, self.height + margin)
        if x2 - x1 < 2 or y2 - y1 < 2 or x1 >= self.width or y1 >= self.height or x2 <= 0 or y2 <= 0:
            return
        coverage = polygon_alpha(outline, x1, y1, x2 - x1, y2 - y1)
        for hole in holes or ():
            coverage = np.minimum(coverage, 255 - polygon_alpha(hole, x1, y1, x2 - x1, y2 - y1))
        colours = self._lit(coverage, surface, x1, y1)
        inside = slice(max(y1, 0), min(y2, self.height)), slice(max(x1, 0), min(x2, self.width))
        window = slice(inside[0].start - y1, inside[0].stop - y1), slice(inside[1].start - x1, inside[1].stop - x1)
        alpha = coverage[window].astype(np.float32) / 255
        if surface.shadow:
            spread = max(surface.round_px * 0.8, 2.0)
            near = soft_blur(coverage, spread)[window] / 255
            self.image[inside] *= (1 - surface.shadow * near * (1 - alpha) * self.figure[inside])[..., None]
        self.image[inside] += (colours[window] - self.image[inside]) * alpha[..., None]
        self.figure[inside] = np.maximum(self.figure[inside], alpha)
        self.owners[inside][coverage[window] >= 128] = owner

    def stroke(
        self,
        line: Points,
        width: float,
        colour: Colour | float,
        strength: float = 1.0,
        only_owner: int | None = None,
        owner: int | None = None,
    ) -> None:
        """Draw a line: a ``colour``, or a factor that darkens (below 1) or lightens what is there.

        ``only_owner`` keeps it on one garment; ``owner`` hands the line's pixels to someone else.
        """
        pad = int(width) + 3
        x1, y1 = np.maximum(np.floor(line.min(axis=0)).astype(int) - pad, 0)
        x2, y2 = np.minimum(np.ceil(line.max(axis=0)).astype(int) + pad, (self.width, self.height))
        if x2 <= x1 or y2 <= y1:
            return
        alpha = np.zeros((y2 - y1, x2 - x1), np.uint8)
        points = np.round((line - (x1, y1)) * (1 << _SHIFT)).astype(np.int32)
        thickness = max(round(width), 1)
        cv2.polylines(alpha, [points], False, 255, thickness, cv2.LINE_AA, _SHIFT)
        inside = (slice(y1, y2), slice(x1, x2))
        blend = alpha.astype(np.float32) * (strength * min(width / thickness, 1.0) / 255)
        if only_owner is not None:
            blend *= self.owners[inside] == only_owner
        part = self.image[inside]
        target = part * colour if isinstance(colour, float) else np.asarray(colour, np.float32)
        part += (target - part) * blend[..., None]
        if owner is not None:
            self.owners[inside][alpha >= 128] = owner

    def _lit(self, coverage: NDArray[np.uint8], surface: Surface, left: int, top: int) -> Field:
        """Colours of a whole window: albedo times light on a rounded, creased surface."""
        rows, columns = coverage.shape
        radius = max(surface.round_px, 1.0)
        depth = cv2.distanceTransform((coverage >= 128).astype(np.uint8), cv2.DIST_L2, 3)
        edge = 1 - np.minimum(depth / radius, 1)
        height = 0.75 * radius * np.sqrt(np.maximum(1 - edge * edge, 0)).astype(np.float32)
        height = soft_blur(height, max(radius * 0.22, 0.7))
        x = np.broadcast_to(np.arange(left, left + columns, dtype=np.float32), (rows, columns))
        y = np.broadcast_to(np.arange(top, top + rows, dtype=np.float32)[:, None], (rows, columns))
        folds_x = folds_y = np.zeros(1, np.float32)
        if surface.height is not None:
            folds = surface.height(x, y)
            folds_x = np.asarray(cv2.Sobel(folds, cv2.CV_32F, 1, 0, ksize=3, scale=0.125), np.float32)
            folds_y = np.asarray(cv2.Sobel(folds, cv2.CV_32F, 0, 1, ksize=3, scale=0.125), np.float32)
        slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125) + folds_x
        slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125) + folds_y
        light = self.light
        cosine = (light.z - slope_x * light.x - slope_y * light.y) / np.sqrt(1 + slope_x**2 + slope_y**2)
        shade = light.ambient + (1 - light.ambient) * np.maximum(cosine, 0) / light.z
        if callable(surface.albedo):
            colours = surface.albedo(x + surface.warp * folds_x, y + surface.warp * folds_y)
        else:
            colours = np.broadcast_to(np.asarray(surface.albedo, np.float32), (rows, columns, 3))
        lit = colours * shade[..., None]
        if surface.shine:
            lit = lit + (surface.shine * np.maximum(cosine - 0.8, 0) ** 2 * 12)[..., None]
        return np.asarray(lit, np.float32)

    def pixels(self) -> RGB:
        """The picture as it stands, uint8 (H, W, 3)."""
        return (np.clip(self.image, 0, 1) * 255 + 0.5).astype(np.uint8)
