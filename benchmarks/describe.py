"""How often is the style describer's pattern right? And how its network is fitted.

    python benchmarks/describe.py evaluate GARMENTS [FABRICS] [--worn CCP]    tables by pattern and size; --json
    python benchmarks/describe.py fit GARMENTS FABRICS    writes fittingroom/appearance/pattern_model.npz

GARMENTS holds photos of single garments named as in describe_labels.csv and describe_judged.csv (the CC0 "clothing
dataset" of A. Grigorev; labels were given by eye, garments of no clear pattern left out). FABRICS holds one folder of
close-ups per pattern: checkered, dotted, floral, solid, striped. CCP holds street photos with garments annotated as in
DeepFashion2, named as in describe_worn.csv (by eye; each photo's largest garment but trousers).

A fifth of the files, by digest, and the ``report`` split of describe_judged.csv are never trained on, nor is anything
made of them: all figures are of these, and of the network as it ships. A photo is cut out at its own size, then
reduced; refused ones are counted and left out. Patterns are judged as five kinds: floral and graphic are prints.

A fit is the same to the bit on the same machine: samples and batches are drawn by seeded generators, on one thread.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from describe_renders import FINEST, cropped, paint, resized
from describe_training import Picture, held_out, trained

from fittingroom.appearance.colour_filter import pattern_test
from fittingroom.appearance.patterns import pattern_probabilities
from fittingroom.cutout import Refused, cut_out
from fittingroom.errors import ImageRejected
from fittingroom.images import RGB, read_rgb
from fittingroom.masks import bounding_box, from_polygons
from fittingroom.style_card import Pattern

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "fittingroom" / "appearance" / "pattern_model.npz"
FABRICS = {"checkered": "checked", "dotted": "dotted", "floral": "floral", "solid": "solid", "striped": "striped"}
KINDS = ("solid", "striped", "checked", "dotted", "print")
SMALL = (200, 300)
"""Longer sides that photos are reduced to."""
RENDERED = (200, 300, 600, 1000, 2000)
"""Longer sides of garments that patterns are drawn on."""
LEGS = (7, 8)
"""Shorts and trousers, in DeepFashion2's categories."""

app = typer.Typer(help=__doc__, no_args_is_help=True)


def labels() -> dict[str, str]:
    """Pattern by file."""
    found = {row["file"]: row["pattern"] for row in _rows("describe_labels.csv")}
    for row in _rows("describe_judged.csv"):
        if row["pattern"]:
            found.setdefault(row["file"], row["pattern"])
    return found


def kept_apart() -> set[str]:
    """Files of garments that are never trained on."""
    report = {row["file"] for row in _rows("describe_judged.csv") if row["split"] == "report"}
    return report | {file for file in labels() if held_out(file)}


def _rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def garment(file: str, pattern: str, photo: RGB) -> Picture | None:
    """The garment of a photo, in its box; None where the cut-out is refused."""
    try:
        cutout = cut_out(photo)
    except (Refused, ImageRejected):
        return None
    return boxed(Picture(file, pattern, "photo", cutout.rgba[..., :3], cutout.mask))


def boxed(picture: Picture) -> Picture:
    """The picture cut to its garment's box."""
    box = bounding_box(picture.mask)
    assert box is not None
    part = np.s_[box.y1 : box.y2, box.x1 : box.x2]
    image, mask = np.ascontiguousarray(picture.image[part]), np.ascontiguousarray(picture.mask[part])
    return Picture(picture.file, picture.pattern, picture.source, image, mask)


def close_ups(fabrics: Path) -> Iterator[Picture]:
    """Cloth with no outline."""
    for folder, pattern in FABRICS.items():
        for path in sorted((fabrics / folder).iterdir()):
            image = read_rgb(path)
            yield Picture(path.name, pattern, "fabric", image, np.ones(image.shape[:2], bool))


def worn(ccp: Path) -> Iterator[Picture]:
    """Garments on people, by their annotated outlines."""
    for row in _rows("describe_worn.csv"):
        items = json.loads((ccp / "annos" / f"{row['file']}.json").read_text(encoding="utf-8"))
        image = read_rgb(next((ccp / "image").glob(f"{row['file']}.*")))
        chosen = [item for name, item in items.items() if name.startswith("item") and item["category_id"] not in LEGS]
        largest = max(chosen, key=lambda item: _area(item["bounding_box"]))
        mask = from_polygons(largest["segmentation"], *image.shape[:2])
        yield boxed(Picture(row["file"], row["pattern"], "worn", image, mask))


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _trained_garment(task: tuple[Path, str]) -> Picture:
    """A garment to train on; where its cut-out is refused, the middle of the photo, which is cloth."""
    cv2.setNumThreads(1)
    path, pattern = task
    photo = read_rgb(path)
    found = garment(path.name, pattern, photo)
    if found is not None:
        return found
    height, width = photo.shape[:2]
    image = np.ascontiguousarray(photo[int(height * 0.32) : int(height * 0.72), int(width * 0.28) : int(width * 0.72)])
    return Picture(path.name, pattern, "photo", image, np.ones(image.shape[:2], bool))


@app.command()
def fit(garments: Path, fabrics: Path) -> None:
    """Fit the network and write it next to `fittingroom.appearance.patterns`."""
    apart = kept_apart()
    tasks = [(garments / file, pattern) for file, pattern in labels().items() if file not in apart]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        pictures = list(pool.map(_trained_garment, [task for task in tasks if task[0].is_file()], chunksize=16))
    # In the middle of a photo there may be none of a print.
    pictures = [picture for picture in pictures if picture.pattern != "graphic" or not picture.mask.all()]
    pictures += [picture for picture in close_ups(fabrics) if not held_out(picture.file)]
    np.savez(MODEL, **trained(pictures))
    print(f"{MODEL}: {MODEL.stat().st_size:,} bytes, fitted on {len(pictures)} pictures")


class Table:
    """What was said of pictures, by their group."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, dict[Pattern, float]]] = []

    def add(self, group: str, picture: Picture) -> None:
        """Describe a picture."""
        self.rows.append((group, picture.pattern, pattern_probabilities(picture.image, picture.mask)))

    def report(self) -> dict[str, dict[str, object]]:
        """By group: pictures, right (0 to 1), and for each kind how many it was said to be."""
        found: dict[str, dict[str, object]] = {}
        for group in dict.fromkeys(row[0] for row in self.rows):
            rows = [row for row in self.rows if row[0] == group]
            said = [(_kind(truth), _said(probabilities)[0]) for _, truth, probabilities in rows]
            per_kind = {
                kind: {other: said.count((kind, other)) for other in KINDS if (kind, other) in said} for kind in KINDS
            }
            right = sum(truth == one for truth, one in said) / len(said)
            found[group] = {"pictures": len(said), "right": round(right, 4), "said": per_kind}
        return found

    def calibration(self) -> list[dict[str, float]]:
        """Of answers by how sure they are: how many, how sure on average, and how many of them are right."""
        sure = [
            (_said(probabilities)[1], _said(probabilities)[0] == _kind(truth)) for _, truth, probabilities in self.rows
        ]
        bins = []
        for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
            chosen = [one for one in sure if low <= one[0] < high]
            if chosen:
                mean, right = np.mean(chosen, axis=0)
                bins.append({"answers": len(chosen), "sure": round(float(mean), 3), "right": round(float(right), 3)})
        return bins


def _kind(pattern: str) -> str:
    return pattern if pattern in KINDS else "print"


def _said(probabilities: dict[Pattern, float]) -> tuple[str, float]:
    """The kind that is most likely, and how likely."""
    sums = dict.fromkeys(KINDS, 0.0)
    for name, probability in probabilities.items():
        sums[_kind(name)] += probability
    kind = max(sums, key=lambda name: sums[name])
    return kind, sums[kind]


def refusals(pictures: Sequence[Picture]) -> dict[str, int]:
    """What `pattern_test` says of garments: of their own pattern, and of patterned ones asked for as solid."""
    own = foreign = patterned = 0
    for picture in pictures:
        test, solid = pattern_test(picture.pattern), pattern_test("solid")
        assert test is not None
        assert solid is not None
        own += test(picture.image, picture.mask) is not None
        if picture.pattern != "solid":
            patterned += 1
            foreign += solid(picture.image, picture.mask) is not None
    return {"garments": len(pictures), "own_refused": own, "patterned": patterned, "refused_as_solid": foreign}


@app.command()
def evaluate(
    garments: Path,
    fabrics: Annotated[Path | None, typer.Argument()] = None,
    worn_in: Annotated[Path | None, typer.Option("--worn", help="Street photos.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for tables.")] = False,
) -> None:
    """How often the network as it ships is right, by kind and size, on pictures that it was never fitted on."""
    table, refused = Table(), 0
    random = np.random.default_rng(7)
    own_size: list[Picture] = []
    apart = kept_apart()
    patterns = {file: pattern for file, pattern in labels().items() if file in apart}
    for file, pattern in sorted(patterns.items()):
        if not (garments / file).is_file():
            continue
        picture = garment(file, pattern, photo := read_rgb(garments / file))
        if picture is None:
            refused += 1
            continue
        for size in SMALL:
            longer = max(picture.mask.shape) * size / max(photo.shape)
            small = resized(picture.image, picture.mask, longer)
            table.add(f"photo {size}", Picture(file, pattern, "small", *small))
        own_size.append(picture)
        table.add("photo, own size", picture)
        if pattern != "graphic":
            table.add("photo, crop", Picture(file, pattern, "crop", *cropped(picture.image, picture.mask, random)))
        if pattern == "solid":
            for kind in ("striped", "checked", "dotted", "floral"):
                size = int(random.choice(RENDERED))
                image, mask = resized(picture.image, picture.mask, size)
                finest = max(FINEST, size / 150)
                table.add(
                    f"rendered {size:4d}", Picture(file, kind, "render", paint(image, mask, kind, random, finest), mask)
                )
    for picture in close_ups(fabrics) if fabrics else ():
        if held_out(picture.file):
            table.add("cloth, whole picture", picture)
            table.add(
                "cloth at 128",
                Picture(picture.file, picture.pattern, "small", *resized(picture.image, picture.mask, 128)),
            )
            crop = cropped(picture.image, picture.mask, random, 0.45)
            table.add("cloth, crop", Picture(picture.file, picture.pattern, "crop", *crop))
    for picture in worn(worn_in) if worn_in else ():
        table.add("worn", picture)
    report = {
        "refused": refused,
        "groups": table.report(),
        "calibration": table.calibration(),
        "pattern_test": refusals(own_size),
    }
    if as_json:
        print(json.dumps(report, indent=2))
        return
    print(f"{'':22}{'pictures':>9}{'right':>8}" + "".join(f"{kind:>16}" for kind in KINDS))
    for group, row in table.report().items():
        cells = []
        for kind in KINDS:
            said = row["said"][kind]  # type: ignore[index]
            count = sum(said.values())
            cells.append(f"{said.get(kind, 0) / count:7.0%} of {count:4d}" if count else "")
        print(f"{group:22}{row['pictures']:9}{row['right']:8.1%}" + "".join(f"{cell:>16}" for cell in cells))
    print(f"cut-outs refused: {refused}")
    for row in report["calibration"]:
        print(f"{row['answers']} answers {row['sure']:.0%} sure on average: {row['right']:.0%} right")
    print(f"pattern_test on photos at their own size: {report['pattern_test']}")


if __name__ == "__main__":
    app()
