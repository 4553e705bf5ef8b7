"""Composes a photo: dressed people or a garment nobody wears, a background, things in the way, a camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator

from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.sample import backgrounds
from fittingroom.sample.body import Build, Pose, flat_pose, random_build, random_pose, sign
from fittingroom.sample.camera import photograph
from fittingroom.sample.canvas import Canvas, Light, Surface, soft_blur
from fittingroom.sample.fabrics import COLOURS, Fabric, random_fabric, rescaled, tint
from fittingroom.sample.figures import Person, paint_person, random_person
from fittingroom.sample.garments import Cut, cut
from fittingroom.sample.sewing import Garment3D, paint_inside, paint_part, paint_trim
from fittingroom.sample.shapes import Frame, Limb, Points, outline

Viewpoint = Literal[1, 2, 3]


@dataclass(frozen=True, eq=False)
class SceneGarment:
    """A garment as seen: its category, visible mask, full extent and landmarks (N, 2) in pixels."""

    category_id: int
    mask: Mask
    outlines: tuple[Points, ...]
    landmarks: Points
    style: int
    fabric: Fabric


@dataclass(frozen=True, eq=False)
class Scene:
    """A rendered picture with its true garments."""

    image: RGB
    garments: tuple[SceneGarment, ...]
    viewpoint: Viewpoint
    zoom_in: int


OUTFITS: tuple[tuple[int, ...], ...] = (
    (1, 8), (1, 8), (1, 7), (1, 9), (2, 8), (2, 8), (2, 9), (5, 7), (5, 8), (6, 9), (6, 8), (6, 7), (10,), (10,), (11,),
    (12,), (13,), (1, 8, 4), (2, 8, 4), (5, 8, 3), (1, 9, 4), (13, 4), (1, 7, 3), (12, 4),
)  # fmt: skip


def random_light(rng: Generator) -> Light:
    """Mostly from above, from one side or the other."""
    x = float(rng.choice([-1, 1]) * rng.uniform(0.2, 0.6))
    y = float(-rng.uniform(0.3, 0.6))
    z = float(np.sqrt(max(1 - x * x - y * y, 0.2)))
    return Light(x, y, z, float(rng.uniform(0.35, 0.55)))


def dress(rng: Generator, categories: tuple[int, ...], build: Build, pose: Pose, first_owner: int) -> list[Garment3D]:
    """Cut the garments of an outfit for a body, in fabrics of their own."""
    clothes = []
    for number, category in enumerate(categories):
        fabric = random_fabric(rng, 0.25 if category in (7, 8, 4) else 0.55)
        shape = cut(category, build, pose, rng)
        depth, seed = float(rng.uniform(0.6, 1.25)), int(rng.integers(2**31))
        clothes.append(Garment3D(shape, fabric, depth, first_owner + number, seed))
    return clothes


def render_scene(
    rng: Generator, height: int, width: int, viewpoint: Viewpoint, wardrobe: Generator | None = None
) -> Scene:
    """One photo of ``viewpoint`` 1 (nobody wears it), 2 (frontal) or 3 (side or back).

    Two photos with equal ``wardrobe`` generators show the same clothes on other people.
    """
    if viewpoint == 1:
        return _render_unworn(rng, height, width)
    canvas = Canvas(backgrounds.random_background(height, width, rng), random_light(rng))
    frames: dict[int, tuple[Frame, Garment3D]] = {}
    owner = 1
    if rng.random() < 0.12:  # someone behind
        unit = height / rng.uniform(9.5, 11.5)
        x = width * float(rng.choice([rng.uniform(0.05, 0.2), rng.uniform(0.8, 0.95)]))
        frame = Frame.make((x, height * 0.97 - 6.25 * unit), unit)
        owner = _add_person(canvas, rng, rng, frame, "front", owner, frames)
    zoom_in = int(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15]))
    # From the whole figure down to chest and hip: heads of height in the picture, and where the neck is.
    heads = {1: rng.uniform(7.9, 9.0), 2: rng.uniform(5.6, 7.2), 3: rng.uniform(4.0, 5.2)}[zoom_in]
    unit = height / heads
    top = {1: rng.uniform(1.4, 1.6), 2: rng.uniform(1.2, 1.5), 3: rng.uniform(0.3, 1.3)}[zoom_in]
    view: Literal["front", "back", "side"] = "front"
    if viewpoint == 3:
        view = "back" if rng.random() < 0.5 else "side"
    squash = float(rng.uniform(0.68, 0.8)) if view == "side" else float(rng.uniform(0.95, 1.05))
    x = width * float(rng.uniform(0.4, 0.6))
    frame = Frame.make((x, top * unit), unit, float(rng.normal(0, 0.025)), squash)
    _ground_shadow(canvas, frame)
    owner = _add_person(canvas, rng, wardrobe or rng, frame, view, owner, frames)
    image = _finish(canvas, rng)
    garments = _garments_of(canvas, frames)
    return Scene(image, garments, viewpoint, zoom_in)


def _add_person(
    canvas: Canvas,
    rng: Generator,
    wardrobe: Generator,
    frame: Frame,
    view: Literal["front", "back", "side"],
    owner: int,
    frames: dict[int, tuple[Frame, Garment3D]],
) -> int:
    build, pose = random_build(rng), random_pose(rng, view)
    person = random_person(rng, build, pose)
    outfit = OUTFITS[int(wardrobe.integers(len(OUTFITS)))]
    clothes = dress(wardrobe, outfit, build, pose, owner)
    paint_person(canvas, frame, person, clothes, tucked=bool(rng.random() < 0.35))
    for garment in clothes:
        frames[garment.owner] = (frame, garment)
    if rng.random() < 0.3:
        add_bag(canvas, rng, frame, person)
    if rng.random() < 0.18 and outfit[0] >= 10:
        _add_belt(canvas, rng, frame, build)
    return owner + len(clothes)


def add_bag(canvas: Canvas, rng: Generator, frame: Frame, person: Person) -> None:
    """A shoulder bag with its strap across the front, which parts what it covers."""
    names = sorted(COLOURS)
    colour = tint(COLOURS[names[int(rng.integers(len(names)))]], rng, 0.04)
    s = sign("left" if rng.random() < 0.5 else "right")
    hip = (s * (person.build.hip + 0.08), float(rng.uniform(1.9, 2.4)))
    strap = Limb.make([(-s * 0.42, 0.08), (0.0, 1.0), (hip[0], hip[1] - 0.1)], (0.04, 0.045, 0.04))
    if rng.random() < 0.5:
        strap = Limb.make([(s * 0.55, 0.1), (s * 0.7, 1.0), (hip[0], hip[1] - 0.1)], (0.035, 0.04, 0.035))
    canvas.paint(frame.to_pixels(strap.outline()), Surface(colour, 0.04 * frame.unit + 1))
    w, h = float(rng.uniform(0.28, 0.42)), float(rng.uniform(0.25, 0.42))
    x, y = hip
    bag = outline(
        [(x - w, y), (x, y - 0.05), (x + w, y)],
        [(x + w, y), (x + w * 1.05, y + h), (x + w * 0.8, y + 2 * h)],
        [(x + w * 0.8, y + 2 * h), (x, y + 2 * h + 0.05), (x - w * 0.8, y + 2 * h)],
        [(x - w * 0.8, y + 2 * h), (x - w * 1.05, y + h), (x - w, y)],
    )
    canvas.paint(frame.to_pixels(bag), Surface(colour, 0.12 * frame.unit, shine=0.2))
    flap = np.array([(x - w, y + 0.3 * h), (x, y + 0.9 * h), (x + w, y + 0.3 * h)])
    canvas.stroke(frame.to_pixels(flap), max(0.025 * frame.unit, 0.8), 0.6, 0.8)


def _add_belt(canvas: Canvas, rng: Generator, frame: Frame, build: Build) -> None:
    w, y = build.half_width(1.6) + 0.2, 1.58
    band = np.array([(-w, y - 0.07), (0, y - 0.02), (w, y - 0.07), (w, y + 0.07), (0, y + 0.12), (-w, y + 0.07)])
    colour = (0.25, 0.16, 0.1) if rng.random() < 0.5 else (0.12, 0.12, 0.12)
    inside = canvas.figure > 0.5
    before, owners = canvas.image.copy(), canvas.owners.copy()
    canvas.paint(frame.to_pixels(band), Surface(colour, 0.05 * frame.unit + 1))
    # A belt ends where the figure does.
    canvas.image[~inside], canvas.owners[~inside] = before[~inside], owners[~inside]


def _ground_shadow(canvas: Canvas, frame: Frame) -> None:
    x, y = frame.to_pixels(np.array([[0.0, 6.15]]))[0]
    if y > canvas.height * 1.1:
        return
    shade = np.zeros((canvas.height, canvas.width), np.float32)
    radii = (int(frame.unit * 1.2), max(int(frame.unit * 0.17), 1))
    cv2.ellipse(shade, (int(x), int(y)), radii, 0, 0, 360, 0.45, -1)
    soft = soft_blur(shade, 0.12 * frame.unit + 1)
    canvas.image *= (1 - soft)[..., None]


def _finish(canvas: Canvas, rng: Generator) -> RGB:
    canvas.image = photograph(canvas.image, rng)
    return canvas.pixels()


def _garments_of(canvas: Canvas, frames: dict[int, tuple[Frame, Garment3D]]) -> tuple[SceneGarment, ...]:
    found = []
    for owner, (frame, garment) in frames.items():
        outlines = tuple(frame.to_pixels(part.outline) for part in garment.cut.parts)
        marks = frame.to_pixels(garment.cut.landmarks)
        style = (0, 0, 1, 2)[garment.seed % 4]  # of the wardrobe's own seed: equal in both pictures of a pair
        found.append(
            SceneGarment(garment.cut.category_id, canvas.owners == owner, outlines, marks, style, garment.fabric)
        )
    return tuple(found)


def _render_unworn(rng: Generator, height: int, width: int) -> Scene:
    """A garment laid flat or hung up in front of some background."""
    canvas = Canvas(backgrounds.random_background(height, width, rng), random_light(rng))
    category = int(rng.integers(1, 14))
    fabric = random_fabric(rng, 0.55)
    garment, frame = lay_flat(canvas, rng, category, fabric, fill=float(rng.uniform(0.6, 0.85)))
    image = _finish(canvas, rng)
    return Scene(image, _garments_of(canvas, {1: (frame, garment)}), 1, 1)


def lay_flat(
    canvas: Canvas, rng: Generator, category: int, fabric: Fabric, fill: float, period_share: float | None = None
) -> tuple[Garment3D, Frame]:
    """Paint one garment without a person, filling ``fill`` of the picture, with its shadow on what lies below.

    ``period_share`` sets the fabric's period to that share of the garment's longer side.
    """
    build, pose = random_build(rng), flat_pose(rng)
    shape: Cut = cut(category, build, pose, rng)
    points = np.concatenate([part.outline for part in shape.parts])
    low, high = points.min(axis=0), points.max(axis=0)
    size = high - low
    unit = fill * min(canvas.width / size[0], canvas.height / size[1])
    if period_share is not None:
        fabric = rescaled(fabric, period_share * float(size.max()))
    turn = float(rng.normal(0, 0.09))
    frame = Frame.make((0.0, 0.0), unit, turn)
    middle = frame.to_pixels(((low + high) / 2)[None])[0]
    target = np.array([canvas.width, canvas.height]) * (0.5 + rng.uniform(-0.5, 0.5, 2) * (0.95 - fill))
    frame = Frame.make((float(target[0] - middle[0]), float(target[1] - middle[1])), unit, turn)
    # The soft shadow on the table.
    shade = np.zeros((canvas.height, canvas.width), np.float32)
    for part in shape.parts:
        cv2.fillPoly(shade, [np.round(frame.to_pixels(part.outline)).astype(np.int32)], 1.0)
    offset = np.array([[1, 0, -canvas.light.x * 0.12 * unit], [0, 1, -canvas.light.y * 0.12 * unit]], np.float32)
    moved = cv2.warpAffine(shade, offset, (canvas.width, canvas.height))
    soft = soft_blur(np.asarray(moved, np.float32), 0.1 * unit)
    canvas.image *= (1 - np.float32(rng.uniform(0.2, 0.38)) * soft)[..., None]
    garment = Garment3D(shape, fabric, float(rng.uniform(0.55, 1.0)), 1, int(rng.integers(2**31)))
    paint_inside(canvas, frame, garment)
    for place in (
        "left_sleeve",
        "right_sleeve",
        "legs",
        "trunk",
        "left_strap",
        "right_strap",
        "left_panel",
        "right_panel",
    ):
        for part in shape.parts:
            if part.place == place:
                paint_part(canvas, frame, garment, part)
    paint_trim(canvas, frame, garment, rib=garment.seed % 3 != 0)
    return garment, frame
