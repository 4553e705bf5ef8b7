"""People-like figures: skin, face, hair, shoes, and the order in which body and clothes cover one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.random import Generator

from fittingroom.sample.body import HEAD_CENTRE, HEAD_RADII, SIDES, Build, Pose, Side, arm_joints, leg_joints, sign
from fittingroom.sample.canvas import Canvas, Colour, Height, Surface
from fittingroom.sample.fabrics import tint
from fittingroom.sample.garments import Part
from fittingroom.sample.sewing import Garment3D, paint_part, paint_trim
from fittingroom.sample.shapes import Field, Frame, Limb, Points, ellipse, mirrored, outline, spline

SKIN_TONES: tuple[Colour, ...] = (
    (0.96, 0.82, 0.73),
    (0.91, 0.74, 0.62),
    (0.82, 0.63, 0.49),
    (0.69, 0.49, 0.36),
    (0.52, 0.35, 0.25),
    (0.37, 0.24, 0.17),
)
HAIR_COLOURS: tuple[Colour, ...] = (
    (0.1, 0.08, 0.07),
    (0.19, 0.12, 0.08),
    (0.33, 0.2, 0.11),
    (0.52, 0.35, 0.18),
    (0.75, 0.58, 0.33),
    (0.5, 0.2, 0.1),
    (0.55, 0.54, 0.53),
)
_DARK_SOLE: Colour = (0.16, 0.14, 0.13)
Hair = Literal["short", "bob", "long", "bun", "bald"]
_HAIRCUTS: tuple[Hair, ...] = ("short", "bob", "long", "long", "bun", "short", "bald")
_SHOES: tuple[Colour, ...] = ((0.12, 0.12, 0.13), (0.85, 0.84, 0.82), (0.4, 0.26, 0.17), (0.5, 0.14, 0.15))


@dataclass(frozen=True)
class Person:
    """Everything about a figure but its clothes and where it stands."""

    build: Build
    pose: Pose
    skin: Colour
    hair: Hair
    hair_colour: Colour
    shoes: Colour
    seed: int


def random_person(rng: Generator, build: Build, pose: Pose) -> Person:
    """A figure with skin, hair and shoes of its own."""
    return Person(
        build,
        pose,
        tint(SKIN_TONES[int(rng.integers(len(SKIN_TONES)))], rng, 0.02),
        _HAIRCUTS[int(rng.integers(len(_HAIRCUTS)))],
        tint(HAIR_COLOURS[int(rng.integers(len(HAIR_COLOURS)))], rng, 0.02),
        tint(_SHOES[int(rng.integers(len(_SHOES)))], rng, 0.03),
        int(rng.integers(2**31)),
    )


def paint_person(canvas: Canvas, frame: Frame, person: Person, clothes: Sequence[Garment3D], tucked: bool) -> None:
    """Paint a dressed figure back to front."""
    rng = np.random.default_rng(person.seed)
    lower = [g for g in clothes if g.cut.category_id in (7, 8, 9)]
    outer = [g for g in clothes if g.cut.category_id in (3, 4)]
    inner = [g for g in clothes if g not in lower and g not in outer]
    back = person.pose.view == "back"
    unit = frame.unit
    skin = Surface(person.skin, round_px=max(0.15 * unit, 1.5), shadow=0.25)
    if not back:
        _paint_back_hair(canvas, frame, person)
    _paint_legs(canvas, frame, person, skin)
    for which in SIDES:
        _paint_arm(canvas, frame, person, which, skin, clothes, part="all")
    _paint_trunk_skin(canvas, frame, person)
    worn = [*inner, *lower] if tucked else [*lower, *inner]
    waist = min((g.cut.waist for g in lower), default=0.0)
    for garment in worn:
        below = waist + 0.15 if tucked and lower and garment in inner else None
        _paint_pieces(canvas, frame, garment, ("legs", "trunk", "left_strap", "right_strap"), below)
        paint_trim(canvas, frame, garment, rib=garment.seed % 3 != 0 and not back)
    for garment in outer:
        if back:
            _paint_back_panel(canvas, frame, garment)
        else:
            _paint_pieces(canvas, frame, garment, ("left_panel", "right_panel"))
            paint_trim(canvas, frame, garment, rib=False)
    for which in SIDES:
        if person.pose.arm(which).over and not back:
            _paint_arm(canvas, frame, person, which, skin, clothes, part="forearm")
    _paint_head(canvas, frame, person, rng)


def _paint_pieces(
    canvas: Canvas, frame: Frame, garment: Garment3D, places: Sequence[str], ends: float | None = None
) -> None:
    """Paint pieces of a garment; nothing of them reaches lower than ``ends`` (a tucked top)."""
    for part in garment.cut.parts:
        if part.place not in places:
            continue
        if ends is not None:
            kept = np.stack([part.outline[:, 0], np.minimum(part.outline[:, 1], ends)], axis=1)
            part = replace(part, outline=kept, seams=())
        paint_part(canvas, frame, garment, part)


def _paint_back_panel(canvas: Canvas, frame: Frame, garment: Garment3D) -> None:
    """A coat seen from behind is one piece: both panels joined at the middle."""
    right = next(p for p in garment.cut.parts if p.place == "right_panel").outline
    edge = right[(right[:, 0] > 0.3) | (right[:, 1] < 0.0)]
    joined = np.concatenate([edge, mirrored(edge)])
    paint_part(canvas, frame, garment, Part("trunk", joined))


def _paint_legs(canvas: Canvas, frame: Frame, person: Person, skin: Surface) -> None:
    unit, limb = frame.unit, person.build.limb
    for which in SIDES:
        hip, knee, ankle = leg_joints(person.build, person.pose, which)
        s = sign(which)
        toe, heel = ankle + np.array([s * 0.09, 0.3]), ankle + np.array([0.0, 0.08])
        shoe = Limb.make([heel, (heel + toe) / 2, toe], (0.1, 0.125, 0.135)).outline()
        sole = ellipse((float(toe[0]), float(toe[1]) + 0.06), (0.145, 0.09), 0.1 * s)
        widths = (0.32 * limb, 0.27 * limb, 0.19 * limb, 0.21 * limb, 0.105)
        mid = (knee + ankle) / 2 - np.array([0.0, 0.4])
        leg = Limb.make([hip, (hip + knee) / 2, knee, mid, heel], widths)
        canvas.paint(frame.to_pixels(leg.outline()), skin)
        canvas.paint(frame.to_pixels(sole), Surface(_DARK_SOLE, round_px=1.0))
        canvas.paint(frame.to_pixels(shoe), Surface(person.shoes, round_px=0.12 * unit, shine=0.15))


def _paint_arm(
    canvas: Canvas,
    frame: Frame,
    person: Person,
    which: Side,
    skin: Surface,
    clothes: Sequence[Garment3D],
    part: Literal["all", "forearm"],
) -> None:
    """An arm, its hand and every sleeve on it; ``forearm`` paints again only what lies in front of the trunk."""
    shoulder, elbow, wrist = arm_joints(person.build, person.pose.arm(which), which)
    k = person.build.limb
    direction = (wrist - elbow) / np.hypot(*(wrist - elbow))
    normal = np.array([direction[1], -direction[0]])
    if part == "all":
        arm = Limb.make(
            [shoulder, (shoulder + elbow) / 2, elbow, (elbow + wrist) / 2, wrist],
            (0.2 * k, 0.165 * k, 0.135 * k, 0.13 * k, 0.085),
        )
    else:
        arm = Limb.make([elbow, (elbow + wrist) / 2, wrist], (0.135 * k, 0.13 * k, 0.085))
    canvas.paint(frame.to_pixels(arm.outline()), skin)
    s = sign(which)
    palm = Limb.make(
        [wrist - 0.04 * direction, wrist + 0.17 * direction, wrist + 0.42 * direction], (0.09, 0.115, 0.05)
    )
    thumb = Limb.make(
        [wrist + 0.06 * direction - s * 0.06 * normal, wrist + 0.26 * direction - s * 0.16 * normal], (0.045, 0.03)
    )
    canvas.paint(frame.to_pixels(thumb.outline()), skin)
    canvas.paint(frame.to_pixels(palm.outline()), skin)
    for share in (-0.35, 0.0, 0.35):
        a, b = wrist + 0.24 * direction + share * 0.13 * normal, wrist + 0.41 * direction + share * 0.09 * normal
        canvas.stroke(frame.to_pixels(np.stack([a, b])), max(0.012 * frame.unit, 0.5), 0.7, 0.6)
    for garment in clothes:
        for piece in garment.cut.parts:
            if piece.place == f"{which}_sleeve":
                sleeve = _forearm_of(piece, elbow) if part == "forearm" else piece
                if sleeve is not None:
                    paint_part(canvas, frame, garment, sleeve)


def _forearm_of(sleeve: Part, elbow: Points) -> Part | None:
    """The part of a sleeve below the elbow; None for a sleeve that ends above it."""
    limb = sleeve.limb
    if limb is None:
        return None
    nearest = int(np.argmin(np.hypot(*(limb.centre - elbow).T)))
    if nearest >= len(limb.centre) - 4:
        return None
    lower = Limb(limb.centre[nearest:], limb.half_widths[nearest:])
    # The fabric keeps running from the shoulder, hence the whole limb.
    return Part(sleeve.place, lower.outline(round_end=False), limb, sleeve.seams)


def _paint_trunk_skin(canvas: Canvas, frame: Frame, person: Person) -> None:
    build, unit = person.build, frame.unit
    s = build.shoulder
    right = outline(
        [(0.19, -0.3), (0.2, -0.12), (0.34, 0.04), (s - 0.12, 0.13), (s - 0.04, 0.3)],
        [(s - 0.06, 0.4), (build.chest, 0.75), (build.waist, 1.6), (build.hip, 2.35), (0.4, 2.75), (0.0, 2.8)],
    )
    canvas.paint(
        frame.to_pixels(np.concatenate([right, mirrored(right)])), Surface(person.skin, 0.3 * unit, shadow=0.0)
    )
    if person.pose.view != "back":
        for x in (-1.0, 1.0):
            bone = spline([(x * 0.07, 0.1), (x * 0.3, 0.06), (x * 0.5, 0.1)])
            canvas.stroke(frame.to_pixels(bone), max(0.025 * unit, 0.8), 0.82, 0.5)


def _head_turn(person: Person) -> float:
    return {"front": 0.0, "back": 0.0, "side": 0.16}[person.pose.view]


def _paint_back_hair(canvas: Canvas, frame: Frame, person: Person) -> None:
    unit, x, y = frame.unit, *HEAD_CENTRE
    hair = Surface(person.hair_colour, round_px=0.18 * unit, height=_strands(frame, person.seed), shadow=0.0)
    if person.hair == "long":
        right = [(0.0, y - 0.6), (0.34, y - 0.46), (0.46, y), (0.48, 0.2), (0.42, 0.55)]
    elif person.hair == "bob":
        right = [(0.0, y - 0.6), (0.36, y - 0.46), (0.48, y), (0.46, y + 0.42), (0.36, y + 0.55)]
    else:
        right = [(0.0, y - 0.57), (0.3, y - 0.46), (0.39, y - 0.05), (0.3, y + 0.2)]
    half = spline(right)
    if person.hair == "bun":
        canvas.paint(frame.to_pixels(ellipse((x, y - 0.6), (0.2, 0.18))), hair)
    if person.hair != "bald":
        canvas.paint(frame.to_pixels(np.concatenate([half, mirrored(half)])), hair)


def _strands(frame: Frame, seed: int) -> Height:
    phase = (seed % 628) / 100

    def height(x: Field, y: Field) -> Field:
        u, v = frame.to_body(x, y)
        return np.asarray(0.012 * frame.unit * np.sin(u * 34 + phase + 2.0 * np.sin(v * 3.1 + phase)), np.float32)

    return height


def _paint_head(canvas: Canvas, frame: Frame, person: Person, rng: Generator) -> None:
    unit, y = frame.unit, HEAD_CENTRE[1]
    view = person.pose.view
    skin = Surface(person.skin, round_px=0.26 * unit, shadow=0.45)
    hair = Surface(person.hair_colour, round_px=0.14 * unit, height=_strands(frame, person.seed), shadow=0.3, shine=0.1)
    dark = (person.skin[0] * 0.55, person.skin[1] * 0.42, person.skin[2] * 0.38)
    if view == "back":
        drop = {"long": 0.5, "bob": y + 0.55, "short": y + 0.25, "bun": y + 0.3, "bald": y}[person.hair]
        canvas.paint(frame.to_pixels(ellipse((0, y), HEAD_RADII)), skin)
        half = spline(
            [(0.0, y - 0.58), (0.3, y - 0.48), (0.42, y - 0.05), (0.4, drop - 0.2), (0.22, drop), (0, drop + 0.03)]
        )
        if person.hair != "bald":
            canvas.paint(frame.to_pixels(np.concatenate([half, mirrored(half)])), hair)
        return
    for x in (-1.0, 1.0):
        canvas.paint(frame.to_pixels(ellipse((x * 0.345, y + 0.06), (0.06, 0.11))), skin)
    w = HEAD_RADII[0]
    half = spline(
        [
            (0.0, y - 0.5),
            (0.22, y - 0.44),
            (w - 0.02, y - 0.12),
            (w - 0.035, y + 0.16),
            (0.23, y + 0.4),
            (0.09, y + 0.5),
            (0, y + 0.51),
        ]
    )
    canvas.paint(frame.to_pixels(np.concatenate([half, mirrored(half)])), skin)
    shift = _head_turn(person)
    white = (0.35 + 0.55 * person.skin[0], 0.4 + 0.52 * person.skin[1], 0.45 + 0.48 * person.skin[2])
    iris = ((0.22, 0.13, 0.08), (0.25, 0.35, 0.46), (0.2, 0.32, 0.22))[int(rng.integers(3))]
    for x in (-1.0, 1.0):
        ex = x * 0.145 + shift
        for radii, colour in (((0.066, 0.034), white), ((0.04, 0.036), iris), ((0.02, 0.02), (0.05, 0.04, 0.04))):
            canvas.paint(frame.to_pixels(ellipse((ex, y + 0.02), radii)), Surface(colour, 1.0, shadow=0.0))
        lid = spline([(ex - 0.075, y + 0.02), (ex, y - 0.022), (ex + 0.075, y + 0.015)])
        canvas.stroke(frame.to_pixels(lid), max(0.022 * unit, 0.8), (0.12, 0.08, 0.07), 0.9)
        brow = spline([(ex - 0.09, y - 0.075), (ex, y - 0.105), (ex + 0.09, y - 0.075)])
        canvas.stroke(frame.to_pixels(brow), max(0.028 * unit, 0.8), person.hair_colour, 0.75)
    nose = spline([(shift + 0.03, y + 0.0), (shift + 0.055, y + 0.17), (shift, y + 0.2), (shift - 0.04, y + 0.18)])
    canvas.stroke(frame.to_pixels(nose), max(0.02 * unit, 0.7), dark, 0.5)
    lips = (min(person.skin[0] * 0.9, 1), person.skin[1] * 0.6, person.skin[2] * 0.6)
    mouth = outline(
        [(shift - 0.1, y + 0.315), (shift, y + 0.29), (shift + 0.1, y + 0.315)],
        [(shift + 0.1, y + 0.315), (shift, y + 0.365), (shift - 0.1, y + 0.315)],
    )
    canvas.paint(frame.to_pixels(mouth), Surface(lips, 1.0, shadow=0.0))
    canvas.stroke(
        frame.to_pixels(spline([(shift - 0.1, y + 0.315), (shift, y + 0.325), (shift + 0.1, y + 0.315)])),
        max(0.014 * unit, 0.6),
        dark,
        0.8,
    )
    if person.hair == "bald":
        return
    part = 0.18 if person.seed % 2 else -0.18
    fringe = outline(
        [
            (-w - 0.02, y + 0.0),
            (-w - 0.01, y - 0.3),
            (-0.2, y - 0.55),
            (0.0, y - 0.59),
            (0.2, y - 0.55),
            (w + 0.01, y - 0.3),
            (w + 0.02, y + 0.0),
        ],
        [(w + 0.02, y + 0.0), (w - 0.05, y - 0.18), (part, y - 0.38), (-w + 0.05, y - 0.18), (-w - 0.02, y + 0.0)],
    )
    canvas.paint(frame.to_pixels(fringe), hair)
    if person.hair == "long":
        for x in (-1.0, 1.0):
            drop = 0.3 + 0.25 * ((person.seed >> 3) % 5) / 4
            lock = Limb.make(
                [(x * 0.36, y - 0.15), (x * 0.41, y + 0.4), (x * 0.4, 0.1), (x * 0.36, drop)], (0.06, 0.1, 0.11, 0.03)
            )
            canvas.paint(frame.to_pixels(lock.outline()), hair)
