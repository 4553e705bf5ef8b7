"""Three larger frontal photos of people to try styles on; one is stored sideways with an EXIF orientation."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from fittingroom.domain import MARK
from fittingroom.images import RGB
from fittingroom.sample import backgrounds
from fittingroom.sample.backgrounds import Background
from fittingroom.sample.body import Arm, Build, Pose
from fittingroom.sample.camera import photograph
from fittingroom.sample.canvas import Canvas, Colour, Light, soft_blur
from fittingroom.sample.fabrics import COLOURS, Fabric
from fittingroom.sample.figures import HAIR_COLOURS, SKIN_TONES, Hair, Person, paint_person
from fittingroom.sample.garments import cut
from fittingroom.sample.sewing import Garment3D
from fittingroom.sample.shapes import Frame
from fittingroom.workspace import write_bytes

_EXIF_ORIENTATION = 0x0112
_TURNED_LEFT = 6
"""EXIF: turn by 90 degrees clockwise to see it upright."""


def render_person_photos(out: Path, seed: int = 0, height: int = 960, width: int = 640) -> list[Path]:
    """Write ``anna.jpg``, ``ben.jpg`` and ``chloe.jpg`` (stored sideways) to ``out``; the paths, in that order."""
    people = {
        "anna": _Sitter(
            Build(0.82, 0.64, 0.52, 0.68, 0.96), Pose(Arm(0.2, 0.15), Arm(0.74, 1.68), 0.08), SKIN_TONES[1], "long",
            HAIR_COLOURS[2], {1: Fabric("solid", COLOURS["sky"]), 8: Fabric("solid", COLOURS["denim"], weave=0.04)},
            backgrounds.street,
        ),
        "ben": _Sitter(
            Build(0.93, 0.73, 0.64, 0.67, 1.1), Pose(Arm(0.24, 0.1), Arm(0.3, 0.25), 0.2), SKIN_TONES[3], "short",
            HAIR_COLOURS[0], {2: Fabric("solid", COLOURS["white"]), 8: Fabric("solid", COLOURS["charcoal"])},
            backgrounds.room,
        ),
        "chloe": _Sitter(
            Build(0.84, 0.66, 0.55, 0.7, 1.0), Pose(Arm(0.3, 0.25), Arm(0.18, 0.1), 0.05), SKIN_TONES[4], "bun",
            HAIR_COLOURS[1], {10: Fabric("dotted", COLOURS["rose"], COLOURS["cream"], 0.26, share=0.45)},
            backgrounds.foliage,
        ),
    }  # fmt: skip
    paths = []
    for number, (name, sitter) in enumerate(people.items()):
        rng = np.random.default_rng([seed, 7, number])
        picture = sitter.photo(rng, height, width)
        path = out / f"{name}.jpg"
        write_bytes(path, _jpeg(picture, sideways=name == "chloe"))
        paths.append(path)
    return paths


class _Sitter:
    def __init__(
        self,
        build: Build,
        pose: Pose,
        skin: Colour,
        hair: Hair,
        hair_colour: Colour,
        fabrics: dict[int, Fabric],
        background: Background,
    ) -> None:
        self.build, self.pose, self.fabrics, self.background = build, pose, fabrics, background
        self.skin, self.hair, self.hair_colour = skin, hair, hair_colour

    def photo(self, rng: np.random.Generator, height: int, width: int) -> RGB:
        """The sitter in front of the background, upright, (height, width, 3)."""
        canvas = Canvas(self.background(height, width, rng), Light(-0.42, -0.48, 0.77, 0.45))
        unit = height / 8.2
        frame = Frame.make((width * 0.5, 1.55 * unit), unit)
        shade = np.zeros((height, width), np.float32)
        cv2.ellipse(
            shade, (width // 2, int((1.55 + 6.15) * unit)), (int(1.2 * unit), int(0.17 * unit)), 0, 0, 360, 0.45, -1
        )
        canvas.image *= (1 - soft_blur(shade, 0.12 * unit))[..., None]
        person = Person(
            self.build, self.pose, self.skin, self.hair, self.hair_colour, (0.2, 0.16, 0.14), int(rng.integers(2**31))
        )
        clothes = [
            Garment3D(cut(category, self.build, self.pose, rng), fabric, 0.9, owner, int(rng.integers(2**31)))
            for owner, (category, fabric) in enumerate(self.fabrics.items(), start=1)
        ]
        paint_person(canvas, frame, person, clothes, tucked=False)
        canvas.image = photograph(canvas.image, rng, 0.6)
        return canvas.pixels()


def _jpeg(picture: RGB, sideways: bool) -> bytes:
    buffer = io.BytesIO()
    if not sideways:
        Image.fromarray(picture).save(buffer, "JPEG", quality=93, comment=MARK)
        return buffer.getvalue()
    exif = Image.Exif()
    exif[_EXIF_ORIENTATION] = _TURNED_LEFT
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(picture)))
    turned.save(buffer, "JPEG", quality=93, exif=exif, comment=MARK)
    return buffer.getvalue()
