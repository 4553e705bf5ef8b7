"""What Prefect costs: many small pictures through flows, and through the same library calls without them.

    python benchmarks/orchestration/cost.py [--images 10000] [--folder DIR] [--no-lifecycle] \
        [--database sqlite] [--database postgresql+asyncpg://user:password@host/name]

The pictures are crawled once, from folders. Then the library alone cuts them out and prepares them, and
prepare-garments does the same in the same shards, two at a time, with a server on each database: at first, again (all
of it cached), and with one new picture. On the first database the whole lifecycle follows, whose trainings are short,
and once more, all of it cached. Every side is a process of its own, so its peak memory is its own too. Prints one JSON
document.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deployments.environment import use_server
from deployments.server import LocalServer
from fittingroom.images import encode_jpeg
from fittingroom.manifest import Manifest
from fittingroom.workspace import Workspace, write_bytes

STYLE, COLOUR = "red-solid", "red"
THREADS = 2
SHARD = 256
SOURCE = 1000
"""Pictures in one folder: as many as a crawl takes of a source."""
SQLITE = "sqlite"
SEGMENTER = {"max_minutes": 3.0}
TRANSLATOR = {"epochs": 3}


def picture(number: int) -> bytes:
    """A small shirt on a plain ground, patched in reds like no other: 160 x 140 pixels."""
    chance = np.random.default_rng(number)
    image = np.full((160, 140, 3), 230, np.uint8)
    cv2.rectangle(image, (37, 24), (103, 140), (170, 30, 40), -1)
    cv2.rectangle(image, (17, 24), (123, 56), (170, 30, 40), -1)
    for x in range(37, 103, 11):
        for y in range(24, 140, 12):
            shade = float(chance.uniform(0.45, 1.0))
            cv2.rectangle(image, (x, y), (x + 10, y + 11), [round(shade * value) for value in (190, 35, 45)], -1)
    return encode_jpeg(image)


def add_pictures(root: Path, numbers: range) -> None:
    """Into the folders that the catalog names."""
    for number in numbers:
        write_bytes(root / "captured" / str(number // SOURCE) / f"{number}.jpg", picture(number))


def write_catalog(root: Path, images: int) -> Path:
    """One style with as many sources as it takes, and room for one more picture."""
    lines = [
        "styles:",
        f"  - name: {STYLE}",
        "    category: short sleeve top",
        f"    colour: {COLOUR}",
        "    pattern: solid",
        "    sources:",
    ]
    for number in range(images // SOURCE + 1):
        (root / "captured" / str(number)).mkdir(parents=True, exist_ok=True)
        lines.append(f"      - {{kind: folder, path: captured/{number}}}")
    path = root / "catalog.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def seconds(action: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    action()
    return round(time.perf_counter() - start, 2)


def measured(action: Callable[[], object]) -> dict[str, Any]:
    """Seconds on the clock, seconds of this process on all cores (which a busy machine changes less), peak memory."""
    begun = time.process_time()
    figures = {"seconds": seconds(action), "cpu_seconds": round(time.process_time() - begun, 2)}
    return figures | {"peak_mb": megabytes()}


def megabytes() -> int:
    """The most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def in_a_process(side: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """A side by itself: nothing of another one's memory or modules."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(side, *arguments).result()


@contextlib.contextmanager
def served(place: Workspace, database: str = SQLITE) -> Iterator[None]:
    """A server for the processes started meanwhile; it ends after them, for they send it their logs at their end."""
    if database != SQLITE:
        os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = database
    with LocalServer(place, port=0) as server:
        server.wait()
        use_server(server.api_url, place)
        yield
    os.environ.pop("PREFECT_API_DATABASE_CONNECTION_URL", None)


def crawl_once(root: Path, place: Workspace) -> dict[str, Any]:
    """The pictures as a crawl leaves them."""
    took = seconds(_flows(root, place)["crawl"])
    return {"crawl_seconds": took, "kept": len(Manifest.read(place.crawl(STYLE) / "manifest.jsonl").kept())}


def library_side(root: Path) -> dict[str, Any]:
    """The same work by the library alone."""
    from fittingroom.appearance.colour_filter import colour_test
    from fittingroom.cutout import CutoutSettings, cut_out_files
    from fittingroom.preparing.square import PrepareSettings, prepare_files
    from fittingroom.shards import Shard, plan_shards

    place = Workspace(root / "library")
    crawled, suits = place.crawl(STYLE), colour_test(COLOUR)

    def work(shard: Shard) -> None:
        files = [place.root / name for name in shard.names]
        rows = cut_out_files(files, place.cutouts(STYLE), CutoutSettings(), accept=suits)
        files = [place.cutouts(STYLE) / row.path for row in rows if row.status == "kept"]
        prepare_files(files, place.prepared(STYLE), PrepareSettings())

    def everything() -> None:
        rows = Manifest.read(crawled / "manifest.jsonl").kept()
        digests = {place.relative(crawled / row.path): row.sha256 for row in rows}
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, plan_shards(digests, SHARD)))

    return measured(everything)


def flow_side(root: Path, place: Workspace, images: int, whole: bool) -> dict[str, Any]:
    """prepare-garments three times, then the lifecycle twice."""
    flows = _flows(root, place)
    figures = measured(flows["prepare"])
    prepared = len(list(place.prepared(STYLE).glob("*.png")))
    figures["cached_seconds"] = seconds(flows["prepare"])
    add_pictures(root, range(images, images + 1))
    figures["crawl_one_new_seconds"] = seconds(flows["crawl"])
    figures["one_new_seconds"] = seconds(flows["prepare"])
    figures["prepared"] = [prepared, len(list(place.prepared(STYLE).glob("*.png")))]
    if whole:
        figures["lifecycle_seconds"] = seconds(flows["lifecycle"])
        figures["lifecycle_cached_seconds"] = seconds(flows["lifecycle"])
        figures["tried_on"] = len(list(place.tryon.rglob("*.png")))
    figures["peak_mb_at_the_end"] = megabytes()
    (root / "captured" / str(images // SOURCE) / f"{images}.jpg").unlink()
    return figures


def _flows(root: Path, place: Workspace) -> dict[str, Callable[[], object]]:
    """Imported only where Prefect's settings are made."""
    from flows.crawl_garments import crawl_garments
    from flows.lifecycle import lifecycle
    from flows.parameters import CrawlParameters, LifecycleParameters, PrepareParameters
    from flows.prepare_garments import prepare_garments

    catalog, soon = root / "catalog.yaml", 1e-9

    def whole() -> object:
        parameters = LifecycleParameters(
            workspace=place.root,
            catalog=catalog,
            dataset=root / "world" / "deepfashion2",
            persons=[root / "world" / "people"],
            preset="demo",
            segmenter=SEGMENTER,
            style=TRANSLATOR,
            device="cpu",
        )
        return lifecycle(parameters)

    return {
        # So small an age that folders are looked at each time.
        "crawl": lambda: crawl_garments(CrawlParameters(workspace=place.root, catalog=catalog, max_age_hours=soon)),
        "prepare": lambda: prepare_garments(PrepareParameters(workspace=place.root, shard_size=SHARD)),
        "lifecycle": whole,
    }


def main() -> None:
    """Everything, from the pictures to the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--images", type=int, default=10_000)
    options.add_argument("--folder", type=Path, default=None, help="where to work; a temporary folder if left out")
    options.add_argument("--database", action="append", help="sqlite, or a server's database URL; may be repeated")
    options.add_argument("--no-lifecycle", action="store_true", help="prepare-garments only")
    given = options.parse_args()
    root = (given.folder or Path(tempfile.mkdtemp(prefix="fittingroom-bench-"))).absolute()
    write_catalog(root, given.images)
    add_pictures(root, range(given.images))
    if not given.no_lifecycle:
        from fittingroom.sample.world import build_world

        build_world(root / "world")
    crawled = Workspace(root / "crawled")
    with served(crawled):
        report: dict[str, Any] = {"images": given.images} | in_a_process(crawl_once, root, crawled)
    shutil.rmtree(crawled.prefect_home)
    shutil.copytree(crawled.root, root / "library")
    library = in_a_process(library_side, root)
    report["library"] = library | {"load": round(os.getloadavg()[0], 1)}
    print(json.dumps(report), file=sys.stderr, flush=True)
    for number, database in enumerate(given.database or [SQLITE]):
        name = database.split(":")[0].split("+")[0]
        place = Workspace(root / name)
        shutil.copytree(crawled.root, place.root)
        with served(place, database):
            found = in_a_process(flow_side, root, place, given.images, number == 0 and not given.no_lifecycle)
        found["more_percent"] = round(100 * (found["seconds"] - library["seconds"]) / library["seconds"], 1)
        more_cpu = found["cpu_seconds"] - library["cpu_seconds"]
        found["more_cpu_percent"] = round(100 * more_cpu / library["cpu_seconds"], 1)
        found["one_new_percent"] = round(100 * found["one_new_seconds"] / found["seconds"], 1)
        report[name] = found | {"load": round(os.getloadavg()[0], 1)}
        print(json.dumps({name: report[name]}), file=sys.stderr, flush=True)
    print(json.dumps(report, indent=2))
    if given.folder is None:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
