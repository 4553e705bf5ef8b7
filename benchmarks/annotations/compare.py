"""Throughput and memory of DeepFashion2 to COCO, next to the plain way (see `benchmarks.annotations.plain`).

    python -m benchmarks.annotations.compare speed [--files 20000] [--rounds 3] [--workers 2]
    python -m benchmarks.annotations.compare memory [--files 20000,200000] [--workers 2]
    python -m benchmarks.annotations.compare document [--files 20000] [--copies 20]

``document`` reads one COCO document that lists the same pictures ``copies`` times under new numbers, and writes VIA.
All make the files they need in a temporary folder (``--folder`` keeps them) and print JSON. Every conversion is a
process of its own, from start to end, start of Python and imports included; sides take turns, and figures are medians
of the rounds. ``same`` is checked to be the same document. Memory is what all processes of a conversion hold together
(proportional set size), sampled every 20 ms on Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psutil

from benchmarks.annotations.generate import make

OURS = (
    "import sys; from pathlib import Path; from fittingroom.annotations import convert\n"
    "if __name__ == '__main__':\n"
    "    convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4], workers=int(sys.argv[3]))"
)


class Run(NamedTuple):
    """Seconds of the clock and of all cores, and the most memory held, in MB."""

    seconds: float
    core_seconds: float
    megabytes: float


def run(side: str, folder: Path, target: Path, workers: int, watch_memory: bool = False, to: str = "coco") -> Run:
    """One conversion as a process of its own; ``side`` is ours, same or script."""
    if side == "ours":
        command = [sys.executable, "-c", OURS, str(folder), str(target), str(workers), to]
    else:
        command = [sys.executable, "-m", "benchmarks.annotations.plain", side, str(folder), str(target)]
    before = os.times()
    start = time.perf_counter()
    process = subprocess.Popen(command)
    watched, most = psutil.Process(process.pid), 0.0
    while watch_memory and process.poll() is None:
        most = max(most, _memory_of(watched))
        time.sleep(0.02)
    code = process.wait()
    seconds = time.perf_counter() - start
    if code:
        raise SystemExit(f"{side}: ended with code {code}")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(seconds, used, most)


def _memory_of(process: psutil.Process) -> float:
    """Megabytes of a process and its children; shared pages are shared out."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):  # it has just ended
            total += one.memory_full_info().pss / 2**20
    return total


def speed(folder: Path, files: int, rounds: int, workers: int) -> dict[str, Any]:
    """Seconds of each side and how many times faster ours is."""
    sides = ("same", "ours", "script")
    targets = {side: folder / f"{side}.json" for side in sides}
    runs: dict[str, list[Run]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side in sides:
            runs[side].append(run(side, folder, targets[side], workers))
            print(f"{side}: {runs[side][-1].seconds:.2f} s", file=sys.stderr)
    _check_same(targets["same"], targets["ours"])
    seconds = {side: statistics.median(r.seconds for r in runs[side]) for side in sides}
    cores = {side: statistics.median(r.core_seconds for r in runs[side]) for side in sides}
    return {
        "files": files,
        "workers": workers,
        "rounds": rounds,
        "load_average": os.getloadavg()[0],
        "seconds": {side: round(seconds[side], 2) for side in sides},
        "core_seconds": {side: round(cores[side], 2) for side in sides},
        "files_per_second": {side: round(files / seconds[side]) for side in sides},
        "times_faster_than_same": round(seconds["same"] / seconds["ours"], 1),
        "times_faster_than_script": round(seconds["script"] / seconds["ours"], 1),
        "times_less_core_time_than_same": round(cores["same"] / cores["ours"], 1),
        "times_less_core_time_than_script": round(cores["script"] / cores["ours"], 1),
    }


def _check_same(plain: Path, ours: Path) -> None:
    one, other = (orjson.loads(path.read_bytes()) for path in (plain, ours))
    for key in ("categories", "images", "annotations"):
        if sorted(one[key], key=lambda row: row["id"]) != sorted(other[key], key=lambda row: row["id"]):
            raise SystemExit(f"{key}: the two documents differ")


def memory(folder: Path, workers: int) -> dict[str, float]:
    """The most memory that ours holds, and what it writes, in MB."""
    target = folder / "ours.json"
    found = run("ours", folder, target, workers, watch_memory=True)
    return {"peak_mb": round(found.megabytes), "output_mb": round(target.stat().st_size / 1e6)}


def document(folder: Path, copies: int, workers: int) -> dict[str, float]:
    """Seconds and the most memory that reading one large document takes, and the sizes of input and output, in MB."""
    once, large, target = folder / "ours.json", folder / "large.json", folder / "via.json"
    run("ours", folder, once, workers)
    _repeat(orjson.loads(once.read_bytes()), copies, large)
    found = run("ours", large, target, workers, watch_memory=True, to="via")
    sizes = {"input_mb": round(large.stat().st_size / 1e6), "output_mb": round(target.stat().st_size / 1e6)}
    return {"seconds": round(found.seconds, 1), "peak_mb": round(found.megabytes), **sizes}


def _repeat(value: dict[str, Any], copies: int, target: Path) -> None:
    """``value``'s pictures and garments ``copies`` times, each time under new numbers and names."""
    step = 1_000_000
    with target.open("wb") as file:
        file.write(b'{"categories":' + orjson.dumps(value["categories"]))
        for key in ("images", "annotations"):
            file.write(b',"%s":[' % key.encode())
            for copy in range(copies):
                for index, row in enumerate(value[key]):
                    number = row["id" if key == "images" else "image_id"] + copy * step
                    new = {"id": number, "file_name": f"{number:08d}.jpg"} if key == "images" else {"image_id": number}
                    if key == "annotations":
                        new["id"] = row["id"] + copy * step * 1000
                    file.write((b",\n" if copy or index else b"") + orjson.dumps(row | new))
            file.write(b"]")
        file.write(b"}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "memory", "document"))
    parser.add_argument("--files", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--copies", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where the files are made and kept")
    options = parser.parse_args()
    counts = [
        int(count) for count in (options.files or ("20000,200000" if options.what == "memory" else "20000")).split(",")
    ]
    with ExitStack() as stack:
        parent = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="annotations-")))
        found = {}
        for count in counts:
            folder = parent / str(count)
            if not folder.is_dir():
                make(folder, count)
            if options.what == "speed":
                found[str(count)] = speed(folder, count, options.rounds, options.workers)
            elif options.what == "document":
                found[str(count)] = document(folder, options.copies, options.workers)
            else:
                found[str(count)] = memory(folder, options.workers)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
