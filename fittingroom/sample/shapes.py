"""Smooth outlines: splines, tapered limbs and the frame that maps body units (head heights) to pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Field = NDArray[np.float32]
Pair = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Frame:
    """An affine map from body units (x right, y down, the pit of the neck at 0, 0) to pixels."""

    matrix: Points
    origin: Points

    @staticmethod
    def make(origin: Pair, unit: float, turn: float = 0.0, squash: float = 1.0) -> Frame:
        """``unit`` pixels a head height, turned by ``turn`` radians, narrowed to ``squash`` of its width."""
        cosine, sine = np.cos(turn), np.sin(turn)
        matrix = unit * np.array([[cosine * squash, -sine], [sine * squash, cosine]])
        return Frame(matrix, np.asarray(origin, np.float64))

    @property
    def unit(self) -> float:
        """Pixels a head height."""
        return float(np.hypot(self.matrix[0, 1], self.matrix[1, 1]))

    def to_pixels(self, points: Points) -> Points:
        """(N, 2) body units to pixels."""
        return np.asarray(points @ self.matrix.T + self.origin)

    def to_body(self, x: Field, y: Field) -> tuple[Field, Field]:
        """Fields of pixel coordinates to fields of body units."""
        inverse = np.linalg.inv(self.matrix).astype(np.float32)
        dx, dy = x - np.float32(self.origin[0]), y - np.float32(self.origin[1])
        return inverse[0, 0] * dx + inverse[0, 1] * dy, inverse[1, 0] * dx + inverse[1, 1] * dy


def spline(points: Sequence[Pair | Points] | Points, steps: int = 7, closed: bool = False) -> Points:
    """A Catmull-Rom curve through ``points`` (Catmull and Rom, 1974), ``steps`` samples a segment."""
    knots = np.asarray(points, np.float64)
    if len(knots) < 3 and not closed:
        return knots
    if closed:
        knots = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        knots = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    before, start, end, after = (knots[i : len(knots) - 3 + i, None, :] for i in range(4))
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    samples = curve.reshape(-1, 2)
    return samples if closed else np.concatenate([samples, knots[-2:-1]])


def outline(*curves: Sequence[Pair | Points] | Points) -> Points:
    """One closed outline of several curves, each smooth in itself, with corners where they meet."""
    return np.concatenate([spline(curve) for curve in curves])


def mirrored(points: Sequence[Pair | Points] | Points) -> Points:
    """The same points on the other side of the body's middle, in reverse order."""
    flipped: Points = np.asarray(points, np.float64)[::-1] * np.array([-1.0, 1.0])
    return flipped


def along(points: Points, fraction: float) -> Points:
    """The point (2,) at ``fraction`` of the length of a polyline."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    reached = np.concatenate([[0.0], np.cumsum(steps)])
    at = fraction * reached[-1]
    return np.array([np.interp(at, reached, points[:, 0]), np.interp(at, reached, points[:, 1])])


@dataclass(frozen=True, eq=False)
class Limb:
    """A tapered tube along a bent centre line."""

    centre: Points
    half_widths: Points

    @staticmethod
    def make(joints: Sequence[Pair | Points] | Points, half_widths: Sequence[float]) -> Limb:
        """A smooth tube through ``joints``."""
        centre = spline(joints, 8)
        given = np.linspace(0, 1, len(half_widths))
        return Limb(centre, np.interp(np.linspace(0, 1, len(centre)), given, half_widths))

    @property
    def sides(self) -> tuple[Points, Points]:
        """The two long edges, both from the start to the end: first the one at the left of the way down."""
        tangent = np.gradient(self.centre, axis=0)
        tangent /= np.maximum(np.hypot(*tangent.T)[:, None], 1e-9)
        normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1) * self.half_widths[:, None]
        return self.centre + normal, self.centre - normal

    def outline(self, round_start: bool = True, round_end: bool = True) -> Points:
        """The closed outline, with half-round or straight ends."""
        left, right = self.sides
        parts = [left]
        if round_end:
            parts.append(self._cap(left[-1], right[-1]))
        parts.append(right[::-1])
        if round_start:
            parts.append(self._cap(right[0], left[0]))
        return np.concatenate(parts)

    @staticmethod
    def _cap(start: Points, end: Points) -> Points:
        middle, arm = (start + end) / 2, (start - end) / 2
        forward = np.array([-arm[1], arm[0]])
        angles = np.linspace(0, np.pi, 8)[1:-1, None]
        return np.asarray(middle + arm * np.cos(angles) + forward * np.sin(angles))


def ellipse(centre: Pair, radii: Pair, turn: float = 0.0, count: int = 28) -> Points:
    """The outline (count, 2) of an ellipse turned by ``turn`` radians."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    x, y = radii[0] * np.cos(angles), radii[1] * np.sin(angles)
    cosine, sine = np.cos(turn), np.sin(turn)
    return np.stack([centre[0] + cosine * x - sine * y, centre[1] + sine * x + cosine * y], axis=1)
