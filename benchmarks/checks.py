"""What the checks between stages add to a lifecycle: the sample world's two styles, short trainings, then all cached.

    python benchmarks/checks.py FOLDER

FOLDER gets the world, which is taken as it is where it was made before, and a workspace. Prints a JSON line for each
run: seconds on the clock of the lifecycle, and of all that the checks did in it, their table included; and the checks
that did not pass. The trainings are a few steps, so the share is larger than that of any real lifecycle.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.orchestration.cost import served
from fittingroom.sample.shop_server import ShopServer, write_catalog
from fittingroom.sample.world import build_world
from fittingroom.workspace import Workspace

STYLES = ("navy-striped", "red-solid")
SEGMENTER = {"max_minutes": 0.2}
STYLE = {"epochs": 1, "steps_per_epoch": 20}
WORK = ("__init__", "crawled", "cut_out", "converted", "judged", "left_out", "rows", "show")


def timed(spent: list[tuple[float, float]], function: Callable[..., Any]) -> Callable[..., Any]:
    """Notes the seconds of each call, on the clock and of this thread's processor time."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        clock, processor = time.perf_counter(), time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            spent.append((time.perf_counter() - clock, time.thread_time() - processor))

    return call


def main() -> None:
    """The world, the lifecycle, and the lifecycle again."""
    root = Path(sys.argv[1]).absolute()
    world, place = build_world(root / "sample"), Workspace(root / "w")
    with ShopServer(world.shop) as shop, served(place):
        from flows.lifecycle import lifecycle
        from flows.parameters import LifecycleParameters
        from tasks.checking import Checking

        spent: list[tuple[float, float]] = []
        for name in WORK:
            setattr(Checking, name, timed(spent, getattr(Checking, name)))
        rows = Checking.rows
        shown: list[dict[str, Any]] = []
        Checking.rows = lambda self: shown.extend(found := rows(self)) or found
        parameters = LifecycleParameters(
            workspace=place.root,
            catalog=write_catalog(root / "catalog.yaml", shop.url, STYLES),
            dataset=world.dataset,
            persons=list(world.person_photos[:1]),
            preset="demo",
            segmenter=SEGMENTER,
            style=STYLE,
            device="cpu",
            per_host_delay=0.0,
            max_age_hours=8760,
            allow_loopback=True,
        )
        for run in ("first", "again"):
            spent.clear()
            shown.clear()
            begun = time.perf_counter()
            lifecycle(parameters)
            whole = time.perf_counter() - begun
            clock, processor = (sum(each) for each in zip(*spent, strict=True))
            figures: dict[str, Any] = {"run": run, "seconds": round(whole, 2), "checks_seconds": round(clock, 3)}
            figures |= {"checks_cpu_seconds": round(processor, 3), "checks_percent": round(100 * clock / whole, 2)}
            figures |= {"checks": len(shown), "short": [f"{r['of']}: {r['name']}" for r in shown if not r["passed"]]}
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
