"""The photos behind the starter segmenter: to train on, to choose a checkpoint by, and to measure by at the very end.

    python -m benchmarks.starter_split CCP OUT

CCP is a DeepFashion2 folder (``image``, ``annos``). Of 100 photos that are held out, three in ten go to
``OUT/training`` as its validation split and choose the checkpoint; the others are ``OUT/final``, which no training and
no choice sees.
Part maps are found where `fittingroom.segmentation.parts` looks for them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer

from fittingroom.annotations.select import Selection, SelectionSettings, select, write_dataset

HELD_OUT = 100
CHOOSING = (0, 3, 6)
"""Of each ten held-out photos by name, those that choose."""


def starter_split(source: Path, out: Path, train: int = 735, held_out: int = HELD_OUT) -> tuple[Selection, Selection]:
    """Write ``out/training`` and ``out/final``; the held-out photos are those of every earlier starter segmenter."""
    selection = select(source, SelectionSettings(train=train, validation=held_out))
    held = sorted(selection.validation, key=lambda image: image.file_name)
    choosing = tuple(image for number, image in enumerate(held) if number % 10 in CHOOSING)
    final = tuple(image for number, image in enumerate(held) if number % 10 not in CHOOSING)
    both = replace(selection, validation=choosing), replace(selection, train=(), validation=final)
    for name, part in zip(("training", "final"), both, strict=True):
        write_dataset(part, out / name)
    return both


def main(source: Path, out: Path) -> None:
    """Write both data sets and say how many photos they have."""
    training, final = starter_split(source, out)
    for side, what in (
        (training.train, "train on"),
        (training.validation, "choose by"),
        (final.validation, "measure by"),
    ):
        print(f"{len(side)} to {what}")


if __name__ == "__main__":
    typer.run(main)
