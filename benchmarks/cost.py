"""What cut-outs, crawls of local files and a registry of many styles cost, next to an earlier version in the same run.

    python benchmarks/cost.py cutout GARMENTS [--before REF] [--width 240 --height 300] [--every 1] [--sheet FOLDER]
    python benchmarks/cost.py crawl [--before REF] [--pictures 1000]
    python benchmarks/cost.py styles [--styles 1000]

``--before`` names a commit: it is checked out next to this one, and the two take turns, each in a process of its own.
``cutout`` gives CPU milliseconds a picture at that size, with the test for a colour, and counts verdicts on pictures
as they are; ``--sheet`` writes those that changed, to be looked at. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3


@contextlib.contextmanager
def checked_out(ref: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", str(path), ref], cwd=ROOT, check=True)
        try:
            yield path
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(path)], cwd=ROOT, check=True)


def side(code: Path, *arguments: str) -> Any:
    """One measurement with the code in ``code``, in a process of its own on one thread."""
    environment = os.environ | {"PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), "--one-side", *arguments]
    return json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def in_turn(before: str | None, *arguments: str) -> dict[str, list[Any]]:
    with checked_out(before) if before else contextlib.nullcontext() as earlier:
        sides = {"now": ROOT} | ({"before": earlier} if earlier else {})
        found: dict[str, list[Any]] = {name: [] for name in sides}
        for _ in range(ROUNDS):
            for name, code in sides.items():
                found[name].append(side(code, *arguments))
    return found


def ratio(found: dict[str, list[Any]], name: str) -> dict[str, float]:
    """The least of each side, and how many times more it was before."""
    least = {which: min(each[name] for each in several) for which, several in found.items()}
    return {which: round(value, 3) for which, value in least.items()} | (
        {"times": round(least["before"] / least["now"], 2)} if "before" in least else {}
    )


# One side


def cut_out_cost(folder: str, width: str, height: str, every: str) -> dict[str, float]:
    from fittingroom.appearance.colour_filter import colour_test
    from fittingroom.cutout import cut_out
    from fittingroom.cutout.judge import Refused
    from fittingroom.images import read_rgb

    cv2.setNumThreads(1)
    size = (int(width), int(height))
    files = sorted(Path(folder).iterdir())[:: int(every)]
    pictures = [np.asarray(cv2.resize(read_rgb(file), size, interpolation=cv2.INTER_AREA), np.uint8) for file in files]
    begun = time.process_time()
    for picture in pictures:
        with contextlib.suppress(Refused):
            cut_out(picture, accept=colour_test("red"))
    return {"ms": 1000 * (time.process_time() - begun) / len(pictures), "pictures": len(pictures)}


def cut_out_verdicts(folder: str, every: str, seed: str) -> dict[str, str]:
    from fittingroom.cutout import cut_out, plain
    from fittingroom.cutout.judge import Refused
    from fittingroom.images import read_rgb

    cv2.setNumThreads(1)
    if seed:
        plain._SEED = int(seed)
    verdicts = {}
    for file in sorted(Path(folder).iterdir())[:: int(every)]:
        try:
            cut_out(read_rgb(file))
            verdicts[file.name] = "kept"
        except Refused as refusal:
            verdicts[file.name] = refusal.reason
    return verdicts


def crawl_cost(pictures: str) -> dict[str, float]:
    from fittingroom.catalog import FolderSource, Style
    from fittingroom.crawl import CrawlSettings, crawl_style
    from fittingroom.images import encode_jpeg
    from fittingroom.manifest import Manifest

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        place = Path(folder)
        (place / "in").mkdir()
        chance = np.random.default_rng(0)
        for number in range(int(pictures)):
            blocks = chance.integers(0, 256, (12, 10, 3), dtype=np.uint8)
            picture = np.kron(blocks, np.ones((25, 24, 1), np.uint8))
            (place / "in" / f"{number}.jpg").write_bytes(encode_jpeg(picture))
        source = FolderSource(kind="folder", path=place / "in")
        style = Style(name="s", category="vest", colour="red", pattern="solid", sources=(source,))
        os.sync()
        begun = time.perf_counter()
        crawl_style(style, place / "out", CrawlSettings(max_images=int(pictures)))
        seconds = time.perf_counter() - begun
        kept = len(Manifest.read(place / "out" / "manifest.jsonl").kept())
    return {"seconds": seconds, "kept": kept}


def styles_cost(styles: str) -> dict[str, float]:
    from fittingroom.registry.registry import Registry
    from fittingroom.workspace import Workspace
    from tasks.cards import pending_styles

    count = int(styles)
    with tempfile.TemporaryDirectory() as folder:
        place = Workspace(Path(folder) / "w")
        registry = Registry(place)
        weights = Path(folder) / "weights.safetensors"
        weights.write_bytes(b"w" * 1000)
        lines = ["styles:"]
        for number in range(count):
            lines += [f"  - name: s-{number}", "    category: vest", "    colour: red", "    pattern: solid"]
            lines += ["    sources:", "      - {kind: folder, path: pictures}"]
        (Path(folder) / "pictures").mkdir()
        catalog = Path(folder) / "catalog.yaml"
        catalog.write_text("\n".join(lines))
        registry.register("style-s-0", weights, {"leak": 0.0}, {"style": "0"}, {"n": 0})
        registry.promote("style-s-0", 1)
        copy_style(place.registry / "mlflow.db", "style-s-0", [f"style-s-{number}" for number in range(1, count)])
        took: dict[str, float] = {}

        def timed(name: str, action: Any) -> None:
            begun, worked = time.perf_counter(), time.process_time()
            action()
            took[name] = time.perf_counter() - begun
            took[f"{name}, CPU"] = time.process_time() - worked

        timed("register one more", lambda: registry.register("style-more", weights, {}, {}, {}))
        timed("promote", lambda: registry.promote("style-more", 1))
        took |= side(ROOT, "list", str(place.root), str(count + 1))
        timed("pending", lambda: pending_styles(place, catalog, []))
        took["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return took


def list_cost(root: str, styles: str) -> dict[str, float]:
    """In a process that has not loaded MLflow, as lists of styles are asked for."""
    from fittingroom.registry.registry import Registry
    from fittingroom.registry.serving import Serving
    from fittingroom.workspace import Workspace

    begun, worked = time.perf_counter(), time.process_time()
    place = Workspace(Path(root))
    Serving.from_settings(place).all()
    took = {"list": time.perf_counter() - begun, "list, CPU": time.process_time() - worked}
    assert len(Serving(Registry(place)).all()) == int(styles)
    return took


def copy_style(database: Path, style: str, names: list[str]) -> None:
    """The rows of a registered style under other names: a thousand registrations take minutes."""
    tables = ("registered_models", "registered_model_tags", "registered_model_aliases", "model_versions",
              "model_version_tags")  # fmt: skip
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        for table in tables:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            at = columns.index("name")
            rows = connection.execute(f"SELECT * FROM {table} WHERE name = ?", (style,)).fetchall()
            connection.executemany(
                f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})",
                [(*row[:at], name, *row[at + 1 :]) for name in names for row in rows],
            )


# Both


def cutout(arguments: argparse.Namespace) -> dict[str, Any]:
    folder, every = arguments.garments, str(arguments.every)
    sizes = (str(arguments.width), str(arguments.height))
    result: dict[str, Any] = {"ms a picture": ratio(in_turn(arguments.before, "cutout", folder, *sizes, every), "ms")}
    if arguments.before:
        with checked_out(arguments.before) as earlier:
            now = side(ROOT, "verdicts", folder, every, "")
            before = side(earlier, "verdicts", folder, every, "")
            reseeded = side(earlier, "verdicts", folder, every, "11")
        changed = {name: (before[name], now[name]) for name in now if before[name] != now[name]}
        result["verdicts"] = {
            "pictures": len(now),
            "changed": len(changed),
            "changed by another seed of the earlier version": sum(before[name] != reseeded[name] for name in before),
            "kept before": sum(verdict == "kept" for verdict in before.values()),
            "kept now": sum(verdict == "kept" for verdict in now.values()),
            "which": dict(Counter(" -> ".join(pair) for pair in changed.values()).most_common()),
        }
        if arguments.sheet:
            sheet = Path(arguments.sheet)
            sheet.mkdir(parents=True, exist_ok=True)
            for name, pair in changed.items():
                (sheet / f"{'-to-'.join(pair)}-{name}").write_bytes((Path(folder) / name).read_bytes())
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    cut = commands.add_parser("cutout")
    cut.add_argument("garments")
    cut.add_argument("--width", type=int, default=240)
    cut.add_argument("--height", type=int, default=300)
    cut.add_argument("--every", type=int, default=1)
    cut.add_argument("--sheet")
    crawl = commands.add_parser("crawl")
    crawl.add_argument("--pictures", type=int, default=1000)
    for command in (cut, crawl):
        command.add_argument("--before")
    styles = commands.add_parser("styles")
    styles.add_argument("--styles", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.what == "cutout":
        result = cutout(arguments)
    elif arguments.what == "crawl":
        result = {"seconds": ratio(in_turn(arguments.before, "crawl", str(arguments.pictures)), "seconds")}
    else:
        result = {"seconds": side(ROOT, "styles", str(arguments.styles))}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one-side"]:
        one = {
            "cutout": cut_out_cost, "verdicts": cut_out_verdicts, "crawl": crawl_cost, "styles": styles_cost,
            "list": list_cost,
        }  # fmt: skip
        print(json.dumps(one[sys.argv[2]](*sys.argv[3:])))
    else:
        main()
