"""What a batch of try-ons costs next to one try-on after the other in a process that has its models loaded.

    python -m benchmarks.batch PHOTOS [--style red-solid --style navy-solid] [--photos 12] [--rounds 3]

Both sides get the same cores, in processes of their own that take turns; each first does one photo that is not counted.
``single`` is what the command line does for one photo and one style, without loading models; ``batch`` is
`fittingroom.tryon.folder.ResultFolder`, manifest and contact sheets included, in an empty folder; ``again`` is the
same once more. Prints seconds a picture, by the clock and of processor time (the least of the rounds), their ratios,
and peak memory in MB, also of the batch with twice the photos. On a machine with other work, take the processor time.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from fittingroom.images import list_images
from fittingroom.registry.serving import Serving
from fittingroom.tryon.batch import Look, photos_at_once, share_cores
from fittingroom.tryon.folder import ResultFolder, WantedLook
from fittingroom.tryon.models import Champions
from fittingroom.tryon.photo import read_photo, try_on_photo, warning_of, write_result
from fittingroom.tryon.provenance import MadeBy
from fittingroom.tryon.settings import TryOnSettings


def look_of(style: str, champions: Champions) -> Look:
    served = champions.serving.style(style)
    category = served.style.category if served.style else None
    made_by = MadeBy(style, champions.weights_of(style))
    return Look(style, champions.translator(style), made_by, TryOnSettings(), category, champions.domains(style))


def single(photos: list[Path], looks: list[Look], champions: Champions, out: Path) -> None:
    finder = champions.segmenter()
    for path in photos:
        for look in looks:
            photo = read_photo(path)
            result = try_on_photo(photo, finder, look.translator, look.settings, look.category)
            warning_of(photo, result, look.domains)
            write_result(out / f"{path.stem}-{look.name}.png", result, photo, look.made_by)


def batch(photos: list[Path], looks: list[Look], champions: Champions, out: Path) -> None:
    wanted = [WantedLook(look.name, look.made_by, look.settings, look.category, look.domains) for look in looks]
    ResultFolder(out).try_on(photos, wanted, lambda: (champions.segmenter(), looks))


def one_side(side: str, photos: list[Path], styles: list[str]) -> dict[str, float]:
    """Seconds a picture, and the peak of memory."""
    champions = Champions(Serving.from_settings(), "cpu")
    looks = [look_of(style, champions) for style in styles]
    work = single if side == "single" else batch
    if side != "single":
        share_cores(photos_at_once())
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as folder:
        work(photos[:1], looks, champions, Path(first))
        spent = {}
        for name in (side,) if side == "single" else (side, "again"):
            begun, at_work = time.perf_counter(), time.process_time()
            work(photos[1:], looks, champions, Path(folder))
            made = len(photos[1:]) * len(looks)
            spent[name] = (time.perf_counter() - begun) / made
            spent[f"{name}, processor"] = (time.process_time() - at_work) / made
    return spent | {"mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measured(side: str, photos: list[Path], styles: list[str]) -> dict[str, float]:
    """`one_side` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.batch", "--side", side, *map(str, photos)]
    command += [f"--style={style}" for style in styles]
    done = subprocess.run(
        command, env=os.environ | {"OMP_WAIT_POLICY": "passive"}, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(
    places: list[Path],
    style: Annotated[list[str], typer.Option()] = ["red-solid", "navy-solid"],  # noqa: B006  read only
    photos: int = 12,
    rounds: int = 3,
    side: str = "",
) -> None:
    """Print one JSON document."""
    if side:
        print(json.dumps(one_side(side, places, style)))
        return
    files = list_images(places[0])
    twice = files[: 2 * photos + 1]
    runs: dict[str, list[dict[str, float]]] = {"single": [], "batch": []}
    for _ in range(rounds):
        for name, found in runs.items():
            found.append(measured(name, files[: photos + 1], style))
    least = {what: min(run[what] for run in found) for found in runs.values() for what in found[0] if what != "mb"}
    print(
        json.dumps(
            {
                "seconds a picture": {what: round(value, 3) for what, value in least.items()},
                "times": round(least["single"] / least["batch"], 2),
                "times, processor": round(least["single, processor"] / least["batch, processor"], 2),
                "photos": photos,
                "styles": style,
                "at once": photos_at_once(),
                "MB": {name: round(max(run["mb"] for run in runs[name])) for name in runs},
                "MB of the batch with twice the photos": round(measured("batch", twice, style)["mb"]),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    typer.run(main)
