"""What Prefect costs: small pictures through prepare-garments as a flow, and through the same library calls without it.

    python benchmarks/orchestration/prepare.py --images 10000 [--folder DIR] [--database postgresql+asyncpg://...]

Both sides cut out and prepare the same crawled pictures in the same shards, two at a time. Then the flow again (all
of it cached), and once more with one new picture. Prints one JSON document; without --database the server keeps SQLite.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deployments.environment import use_server
from deployments.server import LocalServer
from fittingroom.images import encode_jpeg
from fittingroom.manifest import ImageRow, Manifest
from fittingroom.workspace import Workspace, digest_bytes, write_bytes

STYLE = "bench"
THREADS = 2


def picture(number: int) -> bytes:
    """A small shirt on a plain ground, like no other: 160 x 140 pixels."""
    chance = np.random.default_rng(number)
    image = np.full((160, 140, 3), 230, np.uint8)
    colour = tuple(int(value) for value in chance.integers(20, 170, 3))
    cv2.rectangle(image, (37, 24), (103, 140), colour, -1)
    cv2.rectangle(image, (17, 24), (123, 56), colour, -1)
    x, y = (int(value) for value in chance.integers(44, 88, 2))
    cv2.rectangle(image, (x, y), (x + 10, y + 10), tuple(int(value) for value in chance.integers(0, 120, 3)), -1)
    return encode_jpeg(image)


def add_pictures(place: Workspace, numbers: range) -> None:
    """As a crawl leaves them: pictures by digest, and a manifest."""
    folder = place.crawl(STYLE)
    manifest = Manifest.read(folder / "manifest.jsonl")
    for number in numbers:
        data = picture(number)
        digest = digest_bytes(data)
        write_bytes(folder / f"{digest}.jpg", data)
        row = ImageRow(
            f"bench/{number}", "kept", path=f"{digest}.jpg", sha256=digest, source_sha256=digest, format="JPEG"
        )
        manifest.put(row)
    manifest.write(folder / "manifest.jsonl")


def without_prefect(place: Workspace, shard_size: int) -> None:
    """The same work by the library alone."""
    from fittingroom.cutout import CutoutSettings, cut_out_files
    from fittingroom.prepare import PrepareSettings, prepare_files
    from fittingroom.shards import Shard, plan_shards

    crawled = place.crawl(STYLE)
    digests = {
        place.relative(crawled / row.path): row.sha256 for row in Manifest.read(crawled / "manifest.jsonl").kept()
    }

    def work(shard: Shard) -> None:
        rows = cut_out_files([place.root / name for name in shard.names], place.cutouts(STYLE), CutoutSettings())
        files = [place.cutouts(STYLE) / row.path for row in rows if row.status == "kept"]
        prepare_files(files, place.prepared(STYLE), PrepareSettings())

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, plan_shards(digests, shard_size)))


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return round(time.perf_counter() - start, 2)


def megabytes() -> int:
    """The most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=10_000)
    options.add_argument("--shard-size", type=int, default=256)
    options.add_argument("--folder", type=Path, default=None, help="where to work; a temporary folder if left out")
    options.add_argument("--database", default=None, help="the server's database URL; SQLite if left out")
    given = options.parse_args()
    root = given.folder or Path(tempfile.mkdtemp(prefix="fittingroom-bench-"))
    bare, flow_place = Workspace(root / "bare"), Workspace(root / "flow")
    add_pictures(bare, range(given.images))
    shutil.copytree(bare.root, flow_place.root)
    if given.database:
        os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = given.database
    with LocalServer(flow_place, port=0) as server:
        server.wait()
        use_server(server.api_url, flow_place.prefect_home)
        from flows.parameters import PrepareParameters
        from flows.prepare_garments import prepare_garments

        parameters = PrepareParameters(workspace=flow_place.root, shard_size=given.shard_size)
        library = seconds(lambda: without_prefect(bare, given.shard_size))
        before = megabytes()
        first = seconds(lambda: prepare_garments(parameters))
        after = megabytes()
        cached = seconds(lambda: prepare_garments(parameters))
        add_pictures(flow_place, range(given.images, given.images + 1))
        one_new = seconds(lambda: prepare_garments(parameters))
    figures = {
        "images": given.images,
        "database": "postgresql" if given.database else "sqlite",
        "load": round(os.getloadavg()[0], 1),
        "library_seconds": library,
        "flow_seconds": first,
        "more_percent": round(100 * (first - library) / library, 1),
        "cached_seconds": cached,
        "one_new_seconds": one_new,
        "one_new_percent": round(100 * one_new / first, 1),
        "peak_mb_library": before,
        "peak_mb_flow": after,
    }
    print(json.dumps(figures, indent=2))
    if given.folder is None:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
