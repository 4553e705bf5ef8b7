"""How the 13 categories are cut: outlines on a posed body, their seams, and DeepFashion2's landmarks.

Landmarks follow the order of DeepFashion2's figure (Ge et al., CVPR 2019): the neckline first, then
counter-clockwise in the picture from the shoulder at the left: sleeve, armpit, side, hem, and up the other side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.random import Generator

from fittingroom.categories import LANDMARK_COUNTS
from fittingroom.sample.body import (
    ANKLE,
    CROTCH,
    KNEE,
    SIDES,
    Build,
    Pose,
    Side,
    arm_joints,
    between,
    leg_joints,
    sign,
)
from fittingroom.sample.shapes import Limb, Points, along, mirrored, spline

Place = Literal[
    "trunk", "left_sleeve", "right_sleeve", "left_panel", "right_panel", "left_strap", "right_strap", "legs"
]


@dataclass(frozen=True, eq=False)
class Part:
    """One painted piece. ``limb`` gives a sleeve its own run of the fabric."""

    place: Place
    outline: Points
    limb: Limb | None = None
    seams: tuple[Points, ...] = ()


@dataclass(frozen=True, eq=False)
class Cut:
    """A garment before it is painted, in head heights. ``inside`` is its inner back, seen when nobody wears it."""

    category_id: int
    parts: tuple[Part, ...]
    landmarks: Points
    waves: float = 0.0
    """How deep the hanging folds of a skirt are."""
    inside: Points | None = None
    collar: tuple[Points, ...] = ()
    buttons: Points = field(default_factory=lambda: np.zeros((0, 2)))
    waist: float = 1.6

    def __post_init__(self) -> None:
        if len(self.landmarks) != LANDMARK_COUNTS[self.category_id]:
            raise ValueError(f"landmarks: expected {LANDMARK_COUNTS[self.category_id]}, got {len(self.landmarks)}")


@dataclass(frozen=True)
class _Ease:
    """How a garment sits: added to the body's half widths."""

    fit: float
    neck_width: float
    neck_depth: float


def cut(category_id: int, build: Build, pose: Pose, rng: Generator) -> Cut:
    """Cut a garment of a category (1 to 13) for a body."""
    if category_id in (7, 8):
        return _cut_trousers(category_id, build, pose, rng)
    if category_id == 9:
        return _cut_skirt(build, rng)
    ease = _Ease(
        fit=float(rng.uniform(0.03, 0.16)) + (0.08 if category_id in (3, 4) else 0.0),
        neck_width=float(rng.uniform(0.22, 0.34)),
        neck_depth=float(rng.uniform(0.1, 0.32)) if pose.view != "back" else 0.02,
    )
    if category_id in (3, 4):
        return _cut_outwear(category_id, build, pose, ease, rng)
    return _cut_top_or_dress(category_id, build, pose, ease, rng)


def _trunk_edge(build: Build, ease: _Ease, length: float, flare: float, armpit: tuple[float, float]) -> Points:
    """The right-hand edge from the armpit down to the hem."""
    knots: list[tuple[float, float]] = [armpit]
    knots += [(build.half_width(y) + ease.fit, y) for y in (1.15, 1.62, 2.05, 2.4) if y < length - 0.12]
    bottom = build.half_width(min(length, 2.4)) + ease.fit + flare
    if length > 3.0:
        knots.append((build.half_width(2.4) + ease.fit + flare * 0.5, (2.4 + length) / 2))
    knots.append((bottom, length))
    return spline(knots)


def _cut_top_or_dress(category_id: int, build: Build, pose: Pose, ease: _Ease, rng: Generator) -> Cut:
    dress = category_id >= 10
    kind = category_id - 9 if dress else category_id  # 1 short sleeves, 2 long sleeves, 3 and 5 vest, 4 and 6 sling
    sleeved, sling = kind in (1, 2), (category_id in (6, 13))
    length = float(rng.uniform(3.2, 4.9)) if dress else float(rng.uniform(1.9, 2.65))
    flare = float(rng.uniform(0.02, 0.75)) if dress else float(rng.uniform(-0.02, 0.1))
    s = build.shoulder
    neck = (ease.neck_width, -0.02 + 0.05 * ease.neck_width)
    tip = (s + 0.01, 0.17) if sleeved else (s - 0.2, 0.1)
    armpit = (build.chest + 0.02 + ease.fit * 0.8, 0.8 + ease.fit)
    top_y = float(rng.uniform(0.42, 0.6))
    if sling:
        neck, tip = (0.36, top_y + 0.02), (build.chest - 0.12, top_y - 0.02)
    side = _trunk_edge(build, ease, length, flare, armpit)
    hem_x, dip = float(side[-1, 0]), float(rng.uniform(0.03, 0.09))
    hem = spline([(hem_x, length), (hem_x * 0.5, length + dip * 0.8), (0, length + dip)])
    depth = top_y + 0.03 if sling else ease.neck_depth
    neckline = spline([(0, depth), (neck[0] * 0.62, neck[1] + (depth - neck[1]) * 0.72), neck])
    if not sling and rng.random() < 0.25:  # a V
        neckline = np.array([(0, depth + 0.15), neck])
    shoulder = _shoulder_line(neck, tip)
    if sleeved:
        hole = spline([tip, (s - 0.06 + ease.fit * 0.3, 0.5), armpit])
    else:
        hole = spline([tip, (min(tip[0], armpit[0]) - 0.03, 0.45), armpit])
    right = np.concatenate([neckline, shoulder[1:], hole[1:], side[1:], hem[1:]])
    trunk = np.concatenate([right, mirrored(right)])
    seams = [_hem_line(hem)]
    if category_id >= 10 and rng.random() < 0.6:
        w = build.half_width(1.55) + ease.fit
        seams.append(spline([(-w, 1.53), (0, 1.6), (w, 1.53)]))
    parts: list[Part] = []
    sleeves: dict[Side, Points] = {}
    if sleeved:
        for which in SIDES:
            part, on_sleeve = _sleeve(build, pose, which, ease, long=kind == 2, tip=tip)
            parts.append(part)
            sleeves[which] = on_sleeve
    parts.append(Part("trunk", trunk, seams=tuple(seams)))
    if sling:
        for which in SIDES:
            x = sign(which)
            strap = Limb.make([(x * (tip[0] - 0.03), tip[1] + 0.06), (x * (s - 0.42), 0.02)], (0.035, 0.03))
            place: Place = "left_strap" if which == "left" else "right_strap"
            parts.append(Part(place, strap.outline()))
    # Landmarks.
    left_neck = mirrored(neckline)
    marks: list[Points] = [np.array([0.0, neck[1] - 0.03 if not sling else depth - 0.02])]
    marks += [left_neck[0], along(left_neck, 0.5), neckline[0], along(neckline, 0.5), neckline[-1]]
    share: tuple[float, ...] = (0.33, 0.67)
    if dress:
        share = (0.2, 0.4, 0.6, 0.8) if sleeved else (0.25, 0.5, 0.75)
    elif not sleeved:
        share = (0.5,)
    flip = np.array([-1.0, 1.0])
    tip_point, armpit_point = np.array(tip), np.array(armpit)
    if sling:
        tip_point = np.array([s - 0.42, 0.02])
    for which in SIDES:
        mirror = flip if which == "left" else np.ones(2)
        down = [tip_point * mirror]
        if sleeved:
            down += list(sleeves[which])
        down += [armpit_point * mirror]
        down += [along(side, f) * mirror for f in share] + [side[-1] * mirror]
        if which == "left":
            marks += [*down, hem[-1]]
        else:
            marks += down[::-1]
    back = spline([(-neck[0], neck[1]), (0, neck[1] + 0.07), (neck[0], neck[1])])
    inside = np.concatenate([back, neckline[::-1], mirrored(neckline)[::-1]]) if not sling else None
    collar = () if sling else (np.concatenate([mirrored(neckline)[:-1], neckline]),)
    return Cut(category_id, tuple(parts), np.stack(marks), flare if dress else 0.0, inside, collar)


def _shoulder_line(neck: tuple[float, float], tip: tuple[float, float]) -> Points:
    """From the neck to the shoulder's tip, a little arched."""
    middle = between(neck, tip, 0.6) - np.array([0.0, 0.035])
    return spline([neck, middle, tip])


def _hem_line(hem: Points) -> Points:
    line = np.concatenate([hem, mirrored(hem)[1:]])
    return np.asarray(line - np.array([0.0, 0.075]))


def _sleeve(
    build: Build,
    pose: Pose,
    which: Side,
    ease: _Ease,
    *,
    long: bool,
    tip: tuple[float, float],
) -> tuple[Part, Points]:
    """A sleeve and its landmarks between shoulder and armpit: 4 for a short one, 8 for a long one."""
    arm = pose.arm(which)
    _, elbow, wrist = arm_joints(build, arm, which)
    hole = 0.225 + 0.4 * ease.fit
    # The sleeve's outer edge leaves the trunk at the shoulder's tip.
    lean = min(arm.raise_, 1.0)
    start = np.array([sign(which) * (tip[0] - 0.97 * hole * np.cos(lean)), tip[1] + 0.97 * hole * np.sin(lean)])
    start[1] += 0.08 * np.cos(lean)
    if long:
        end = between(elbow, wrist, 0.93)
        limb = Limb.make(
            [start, between(start, elbow, 0.55), elbow, between(elbow, wrist, 0.5), end],
            (
                hole,
                hole * 0.85,
                0.2 * build.limb + ease.fit * 0.8,
                0.17 * build.limb + ease.fit * 0.6,
                0.14 + ease.fit * 0.3,
            ),
        )
    else:
        reach = 0.62 + 0.3 * float(np.abs(np.sin(1000 * ease.fit + 3 * ease.neck_width)))
        end = between(start, elbow, reach)
        limb = Limb.make([start, between(start, end, 0.5), end], (hole, hole * 0.95, 0.22 * build.limb + ease.fit))
    first, second = limb.sides
    outer, inner = (second, first) if which == "left" else (first, second)
    # Which edge is the outer one is decided by which starts nearer the shoulder's tip.
    corner = np.array([sign(which) * tip[0], tip[1]])
    if np.hypot(*(outer[0] - corner)) > np.hypot(*(inner[0] - corner)):
        outer, inner = inner, outer
    cuff = np.stack([first[-1], second[-1]])
    back = 0.06 * (limb.centre[-1] - limb.centre[-2]) / max(float(np.hypot(*(limb.centre[-1] - limb.centre[-2]))), 1e-6)
    steps = (0.3, 0.55, 0.78) if long else (0.6,)
    marks = [along(outer, f) for f in steps] + [outer[-1], inner[-1]] + [along(inner, f) for f in steps[::-1]]
    place: Place = "left_sleeve" if which == "left" else "right_sleeve"
    return Part(place, limb.outline(round_end=False), limb, (cuff - back,)), np.stack(marks)


def _cut_outwear(category_id: int, build: Build, pose: Pose, ease: _Ease, rng: Generator) -> Cut:
    length = float(rng.uniform(2.1, 4.2)) if category_id == 4 else float(rng.uniform(2.0, 2.9))
    s = build.shoulder + 0.04
    neck, tip = (0.24, -0.03), (s + 0.01, 0.15)
    armpit = (build.chest + 0.05 + ease.fit * 0.8, 0.9 + ease.fit)
    side = _trunk_edge(build, ease, length, float(rng.uniform(0.0, 0.25)), armpit)
    closed_at = float(rng.uniform(0.05, 0.3))
    open_hem = float(rng.uniform(0.12, 0.42))
    front = spline([(open_hem, length), (closed_at + 0.05, 1.7), (closed_at, 1.0), (0.2, 0.3), neck])
    hem = spline(
        [(float(side[-1, 0]), length), ((float(side[-1, 0]) + open_hem) / 2, length + 0.04), (open_hem, length)]
    )
    hole = spline([tip, (s - 0.03, 0.5), armpit])
    right = np.concatenate([_shoulder_line(neck, tip), hole[1:], side[1:], hem[1:], front[1:-1]])
    lapel = np.array([neck, (0.44, 0.28), (0.36, 0.42), (0.42, 0.5), (closed_at + 0.02, 1.15), (0.2, 0.3)])
    parts: list[Part] = []
    sleeves: dict[Side, Points] = {}
    for which in SIDES:
        part, marks = _sleeve(build, pose, which, ease, long=category_id == 4, tip=tip)
        parts.append(part)
        sleeves[which] = marks
    line = hem - np.array([0.0, 0.075])
    pocket = np.array([(build.half_width(1.9) * 0.55, 1.95), (build.half_width(1.9) * 0.95, 1.9)])
    flip = np.array([-1.0, 1.0])
    parts.append(Part("left_panel", right * flip, seams=(line * flip, lapel * flip, pocket * flip)))
    parts.append(Part("right_panel", right, seams=(line, lapel, pocket)))
    neckline = front[::-1]
    marks_list = [np.array([0.0, neck[1] - 0.02])]
    left_edge = np.array([-1.0, 1.0])
    marks_list += [np.array(neck) * left_edge, along(neckline, 0.12) * left_edge, along(neckline, 0.25) * left_edge]
    marks_list += [along(neckline, 0.12), np.array(neck)]
    for which in SIDES:
        mirror = flip if which == "left" else np.ones(2)
        down = [np.array(tip) * mirror, *sleeves[which], np.array(armpit) * mirror]
        down += [along(side, f) * mirror for f in (0.33, 0.67)] + [side[-1] * mirror]
        # The left edge of the opening carries four points, the right one three: 31 and 39 in all.
        heights = (0.0, 0.25, 0.5, 0.7) if which == "left" else (0.5, 0.25, 0.0)
        opening = [along(front, f) * mirror for f in heights]
        marks_list += [*down, *opening] if which == "left" else [*opening, *down[::-1]]
    back_neck = spline([neck, (0, neck[1] + 0.06), (-neck[0], neck[1])])
    inner_back = np.concatenate([mirrored(front), front, back_neck])
    buttons = np.array([(-closed_at - 0.06, y) for y in (1.15, 1.45, 1.75)])
    return Cut(category_id, tuple(parts), np.stack(marks_list), inside=inner_back, buttons=buttons)


def _cut_trousers(category_id: int, build: Build, pose: Pose, rng: Generator) -> Cut:
    top = float(rng.uniform(1.62, 1.95))
    fit = float(rng.uniform(0.02, 0.1))
    wide = float(rng.uniform(0.0, 0.24))
    ends = float(rng.uniform(3.15, 3.9)) if category_id == 7 else float(rng.uniform(5.35, 6.0))
    waist = build.half_width(top) + 0.02
    crotch = np.array([0.0, CROTCH + fit])
    outer: dict[Side, Points] = {}
    inner: dict[Side, Points] = {}
    for which in SIDES:
        hip, knee, ankle = leg_joints(build, pose, which)
        s = sign(which)
        knee_half, ankle_half = 0.235 * build.limb + fit + wide * 0.6, 0.16 * build.limb + fit + wide
        outside = spline([
            (s * waist, top), (s * (build.half_width(2.1) + fit), 2.15), (s * (build.hip + 0.03 + fit), 2.5),
            (s * (abs(between(hip, knee, 0.45)[0] * s) + 0.37 * build.limb + fit), 3.3),
            (knee[0] + s * knee_half, KNEE), (ankle[0] + s * ankle_half, ANKLE + 0.1),
        ])  # fmt: skip
        inside = spline([
            (crotch[0], crotch[1]), (s * 0.05 + 0.3 * (knee[0] - s * knee_half), 3.3),
            (knee[0] - s * knee_half * 0.95, KNEE), (ankle[0] - s * ankle_half, ANKLE + 0.1),
        ])  # fmt: skip
        outer[which], inner[which] = _until(outside, ends), _until(inside, ends)
    band = np.array([(-waist - 0.01, top + 0.12), (0, top + 0.17), (waist + 0.01, top + 0.12)])
    fly = spline([(0.0, top + 0.16), (0.02, crotch[1] - 0.25), (0.0, crotch[1] - 0.02)])
    pockets = [
        np.array([(s * waist * 0.62, top + 0.16), (s * (build.half_width(2.2) + fit), top + 0.5)]) for s in (-1, 1)
    ]
    waistline = spline([(waist, top), (0.0, top + 0.05), (-waist, top)])
    outlined = np.concatenate(
        [waistline[::-1][:-1], outer["right"], inner["right"][::-1], inner["left"][1:], outer["left"][::-1]]
    )
    marks = [np.array([-waist, top]), np.array([0, top + 0.05]), np.array([waist, top])]
    steps = (0.5,) if category_id == 7 else (0.33, 0.67)
    left = [along(outer["left"], f) for f in steps] + [outer["left"][-1], inner["left"][-1]]
    right = [inner["right"][-1], outer["right"][-1]] + [along(outer["right"], f) for f in steps[::-1]]
    if category_id == 8:
        left.append(along(inner["left"], 0.5))
        right.insert(0, along(inner["right"], 0.5))
    marks += [*left, crotch, *right]
    hems = [np.stack([outer[w][-1], inner[w][-1]]) - np.array([0, 0.08]) for w in SIDES]
    return Cut(category_id, (Part("legs", outlined, seams=(band, fly, *pockets, *hems)),), np.stack(marks), waist=top)


def _until(curve: Points, y: float) -> Points:
    """The part of a downward curve above height ``y``, ending exactly there."""
    if curve[-1, 1] <= y:
        return curve
    kept = curve[curve[:, 1] < y]
    after = curve[len(kept)]
    t = (y - kept[-1, 1]) / max(after[1] - kept[-1, 1], 1e-6)
    return np.concatenate([kept, between(kept[-1], after, float(t))[None]])


def _cut_skirt(build: Build, rng: Generator) -> Cut:
    top = float(rng.uniform(1.55, 1.85))
    length = float(rng.uniform(3.1, 5.0))
    flare = float(rng.uniform(0.0, 0.85))
    waist, hip = build.half_width(top) + 0.02, build.hip + 0.05
    bottom = hip + flare
    side = spline([(waist, top), (hip + 0.2 * flare, 2.4), (hip + 0.6 * flare, (2.4 + length) / 2), (bottom, length)])
    waistline = spline([(-waist, top), (0, top + 0.06), (waist, top)])
    xs = np.linspace(bottom, -bottom, 25)
    ripple = 0.05 * min(flare, 0.5) * np.sin(xs * 9 + rng.uniform(0, 6))
    hem = np.stack([xs, length + 0.1 * (1 - (xs / bottom) ** 2) + ripple], axis=1)
    outlined = np.concatenate([waistline, side[1:], hem[1:-1], mirrored(side)[:-1]])
    band = waistline + np.array([0, 0.12])
    flip = np.array([-1.0, 1.0])
    middle = along(side, 0.5)
    marks = [waistline[0], waistline[len(waistline) // 2], waistline[-1], middle * flip, side[-1] * flip]
    marks += [hem[len(hem) // 2], side[-1], middle]
    line = hem - np.array([0, 0.08])
    return Cut(9, (Part("trunk", outlined, seams=(band, line)),), np.stack(marks), waves=max(flare, 0.05), waist=top)
