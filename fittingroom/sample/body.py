"""A body: its build and pose, in head heights from the pit of the neck (x right, y down)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from fittingroom.sample.shapes import Pair, Points

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
"""As seen in the picture."""

CROTCH, KNEE, ANKLE = 2.72, 4.25, 5.9
HEAD_CENTRE, HEAD_RADII = (0.0, -0.76), (0.36, 0.5)


@dataclass(frozen=True)
class Build:
    """Half widths of the trunk at shoulder, chest, waist and hip; ``limb`` scales arms and legs."""

    shoulder: float
    chest: float
    waist: float
    hip: float
    limb: float

    def half_width(self, y: float) -> float:
        """Half the trunk's width at height ``y`` below the neck."""
        levels = (0.2, 0.75, 1.6, 2.35, CROTCH)
        widths = (self.shoulder, self.chest, self.waist, self.hip, self.hip * 0.98)
        return float(np.interp(y, levels, widths))


@dataclass(frozen=True)
class Arm:
    """``raise_`` is the upper arm's angle from hanging, ``bend`` turns the forearm inwards (radians)."""

    raise_: float
    bend: float
    over: bool = False
    """The forearm lies in front of the trunk."""


@dataclass(frozen=True)
class Pose:
    """Where arms and legs go; ``view`` as seen: front, back or side."""

    left: Arm
    right: Arm
    stance: float = 0.0
    """Half the extra distance between the feet."""
    step: float = 0.0
    """How much one knee is bent towards the other."""
    view: Literal["front", "back", "side"] = "front"

    def arm(self, side: Side) -> Arm:
        """The arm at one side of the picture."""
        return self.left if side == "left" else self.right


def sign(side: Side) -> float:
    """-1 for the left of the picture, 1 for the right."""
    return -1.0 if side == "left" else 1.0


def arm_joints(build: Build, arm: Arm, side: Side, upper: float = 1.22, lower: float = 1.02) -> Points:
    """Shoulder, elbow, wrist (3, 2)."""
    s = sign(side)
    shoulder = np.array([s * (build.shoulder - 0.2), 0.34])
    a, b = arm.raise_, arm.raise_ - arm.bend
    elbow = shoulder + upper * np.array([s * np.sin(a), np.cos(a)])
    wrist = elbow + lower * np.array([s * np.sin(b), np.cos(b)])
    return np.stack([shoulder, elbow, wrist])


def leg_joints(build: Build, pose: Pose, side: Side) -> Points:
    """Hip, knee, ankle (3, 2)."""
    s = sign(side)
    hip = (s * build.hip * 0.5, 2.45)
    inward = pose.step if side == "left" else 0.0
    knee = (s * (0.3 + 0.55 * pose.stance - inward), KNEE)
    ankle = (s * (0.28 + pose.stance - 0.4 * inward), ANKLE - 0.3 * inward)
    return np.array([hip, knee, ankle])


def random_build(rng: Generator) -> Build:
    """Slender to sturdy, wider at the shoulder or at the hip."""
    size, shape = rng.uniform(-1, 1), rng.uniform(-1, 1)
    return Build(
        shoulder=0.86 + 0.07 * size - 0.06 * shape,
        chest=0.66 + 0.07 * size - 0.03 * shape,
        waist=0.54 + 0.09 * size - 0.03 * shape,
        hip=0.66 + 0.06 * size + 0.04 * shape,
        limb=1.0 + 0.12 * size - 0.04 * shape,
    )


def random_pose(rng: Generator, view: Literal["front", "back", "side"] = "front") -> Pose:
    """Arms hanging, on the hip, across the front, or raised; feet together or apart."""
    stance = float(rng.uniform(0.0, 0.28))
    step = float(rng.choice([0.0, 0.0, 0.12]))
    return Pose(_random_arm(rng), _random_arm(rng), stance, step, view)


def _random_arm(rng: Generator) -> Arm:
    kind = rng.choice(["hang", "open", "hip", "across", "raised"], p=[0.45, 0.2, 0.15, 0.13, 0.07])
    if kind == "hang":
        return Arm(float(rng.uniform(0.12, 0.3)), float(rng.uniform(0.0, 0.3)))
    if kind == "open":
        return Arm(float(rng.uniform(0.35, 0.75)), float(rng.uniform(-0.1, 0.4)))
    if kind == "hip":
        return Arm(float(rng.uniform(0.65, 0.85)), float(rng.uniform(1.6, 1.8)))
    if kind == "across":
        return Arm(float(rng.uniform(0.12, 0.3)), float(rng.uniform(1.5, 2.1)), over=True)
    return Arm(float(rng.uniform(1.9, 2.5)), float(rng.uniform(-0.5, -0.1)))


def flat_pose(rng: Generator) -> Pose:
    """Sleeves spread as in a flat lay, both sides nearly alike."""
    spread, bend = float(rng.uniform(0.25, 0.6)), float(rng.uniform(0.0, 0.4))
    jitter = rng.normal(0, 0.03, 2)
    stance = float(rng.uniform(0.08, 0.2))
    return Pose(Arm(spread + float(jitter[0]), bend), Arm(spread + float(jitter[1]), bend), stance)


def between(a: Pair | Points, b: Pair | Points, t: float) -> Points:
    """The point (2,) at ``t`` of the way from ``a`` to ``b``."""
    return np.asarray(a, np.float64) * (1 - t) + np.asarray(b, np.float64) * t
