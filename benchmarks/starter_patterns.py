"""Prepared pictures for the starter styles that are a pattern: real garments and rendered ones, and what to paint.

    python -m benchmarks.starter_patterns OUT --garments DIR --labels CSV --worn CCP

``OUT/source`` gets the garments that people wear in a DeepFashion2 folder, cut by their annotated masks, out of the
photos that `benchmarks.starter_split` (in ``OUT/split``) trains on;
``OUT/striped`` and so on real garments of that label (a CSV with file, pattern and pattern_confidence) and rendered
ones, fine and broad, level, upright and slanting; ``OUT/held-out/striped`` and so on photos that nothing learns from,
a tenth by their names' digest.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.starter_split import starter_split
from fittingroom.cutout import Refused, cut_out
from fittingroom.errors import ImageRejected
from fittingroom.images import RGB, read_rgb
from fittingroom.preparing.from_people import cut_worn_garments, write_twins
from fittingroom.preparing.square import prepare_image
from fittingroom.sample.camera import photograph
from fittingroom.sample.canvas import Canvas
from fittingroom.sample.fabrics import COLOURS, Fabric, tint
from fittingroom.sample.scenes import lay_flat, random_light
from fittingroom.sample.shop import table
from fittingroom.style_card import Pattern
from fittingroom.workspace import digest_bytes

KINDS: tuple[Pattern, ...] = ("solid", "striped", "checked", "dotted")
SURE = 0.8
CATEGORIES = (1, 1, 2, 2, 5, 9, 10, 11)


def rendered(pattern: Pattern, rng: np.random.Generator) -> RGB:
    """A garment of this pattern on a light table."""
    canvas = Canvas(table(480, 400, rng), random_light(rng))
    first, second = rng.choice(sorted(COLOURS), 2, replace=False)
    angle = float(rng.choice([0, 0, 0, np.pi / 2, np.pi / 2, 0.6, -0.8])) if pattern == "striped" else 0.0
    if pattern != "striped" and rng.random() < 0.2:
        angle = float(rng.uniform(0, np.pi / 2))
    share = float(rng.uniform(0.25, 0.6) if pattern == "striped" else rng.uniform(0.4, 0.6))
    fabric = Fabric(
        pattern, tint(COLOURS[first], rng, 0.03), tint(COLOURS[second], rng, 0.03), angle=angle, share=share,
        weave=float(rng.uniform(0.004, 0.02)),
    )  # fmt: skip
    period = float(np.exp(rng.uniform(np.log(0.03), np.log(0.15))))
    lay_flat(canvas, rng, int(rng.choice(CATEGORIES)), fabric, fill=float(rng.uniform(0.75, 0.88)), period_share=period)
    canvas.image = photograph(canvas.image, rng, 0.4)
    return canvas.pixels()


def write_garment(photo: RGB, name: str, folder: Path) -> bool:
    """Cut out and write, with its mirrored twin."""
    try:
        picture = prepare_image(cut_out(photo).rgba)
    except Refused:
        return False
    write_twins(folder, name, picture)
    return True


def main(
    out: Path,
    garments: Annotated[Path, typer.Option(help="Photos of single garments.")],
    labels: Annotated[Path, typer.Option(help="Their labels.")],
    worn: Annotated[Path, typer.Option(help="A DeepFashion2 folder: photos of people, annotated.")],
    drawn: Annotated[int, typer.Option(help="Rendered garments of each pattern.")] = 120,
) -> None:
    """Write the folders and print how many pictures each has."""
    rows = list(csv.DictReader(labels.read_text(encoding="utf-8").splitlines()))
    for pattern in KINDS:
        real = 0
        for row in rows:
            if row["pattern"] != pattern or float(row["pattern_confidence"]) < SURE:
                continue
            photo, name = garments / row["file"], Path(row["file"]).stem
            if int(digest_bytes(name.encode()), 16) % 10 == 0:
                (out / "held-out" / pattern).mkdir(parents=True, exist_ok=True)
                shutil.copy(photo, out / "held-out" / pattern)
                continue
            try:
                real += write_garment(read_rgb(photo), name, out / pattern)
            except ImageRejected:
                continue
        count = sum(
            write_garment(rendered(pattern, np.random.default_rng([number, 77])), f"drawn-{number:03d}", out / pattern)
            for number in range(drawn)
        )
        print(f"{pattern}: {real} real garments, {count} rendered")
    training, _ = starter_split(worn, out / "split")
    print(f"source: {len(cut_worn_garments(training.train, worn / 'image', out / 'source'))} pictures")


if __name__ == "__main__":
    typer.run(main)
