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

from fittingroom.annotations.findings import Findings
from fittingroom.annotations.sources import open_source, read
from fittingroom.appearance.colours import COLOUR_NAMES
from fittingroom.appearance.describe import describe_garment
from fittingroom.cutout import Refused, cut_out
from fittingroom.errors import ImageRejected
from fittingroom.images import list_images, read_rgb
from fittingroom.preparing.from_people import cut_worn_garments, write_twins
from fittingroom.preparing.square import prepare_image
from fittingroom.style_card import PATTERNS
from fittingroom.workspace import digest_file


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
        write_twins(out, digest_file(path)[:32], prepare_image(cutout.rgba))
        written += 1
        if written == at_most:
            break
    return written


def main(
    out: Path,
    garments: Annotated[Path, typer.Option(help="Photos of single garments, of any colour and pattern.")],
    worn: Annotated[Path, typer.Option(help="A DeepFashion2 folder: photos of people, annotated.")],
    colour: Annotated[str, typer.Option(help="One of " + ", ".join(COLOUR_NAMES))],
    pattern: Annotated[str, typer.Option(help="One of " + ", ".join(PATTERNS))] = "solid",
    at_most: Annotated[int, typer.Option(help="Garments of the style.")] = 60,
) -> None:
    """Write both folders and print how many pictures each has."""
    targets = write_target(garments, out / "target", colour, pattern, at_most)
    source = open_source(worn, Findings())
    images = source.images_dir or worn
    sources = [] if (out / "source").exists() else cut_worn_garments(read(source, Findings()), images, out / "source")
    print(json.dumps({"target": 2 * targets, "source": len(sources)}))


if __name__ == "__main__":
    typer.run(main)
