"""Is the style describer right by a person's eye? Contact sheets to judge, and the tables that the judgements give.

    python benchmarks/describe_sheets.py draw GARMENTS OUT [--at-most 144]
    python benchmarks/describe_sheets.py judge benchmarks/describe_judged.csv GARMENTS

GARMENTS holds photos of single garments. ``draw`` takes those that `benchmarks/describe.py` was never fitted on (they
are not in describe_labels.csv), cuts them out, and writes sheets of 36 with number, colour and pattern under each, and
``OUT/described.csv``. A person writes down what is right: columns ``file``, ``split`` (``tune`` for those that borders
and thresholds may be set by, ``report`` for those that they may not), ``colours`` (every basic name that a person would
let pass, joined by "/") and ``pattern`` (empty where none of the six is clear). ``judge`` describes the photos of a
split anew and prints the share that is right and what was taken for what, as JSON.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from fittingroom.appearance.describe import StyleDescription, describe_garment
from fittingroom.cutout import Refused, cut_out
from fittingroom.errors import ImageRejected
from fittingroom.images import RGB, flatten_on_white, list_images, read_rgb, resize, write_png
from fittingroom.preparing.square import prepare_image
from fittingroom.sheets import Cell, contact_sheet, wrapped

LABELS = Path(__file__).resolve().parent / "describe_labels.csv"
SIDE, COLUMNS, ROWS = 190, 9, 4
app = typer.Typer(help=__doc__, no_args_is_help=True)


def described(paths: Sequence[Path]) -> Iterator[tuple[Path, RGB, StyleDescription]]:
    """Each garment that is cut out without doubt: its photo, the cut-out on white, its description."""
    for path in paths:
        try:
            cutout = cut_out(read_rgb(path))
        except (Refused, ImageRejected):
            continue
        shown = resize(flatten_on_white(prepare_image(cutout.rgba)), SIDE, SIDE)
        yield path, shown, describe_garment(np.ascontiguousarray(cutout.rgba[..., :3]), cutout.mask)


@app.command()
def draw(
    garments: Path, out: Path, at_most: Annotated[int, typer.Option(help="Garments on all sheets.")] = 144
) -> None:
    """The sheets, and what the describer says."""
    with LABELS.open(encoding="utf-8") as file:
        fitted = {row["file"] for row in csv.DictReader(file)}
    out.mkdir(parents=True, exist_ok=True)
    cells: list[Cell] = []
    rows: list[dict[str, str | int]] = []
    found = described([path for path in list_images(garments) if path.name not in fitted])
    for number, (path, shown, description) in enumerate(islice(found, at_most), start=1):
        rows.append({"number": number, "file": path.name, "colour": description.colour, "pattern": description.pattern})
        cells.append(Cell(shown, notes=(f"{number} {description.colour} {description.pattern}",)))
    for start in range(0, len(cells), COLUMNS * ROWS):
        shown_here = cells[start : start + COLUMNS * ROWS]
        sheet = contact_sheet(wrapped(shown_here, COLUMNS), SIDE)
        write_png(out / f"sheet-{start + len(shown_here):03d}.png", sheet)
    with (out / "described.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["number", "file", "colour", "pattern"])
        writer.writeheader()
        writer.writerows(rows)
    print(json.dumps({"garments": len(rows), "sheets": str(out)}))


@app.command()
def judge(judged: Path, garments: Path, split: Annotated[str, typer.Option(help="report or tune.")] = "report") -> None:
    """How much of what the describer says now is right by the judgements in a file."""
    with judged.open(encoding="utf-8") as file:
        said = {row["file"]: row for row in csv.DictReader(file) if row["split"] == split}
    colours: list[tuple[str, str, bool]] = []
    patterns: list[tuple[str, str, bool]] = []
    for path, _, description in described([garments / name for name in said]):
        row = said[path.name]
        colours.append((row["colours"], description.colour, description.colour in row["colours"].split("/")))
        if row["pattern"]:
            patterns.append((row["pattern"], description.pattern, row["pattern"] == description.pattern))
    print(json.dumps({"colour": _table(colours), "pattern": _table(patterns)}, indent=2))


def _table(outcomes: Sequence[tuple[str, str, bool]]) -> dict[str, object]:
    wrong = Counter(f"{truth} taken for {found}" for truth, found, right in outcomes if not right)
    per_truth: dict[str, dict[str, int]] = {}
    for truth, found, _ in outcomes:
        row = per_truth.setdefault(truth, {})
        row[found] = row.get(found, 0) + 1
    right = sum(right for _, _, right in outcomes)
    share = round(right / len(outcomes), 4) if outcomes else None
    return {"garments": len(outcomes), "right": share, "wrong": dict(wrong.most_common()), "said": per_truth}


if __name__ == "__main__":
    app()
