"""How often a try-on doubts a mask that is wrong, and one that is sound.

    python -m benchmarks.starter_split CCP SPLIT
    python -m benchmarks.doubts SPLIT/training SPLIT/final

Of each data set's validation photos, whole and as close-ups, the garments are taken that a try-on would change for a
style of no category, of an upper garment and of trousers. A mask is wrong where its IoU with every labelled garment is
below 0.6.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fittingroom.masks import iou
from fittingroom.registry.starters import FOLDER
from fittingroom.segmentation.compare import View
from fittingroom.segmentation.dataset import read_split
from fittingroom.segmentation.predict import Segmenter
from fittingroom.tryon.doubts import doubts_about
from fittingroom.tryon.targets import Target, number_garments, take

WRONG = 0.6
STARTER = FOLDER / "segmenter.safetensors"
CATEGORIES = (None, "short sleeve top", "trousers")


def judged(segmenter: Segmenter, view: View) -> list[tuple[bool, bool]]:
    """Of each garment that would be changed, whether its mask is wrong, and whether it is doubted."""
    found = number_garments(segmenter.find(view.image))
    taken = {each.number: each.garment for category in CATEGORIES if found for each in take(found, Target(category))[0]}
    return [
        (max(iou(garment.mask, mask) for mask in view.garments) < WRONG, bool(doubts_about(view.image, garment)))
        for garment in taken.values()
    ]


def main(
    datasets: list[Path], weights: Annotated[Path | None, typer.Option(help="Instead of the starter's.")] = None
) -> None:
    """Print a line for each data set."""
    segmenter = Segmenter.load(weights or STARTER, device="cpu")
    for dataset in datasets:
        pairs = [
            pair
            for photo in read_split(dataset, "validation")
            for view in (View.whole(photo), View.close_up(photo))
            if view is not None and view.garments
            for pair in judged(segmenter, view)
        ]
        wrong, sound = ([doubted for bad, doubted in pairs if bad is side] for side in (True, False))
        print(
            f"{dataset}: {len(pairs)} masks, wrong {len(wrong) / len(pairs):.0%}; "
            f"doubted: of the wrong {share(wrong):.0%}, of the sound {share(sound):.0%}; "
            f"of the doubted wrong {sum(wrong) / max(sum(wrong) + sum(sound), 1):.0%}"
        )


def share(doubted: list[bool]) -> float:
    return sum(doubted) / max(len(doubted), 1)


if __name__ == "__main__":
    typer.run(main)
