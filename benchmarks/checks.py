"""What the checks between stages cost: processor seconds of all that they look at, and once more when that is known.

    python benchmarks/checks.py FOLDER

FOLDER gets the sample world, which is taken as it is where it was made before, two of its styles cut out and prepared,
and the data set of the demo (296 photos to learn from, 54 to be judged on). Prints a JSON line for each time. What a
lifecycle adds to it is one artifact, written to the server.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fittingroom.annotations.select import SelectionSettings, select, write_dataset
from fittingroom.checks.settings import CheckSettings
from fittingroom.cutout import CutoutSettings, cut_out_files
from fittingroom.preparing.square import prepare_files
from fittingroom.sample.shop_server import write_catalog
from fittingroom.sample.world import build_world
from fittingroom.style_card import STYLE_FILE, StyleCard
from fittingroom.workspace import Workspace
from tasks.annotating import read_dataset
from tasks.caching import CachedResult, Summary
from tasks.checking import Checking
from tasks.pictures import PreparedStyle

STYLES = ("navy-striped", "red-solid")


def prepared(place: Workspace, style: str, photos: list[Path]) -> PreparedStyle:
    """As a lifecycle leaves it."""
    StyleCard(style, "red", "solid").write(place.crawl(style) / STYLE_FILE)
    rows = cut_out_files(photos, place.cutouts(style), CutoutSettings())
    kept = [place.cutouts(style) / row.path for row in rows if row.status == "kept"]
    prepare_files(kept, place.prepared(style))
    counts = Counter("kept" if row.status == "kept" else f"{row.status}: {row.reason}" for row in rows)
    return PreparedStyle([Summary({"counts": dict(counts)}, 0.0, style)], [Summary({}, 0.0, style)])


def main() -> None:
    """The world, and the checks twice."""
    logging.disable()
    root = Path(sys.argv[1]).absolute()
    world, place = build_world(root / "sample"), Workspace(root / "w")
    shutil.rmtree(place.root, ignore_errors=True)
    cut = {style: prepared(place, style, list(world.shop.photos[style])) for style in STYLES}
    crawled = {style: Summary({"offered": 24, "counts": {"kept": 24}}, 0.0, style) for style in STYLES}
    chosen = select(world.dataset, SelectionSettings())
    write_dataset(chosen, place.dataset("garments"))
    dataset = read_dataset(place, "garments")
    value = {"name": "garments", "left_out": dict(chosen.left_out), "found": dict(chosen.found)}
    converted = CachedResult(value=value, outputs={}, seconds=0.0)
    catalog = write_catalog(root / "catalog.yaml", "http://127.0.0.1:8000", STYLES)
    for run in ("first", "again"):
        begun = time.process_time()
        checks = Checking(place, catalog, STYLES, CheckSettings())
        checks.crawled(STYLES, crawled)
        checks.cut_out(STYLES, cut)
        checks.converted(converted, dataset)
        rows = checks.rows()
        figures = {"run": run, "cpu_seconds": round(time.process_time() - begun, 3), "checks": len(rows)}
        print(json.dumps(figures | {"not passed": [f"{r['of']}: {r['name']}" for r in rows if not r["passed"]]}))


if __name__ == "__main__":
    main()
