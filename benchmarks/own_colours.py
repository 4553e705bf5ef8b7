"""How near try-ons come to the very garment's colours: a grid of style pictures by people, and a table of the bars.

    python benchmarks/own_colours.py OUT --styles DIR --people DIR [--weights FILE ...]
    python benchmarks/own_colours.py OUT --rendered --people DIR

Each style picture is taken as ``try-on --style PICTURE`` takes it, in its own colours and with ``--house-colours
--nearest``, and tried on each person; ``OUT/grid.png`` shows both (``OUT/strip.jpg`` the first person
alone, for a document), ``OUT/figures.json`` has every number. The starters serve, and the styles in the files of
``--weights``. A picture whose pattern no style has is counted as refused, and painted by nobody.

Measured on plain cloth is the finished picture where the new garment is opaque: CIEDE2000 between the middle (median)
of all of the garment's pixels there and on the style picture, prints and shadows included, which no painting
looks at. On patterned cloth it is each dye that the style has a figure for, as ``try-on --json`` says it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from fittingroom.appearance.choose import AvailableStyle
from fittingroom.appearance.ciede2000 import ciede2000
from fittingroom.appearance.cloth import cloth_of
from fittingroom.appearance.colours import srgb_to_lab
from fittingroom.appearance.describe import describe_garment
from fittingroom.errors import FittingroomError, NoGarmentFound, NothingNear
from fittingroom.garment import Garment, GarmentFinder
from fittingroom.images import RGB, list_images, read_rgb, resize, write_picture, write_png
from fittingroom.masks import Mask
from fittingroom.registry.starters import StarterModels
from fittingroom.registry.weights_card import read_card
from fittingroom.sample.canvas import Canvas
from fittingroom.sample.fabrics import COLOURS, Fabric
from fittingroom.sample.scenes import lay_flat, random_light
from fittingroom.sample.shop import table
from fittingroom.segmentation.predict import Segmenter
from fittingroom.translation.predict import Translator
from fittingroom.tryon.nearness import nearness
from fittingroom.tryon.report import TryOnRow, persons_sheet
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.tryon.steps import TryOnResult, style_garment, try_on
from fittingroom.tryon.wanted import Wanted, Wish, wanted_by_picture

RENDERED: dict[str, tuple[Fabric, float]] = {
    "green": (Fabric("solid", COLOURS["green"], weave=0.012), 0.1),
    "pink": (Fabric("solid", COLOURS["pink"], weave=0.012), 0.1),
    "broad-level": (Fabric("striped", COLOURS["red"], COLOURS["white"]), 0.13),
    "fine-level": (Fabric("striped", COLOURS["white"], COLOURS["navy"], share=0.35), 0.045),
    "upright": (Fabric("striped", COLOURS["teal"], COLOURS["yellow"], angle=np.pi / 2), 0.08),
    "gingham": (Fabric("checked", COLOURS["white"], COLOURS["blue"]), 0.07),
    "broad-checks": (Fabric("checked", COLOURS["red"], COLOURS["black"]), 0.13),
    "dots": (Fabric("dotted", COLOURS["navy"], COLOURS["cream"], share=0.35), 0.09),
}
"""Cloth from the sample world, and its repeat as a share of the garment's longer side."""
BARS = {"plain": (1.5, 4.0), "patterned": (4.0, None)}
"""Median and 90th percentile of CIEDE2000: at most these."""
LONGEST = 1000


def render_styles(folder: Path) -> list[Path]:
    """Packshots of `RENDERED`."""
    paths = []
    for number, (name, (fabric, period)) in enumerate(RENDERED.items()):
        rng = np.random.default_rng([number, 5])
        canvas = Canvas(table(480, 400, rng), random_light(rng))
        lay_flat(canvas, rng, 1, fabric, fill=0.8, period_share=period)
        paths.append(folder / f"{number}-{name}.png")
        write_png(paths[-1], canvas.pixels())
    return paths


def models(weights: Sequence[Path]) -> dict[str, tuple[AvailableStyle, Translator]]:
    """Starters and further files, by name."""
    starters = StarterModels()
    found = {style.name: (style, starters.style(style.name)) for style in starters.styles()}
    for path in weights:
        info = read_card(path).info
        found[info["name"]] = (AvailableStyle(info["name"], "", info["target"]["pattern"]), path)
    loaded = {name: (style, Translator.load(path)) for name, (style, path) in found.items() if path}
    return {name: (replace(style, takes_dyes=made.takes_dyes), made) for name, (style, made) in loaded.items()}


def middle(image: RGB, mask: Mask) -> Any:
    """The median of all pixels at ``mask``, CIELAB (3,)."""
    return np.median(srgb_to_lab(image[mask]), axis=0)


class Remembering:
    """The segmenter, asked once for each picture: what is compared here comes after it."""

    def __init__(self, finder: GarmentFinder) -> None:
        self._finder, self._found = finder, {}

    def find(self, image: RGB, score_threshold: float | None = None) -> list[Garment]:
        """As the segmenter's."""
        key = hash(image.tobytes())
        if key not in self._found:
            self._found[key] = self._finder.find(image, score_threshold)
        return self._found[key]


def sized(path: Path) -> RGB:
    """The picture, made smaller where it is large."""
    image = read_rgb(path)
    scale = min(LONGEST / max(image.shape[:2]), 1.0)
    return image if scale == 1 else resize(image, round(image.shape[1] * scale), round(image.shape[0] * scale))


def measure(result: Any, wanted: Wanted, figures: int, of_all: Any) -> dict[str, Any]:
    """The row of one try-on."""
    opaque = result.alpha >= 0.99
    plain = wanted.described is not None and wanted.described["pattern"] == "solid"
    row: dict[str, Any] = {"kind": "plain" if plain else "patterned"}
    row["ciede2000"] = float(ciede2000(of_all, middle(result.image, opaque)))
    row["dyes"] = [one.ciede2000 for one in result.colour[:figures]]
    row["pattern"] = wanted.style.pattern
    row["described"] = describe_garment(np.ascontiguousarray(result.image[..., :3]), opaque).pattern
    return row


def added(seen: RGB, mask: Mask, wanted: Wanted, translator: Translator, result: TryOnResult) -> float:
    """Processor seconds that own colours add to a try-on: all that is done next to what house colours need."""
    began = time.process_time()
    cloth = cloth_of(seen, mask, wanted.described["pattern"])
    labs = [dye.lab for dye in cloth]
    translator.slots.dyed(labs)
    nearness(result.changed[0].translated, result.changed[0].garment_mask, wanted.style.pattern, labs)
    return time.process_time() - began


def strip(sheet: Sequence[TryOnRow], cell: int) -> RGB:
    """For a document: style pictures in a row, and below them the first person in house colours and in their own."""
    rows = []
    for which in ("picture", "1, house", "1, own"):
        paths = [row.photo if which == "picture" else row.results.get(which) for row in sheet]
        rows.append(np.hstack([_square(read_rgb(Path(path)) if path else None, cell) for path in paths]))
    return np.vstack(rows)


def _square(image: RGB | None, side: int) -> RGB:
    square = np.full((side, side, 3), 255, np.uint8)
    if image is not None:
        scale = (side - 4) / max(image.shape[:2])
        small = resize(image, round(image.shape[1] * scale), round(image.shape[0] * scale))
        top, left = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
        square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def summary(rows: Sequence[dict[str, Any]], refused: int, seconds: Sequence[float]) -> Iterator[str]:
    """The table of the bars, in Markdown."""
    yield "| cloth | colours | style pictures | try-ons | median CIEDE2000 | 90th percentile | at most |"
    yield "|---|---|---|---|---|---|---|"
    for kind, (most, most_90) in BARS.items():
        for colours in ("house", "own"):
            these = [row for row in rows if row["kind"] == kind and row["colours"] == colours]
            if not these:
                continue
            columns = (
                {"": [row["ciede2000"] for row in these]}
                if kind == "plain"
                else {
                    f", dye {n + 1}": [row["dyes"][n] for row in these if len(row["dyes"]) > n]
                    for n in range(max(len(row["dyes"]) for row in these))
                }
            )
            for which, values in columns.items():
                pictures = len({row["style"] for row in these})
                bar = f"{most}" + (f" and {most_90}" if most_90 else "")
                yield (
                    f"| {kind}{which} | {colours} | {pictures} | {len(values)} | {np.median(values):.2f} | "
                    f"{np.quantile(values, 0.9):.2f} | {bar} |"
                )
    yield ""
    for pattern in sorted({row["pattern"] for row in rows}):
        described = [row["described"] for row in rows if row["pattern"] == pattern and row["colours"] == "own"]
        yield f"{pattern}: described as such in {described.count(pattern)} of {len(described)} results in own colours"
    yield f"refused, as no style has their pattern: {refused} style pictures"
    median, high = 1000 * np.quantile(seconds, [0.5, 0.9])
    yield f"own colours add {median:.0f} ms of processor time to a warm try-on, {high:.0f} at the 90th percentile"


def main(
    out: Path,
    people: Annotated[list[Path], typer.Option(help="Folders of photos of people, or photos.")],
    styles: Annotated[list[Path] | None, typer.Option(help="Folders of pictures of garments, or pictures.")] = None,
    weights: Annotated[list[Path] | None, typer.Option(help="Weights of further styles.")] = None,
    rendered: Annotated[bool, typer.Option("--rendered", help="Style pictures from the sample world.")] = False,
    shown: Annotated[int, typer.Option(help="People on the grid.")] = 4,
    cell: Annotated[int, typer.Option(help="Pixels of a cell's side.")] = 240,
) -> None:
    """Make the grid and print the table."""
    pictures = render_styles(out / "styles") if rendered else _files(styles or [])
    starter = StarterModels().segmenter()
    assert starter is not None
    finder, serving = Remembering(Segmenter.load(starter)), models(weights or [])
    available = [style for style, _ in serving.values()]
    photos = [(path, sized(path)) for path in _files(people)]
    rows: list[dict[str, Any]] = []
    sheet, seconds, refused = [], [], 0
    for path in pictures:
        image = sized(path)
        try:
            own = wanted_by_picture(image, available, finder, Wish())
            house = wanted_by_picture(image, available, finder, Wish(house_colours=True, nearest=True))
            seen, mask, _ = style_garment(image, finder)
        except NothingNear as error:
            refused += 1
            print(f"{path.name}: {error.what}")
            continue
        except (NoGarmentFound, FittingroomError) as error:
            print(f"{path.name}: {error}")
            continue
        made = {}
        for number, (person, photo) in enumerate(photos):
            taken = {}
            for colours, wanted in (("house", house), ("own", own)):
                translator = serving[wanted.style.name][1]
                figures = len(translator.slots.dyes)
                try:
                    result = try_on(photo, finder, translator, TryOnSettings(**wanted.painting()))
                except NoGarmentFound:
                    break
                taken[colours] = result
                row = measure(result, wanted, figures, middle(seen, mask))
                rows.append({"style": path.name, "person": person.name, "colours": colours, **row})
                if number < shown:
                    file = out / "results" / f"{path.stem}-{person.stem}-{colours}.png"
                    write_png(file, result.image)
                    made[f"{number + 1}, {colours}"] = str(file)
            if len(taken) == 2:
                seconds.append(added(seen, mask, own, serving[own.style.name][1], taken["own"]))
        sheet.append(TryOnRow(path.name, str(path), results=made))
    write_png(out / "grid.png", persons_sheet(sheet, cell))
    write_picture(out / "strip.jpg", strip(sheet, cell))
    (out / "figures.json").write_text(json.dumps(rows, indent=1))
    print("\n".join(summary(rows, refused, seconds)))


def _files(places: Sequence[Path]) -> list[Path]:
    return [path for place in places for path in (list_images(place) if place.is_dir() else [place])]


if __name__ == "__main__":
    typer.run(main)
