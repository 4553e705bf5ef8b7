"""Prepared pictures of one style out of real photos, for the ablations: what to learn from, and what to change.

    python benchmarks/style_pictures.py OUT --garments DIR --worn DIR --colour red --pattern solid

``OUT/target`` gets the garments of a folder of photos (DIR) that are cut out without doubt and are described by that
colour and pattern; ``OUT/source`` the garments that people wear in a DeepFashion2 folder, cut by their annotated masks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from fittingroom.annotations.deepfashion2 import images_folder, read_folder
from fittingroom.cutout import Refused, cut_out
from fittingroom.errors import ImageRejected
from fittingroom.images import encode_png, list_images, read_rgb
from fittingroom.prepare import prepare_image
from fittingroom.styles.colours import COLOUR_NAMES
from fittingroom.styles.describe import describe_garment
from fittingroom.styles.patterns import PATTERN_NAMES
from fittingroom.tryon.worn import cut_worn_garments
from fittingroom.workspace import digest_file, write_bytes


def write_target(photos: Path, out: Path, colour: str, pattern: str, at_most: int) -> int:
    """Cut out, describe and keep; returns how many were written (each with its mirrored twin)."""
    written = 0
    for path in list_images(photos):
        try:
            cutout = cut_out(read_rgb(path))
        except (Refused, ImageRejected):
            continue
        description = describe_garment(np.ascontiguousarray(cutout.rgba[..., :3]), cutout.mask)
        if (description.colour, description.pattern) != (colour, pattern):
            continue
        picture, name = prepare_image(cutout.rgba), digest_file(path)[:32]
        write_bytes(out / f"{name}.png", encode_png(picture))
        write_bytes(out / f"{name}_flip.png", encode_png(picture[:, ::-1]))
        written += 1
        if written == at_most:
            break
    return written


def main(
    out: Path,
    garments: Annotated[Path, typer.Option(help="Photos of single garments, of any colour and pattern.")],
    worn: Annotated[Path, typer.Option(help="A DeepFashion2 folder: photos of people, annotated.")],
    colour: Annotated[str, typer.Option(help="One of " + ", ".join(COLOUR_NAMES))],
    pattern: Annotated[str, typer.Option(help="One of " + ", ".join(PATTERN_NAMES))] = "solid",
    at_most: Annotated[int, typer.Option(help="Garments of the style.")] = 60,
) -> None:
    """Write both folders and print how many pictures each has."""
    targets = write_target(garments, out / "target", colour, pattern, at_most)
    sources = (
        [] if (out / "source").exists() else cut_worn_garments(read_folder(worn), images_folder(worn), out / "source")
    )
    print(json.dumps({"target": 2 * targets, "source": len(sources)}))


if __name__ == "__main__":
    typer.run(main)
