"""Fabrics: a pattern, its colours and its period, sampled at any point of a garment."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from fittingroom.sample.canvas import Colour
from fittingroom.sample.shapes import Field
from fittingroom.style_card import PATTERNS, Pattern


def _hex(code: str) -> Colour:
    return int(code[0:2], 16) / 255, int(code[2:4], 16) / 255, int(code[4:6], 16) / 255


COLOURS: dict[str, Colour] = {
    "white": _hex("e9e8e4"),
    "cream": _hex("e6dcc3"),
    "black": _hex("26262a"),
    "charcoal": _hex("46474d"),
    "grey": _hex("8f9196"),
    "silver": _hex("c2c4c8"),
    "navy": _hex("1d2b53"),
    "blue": _hex("2f5fae"),
    "sky": _hex("8fb8de"),
    "denim": _hex("4a6488"),
    "teal": _hex("1f6f73"),
    "green": _hex("1f7a45"),
    "olive": _hex("6a6b3c"),
    "mint": _hex("a4d4ba"),
    "red": _hex("bf2029"),
    "burgundy": _hex("6b1e2e"),
    "pink": _hex("e3a1b0"),
    "rose": _hex("c85b77"),
    "orange": _hex("d9762b"),
    "yellow": _hex("efc12f"),
    "beige": _hex("c9b292"),
    "brown": _hex("6d4b33"),
    "purple": _hex("5e3a7c"),
    "lilac": _hex("b49ad0"),
}
"""Garment colours by name, sRGB 0 to 1."""


@dataclass(frozen=True)
class Fabric:
    """``period`` is in head heights; ``share`` is how much of the period the second colour has."""

    pattern: Pattern
    base: Colour
    second: Colour = (1.0, 1.0, 1.0)
    period: float = 0.25
    angle: float = 0.0
    share: float = 0.5
    weave: float = 0.02
    shine: float = 0.0
    seed: int = 0

    def sample(self, across: Field, down: Field, texel: float) -> Field:
        """Albedo (H, W, 3) at fields of garment coordinates in head heights; ``texel`` is one pixel's size there."""
        cosine, sine = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        scale = np.float32(1 / self.period)
        u = np.asarray(scale * (cosine * across + sine * down), np.float32)
        v = np.asarray(scale * (cosine * down - sine * across), np.float32)
        amount = self._second_share(u, v, max(texel / self.period, 1e-3))
        base, second = np.asarray(self.base, np.float32), np.asarray(self.second, np.float32)
        colours = base + (second - base) * amount[..., None]
        if self.weave:
            # Threads: a fine grid that is smooth in the garment's own coordinates.
            grain = np.sin(across * 173) * np.sin(down * 191) + 0.6 * np.sin(across * 61 + 5 * np.sin(down * 37))
            colours = colours * (1 + self.weave * grain)[..., None]
        return np.asarray(colours, np.float32)

    def _second_share(self, u: Field, v: Field, soft: float) -> Field:
        if self.pattern == "striped":
            return _band(v, self.share, soft)
        if self.pattern == "checked":  # gingham: crossing bands, darkest where both meet
            return np.asarray(0.5 * (_band(u, self.share, soft) + _band(v, self.share, soft)), np.float32)
        if self.pattern == "dotted":
            row = np.floor(v)
            x = u - 0.5 * (row % 2)
            distance = np.hypot(x - np.floor(x) - 0.5, v - row - 0.5)
            return _step(self.share * 0.62 - distance, soft)
        if self.pattern == "floral":
            row, column = np.floor(v), np.floor(u)
            dice = np.sin(row * 12.9898 + column * 78.233 + self.seed) * 43758.5453
            dice = dice - np.floor(dice)
            right, below = u - column - 0.5 - 0.2 * (dice - 0.5), v - row - 0.5 + 0.24 * (dice - 0.5)
            petals = 0.3 * (0.72 + 0.28 * np.cos(5 * np.arctan2(below, right) + 6.28 * dice))
            return _step(petals * (0.7 + 0.5 * dice) - np.hypot(right, below), soft)
        return np.zeros_like(u)


def _step(signed: NDArray[np.floating], soft: float) -> Field:
    """0 below, 1 above zero, with an edge as soft as a pixel."""
    return np.asarray(np.clip(signed / soft + 0.5, 0, 1), np.float32)


def _band(position: Field, share: float, soft: float) -> Field:
    """1 in the first ``share`` of each period, 0 in the rest."""
    phase = position - np.floor(position)
    return _step(share / 2 - np.abs(phase - 0.5), soft)


def _far(a: Colour, b: Colour) -> float:
    return float(sum(abs(x - y) for x, y in zip(a, b, strict=True)))


def random_fabric(rng: Generator, patterned: float = 0.5) -> Fabric:
    """Any fabric: a colour with a little of its own tint, and a pattern with probability ``patterned``."""
    names = sorted(COLOURS)
    # Real wardrobes are full of white, black and denim; these are also the hard cases.
    weights = np.array([3.0 if n in ("white", "black", "denim", "navy", "grey", "beige") else 1.0 for n in names])
    base = COLOURS[str(rng.choice(names, p=weights / weights.sum()))]
    base = tint(base, rng, 0.03)
    weave, shine = float(rng.uniform(0.005, 0.03)), float(rng.choice([0.0, 0.0, 0.15]))
    if rng.random() >= patterned:
        return Fabric("solid", base, weave=weave, shine=shine)
    pattern = PATTERNS[int(rng.integers(1, 5))]
    second = base
    while _far(base, second) < 0.45:
        second = tint(COLOURS[str(rng.choice(names))], rng, 0.03)
    angle = float(rng.choice([0.0, 0.0, 0.0, np.pi / 2, 0.6])) if pattern == "striped" else 0.0
    period = float(rng.uniform(0.14, 0.36)) * (1.35 if pattern in ("floral", "dotted") else 1.0)
    share = float(rng.uniform(0.3, 0.6))
    return Fabric(pattern, base, second, period, angle, share, weave, shine, int(rng.integers(1000)))


def tint(colour: Colour, rng: Generator, amount: float) -> Colour:
    """The colour moved by up to ``amount`` in each channel."""
    moved = np.clip(np.asarray(colour) + rng.uniform(-amount, amount, 3), 0.03, 0.95)
    return float(moved[0]), float(moved[1]), float(moved[2])


def rescaled(fabric: Fabric, period: float) -> Fabric:
    """The same fabric with another period, in head heights."""
    return replace(fabric, period=period)
