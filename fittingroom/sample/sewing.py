"""Paints a cut garment in a fabric: folds where cloth folds, patterns that follow trunk and sleeves, hems and seams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from fittingroom.sample.canvas import Albedo, Canvas, Colour, Height, Surface
from fittingroom.sample.fabrics import Fabric
from fittingroom.sample.garments import Cut, Part
from fittingroom.sample.shapes import Field, Frame, Limb, Points


@dataclass(frozen=True, eq=False)
class Garment3D:
    """A garment to paint: its cut, fabric, the folds' depth (0 to 1.5) and the label its pixels get."""

    cut: Cut
    fabric: Fabric
    depth: float
    owner: int
    seed: int


@dataclass(frozen=True, eq=False)
class _Folds:
    """Ridges from ``starts`` to ``ends`` (N, 2), body units, with half widths and heights (N,)."""

    starts: Points
    ends: Points
    widths: Points
    heights: Points

    def at(self, x: Field, y: Field) -> Field:
        """The height field at body coordinates."""
        total = np.zeros_like(x)
        for start, end, width, height in zip(self.starts, self.ends, self.widths, self.heights, strict=True):
            run = end - start
            length = max(float(np.hypot(*run)), 1e-6)
            tx, ty = np.float32(run[0] / length), np.float32(run[1] / length)
            dx, dy = x - np.float32(start[0]), y - np.float32(start[1])
            t = (dx * tx + dy * ty) / np.float32(length)
            # A fold is a curve: it sags a little in the middle.
            across = dx * ty - dy * tx + np.float32(0.06) * (t - t * t)
            taper = np.clip(4 * t * (1 - t), 0, 1) ** 2
            total += np.float32(height) * taper * np.exp(-((across / np.float32(width)) ** 2))
        return total


def _trunk_folds(rng: Generator) -> _Folds:
    starts, ends = [], []
    for side in (-1.0, 1.0):
        for _ in range(int(rng.integers(0, 3))):  # drag lines from the armpit towards the middle
            y = rng.uniform(0.7, 1.0)
            starts.append((side * 0.68, y))
            ends.append((side * rng.uniform(-0.2, 0.45), y + rng.uniform(0.1, 1.2)))
        starts.append((side * rng.uniform(0.1, 0.45), rng.uniform(0.9, 1.3)))  # hanging from the chest
        ends.append((side * rng.uniform(0.1, 0.5), rng.uniform(1.9, 2.6)))
    for _ in range(4):  # rolls at the waist
        side, y = rng.choice([-1.0, 1.0]), rng.uniform(1.35, 2.0)
        starts.append((side * 0.66, y))
        ends.append((side * rng.uniform(-0.3, 0.2), y + rng.uniform(-0.05, 0.25)))
    count = len(starts)
    return _Folds(np.array(starts), np.array(ends), rng.uniform(0.055, 0.12, count), rng.uniform(0.015, 0.05, count))


def _leg_folds(rng: Generator) -> _Folds:
    starts, ends = [], []
    for side in (-1.0, 1.0):
        for _ in range(3):  # from the crotch outwards
            starts.append((side * 0.05, 2.7 + rng.uniform(-0.1, 0.25)))
            ends.append((side * 0.62, 2.7 + rng.uniform(-0.35, 0.4)))
        for _ in range(4):  # behind the knee and above the shoe
            y = float(rng.choice([4.25, 5.6])) + rng.uniform(-0.3, 0.25)
            starts.append((side * 0.1, y))
            ends.append((side * 0.62, y + rng.uniform(-0.15, 0.15)))
        x = side * rng.uniform(0.3, 0.36)
        starts.append((x, 2.6))
        ends.append((x, 6.2))
    count = len(starts)
    return _Folds(np.array(starts), np.array(ends), rng.uniform(0.04, 0.08, count), rng.uniform(0.01, 0.04, count))


def _limb_folds(rng: Generator, limb: Limb) -> _Folds:
    left, right = limb.sides
    count = 6 if len(limb.centre) > 20 else 3
    starts, ends = [], []
    for _ in range(count):
        i = int(rng.integers(2, len(left) - 2))
        j = int(np.clip(i + rng.integers(-3, 4), 1, len(left) - 2))
        a, b = (left[i], right[j]) if rng.random() < 0.5 else (right[i], left[j])
        starts.append(a)
        ends.append(a + (b - a) * rng.uniform(0.6, 1.0))
    return _Folds(np.array(starts), np.array(ends), rng.uniform(0.035, 0.07, count), rng.uniform(0.012, 0.035, count))


def _height(folds: _Folds, garment: Garment3D, frame: Frame, rng: Generator, on_trunk: bool) -> Height:
    scale = np.float32(frame.unit * garment.depth)
    cut = garment.cut
    frequency, phase = rng.uniform(9, 15), rng.uniform(0, 6)
    wander = rng.uniform(1.5, 4.0, 3)
    bumps = rng.uniform(0, 6, 4)

    def height(x: Field, y: Field) -> Field:
        u, v = frame.to_body(x, y)
        total = folds.at(u, v)
        wandering = np.sin(u * 5.1 + bumps[0] + 1.3 * np.sin(v * 2.3 + bumps[1]))
        total += np.float32(0.014) * wandering * np.sin(v * 4.3 + bumps[2])
        if on_trunk and cut.waves:
            fall = np.clip((v - cut.waist) / 1.2, 0, 1.6)
            spread = 0.7 + cut.waves * np.clip((v - cut.waist) / 2.5, 0, 1.2)
            angle = u / spread
            waves = np.sin(frequency * angle + phase + wander[0] * np.sin(2 * angle + wander[1]))
            total += np.float32(0.03 + 0.045 * min(cut.waves, 0.8)) * fall * waves
        return np.asarray(total * scale, np.float32)

    return height


def _albedo(fabric: Fabric, frame: Frame, part: Part) -> Albedo:
    texel = 1.0 / frame.unit
    limb = part.limb
    if limb is None:

        def trunk(x: Field, y: Field) -> Field:
            u, v = frame.to_body(x, y)
            return fabric.sample(u, v - np.float32(0.09) * u * u, texel)

        return trunk
    # A sleeve's fabric runs along the arm, and turns with it at the elbow.
    first, last = limb.centre[0], limb.centre[-1]
    bend = limb.centre[len(limb.centre) // 2]
    one, two = bend - first, last - bend
    length = float(np.hypot(*one))
    one, two = one / max(length, 1e-6), two / max(float(np.hypot(*two)), 1e-6)

    def sleeve(x: Field, y: Field) -> Field:
        u, v = frame.to_body(x, y)
        du, dv = u - np.float32(first[0]), v - np.float32(first[1])
        eu, ev = u - np.float32(bend[0]), v - np.float32(bend[1])
        near, far = du * one[0] + dv * one[1], eu * two[0] + ev * two[1]
        weight = 1 / (1 + np.exp(-np.clip(far / 0.12, -30, 30)))
        down = near * (1 - weight) + (length + far) * weight
        across = (dv * one[0] - du * one[1]) * (1 - weight) + (ev * two[0] - eu * two[1]) * weight
        return fabric.sample(np.asarray(across, np.float32), np.asarray(down, np.float32), texel)

    return sleeve


def paint_part(canvas: Canvas, frame: Frame, garment: Garment3D, part: Part) -> None:
    """Paint one piece with its seams."""
    salt = sum(ord(letter) for letter in part.place)
    rng = np.random.default_rng([garment.seed, salt])
    unit = frame.unit
    if part.limb is not None:
        folds, round_px = _limb_folds(rng, part.limb), 0.17 * unit
    elif part.place == "legs":
        folds, round_px = _leg_folds(rng), 0.3 * unit
    else:
        folds, round_px = _trunk_folds(rng), 0.36 * unit
    if part.place.endswith("strap"):
        round_px = 0.04 * unit
    on_trunk = part.limb is None and part.place != "legs"
    surface = Surface(
        _albedo(garment.fabric, frame, part),
        round_px=max(round_px, 1.5),
        height=_height(folds, garment, frame, rng, on_trunk),
        shine=garment.fabric.shine,
        warp=0.045 * unit,
    )
    canvas.paint(frame.to_pixels(part.outline), surface, garment.owner)
    for seam in part.seams:
        line = frame.to_pixels(seam)
        canvas.stroke(line, max(0.018 * unit, 0.8), 0.62, 0.6, only_owner=garment.owner)
        canvas.stroke(
            line + np.array([0.0, 0.022 * unit]), max(0.015 * unit, 0.7), 1.12, 0.45, only_owner=garment.owner
        )


def paint_inside(canvas: Canvas, frame: Frame, garment: Garment3D) -> None:
    """The inner back of the neckline, seen when nobody wears the garment."""
    if garment.cut.inside is None:
        return
    fabric = garment.fabric

    def dim(x: Field, y: Field) -> Field:
        u, v = frame.to_body(x, y)
        return np.asarray(fabric.sample(u, v, 1 / frame.unit) * np.float32(0.66), np.float32)

    surface = Surface(dim, round_px=0.1 * frame.unit, shadow=0.0)
    canvas.paint(frame.to_pixels(garment.cut.inside), surface, garment.owner)


def paint_trim(canvas: Canvas, frame: Frame, garment: Garment3D, rib: bool) -> None:
    """Collar edge and buttons, over the trunk."""
    unit = frame.unit
    for collar in garment.cut.collar:
        line = frame.to_pixels(collar)
        if rib:
            canvas.stroke(line, 0.075 * unit, _dimmed(garment.fabric.base, 0.86), 0.9, only_owner=garment.owner)
        canvas.stroke(line + np.array([0.0, 0.04 * unit]), max(0.016 * unit, 0.8), 0.7, 0.6, only_owner=garment.owner)
    for x, y in frame.to_pixels(garment.cut.buttons) if len(garment.cut.buttons) else ():
        canvas.stroke(np.array([(x, y), (x + 0.1, y)]), max(0.07 * unit, 1.5), _dimmed(garment.fabric.base, 0.45))


def _dimmed(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
