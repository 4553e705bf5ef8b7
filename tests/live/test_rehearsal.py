"""An hour left alone, in some 20 minutes: what an operator does and what befalls a machine, one after the other.

``make rehearsal`` prints a table of what was expected and what came. The world is small and drawn; the server, the
flows, the trainings, the registry and the command line are the real ones.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fittingroom.images import encode_jpeg, write_png
from fittingroom.registry.registry import Registry, style_model
from tests.live.live_world import TINY_STYLE, World, person, shirt
from tests.live.processes import ROOT, environment_of, wait_until
from tests.live.serving import Serving, kill

pytestmark = [pytest.mark.rehearsal, pytest.mark.timeout(3600)]

SETTINGS = TINY_STYLE | {"epochs": 2, "steps_per_epoch": 100, "checkpoint_steps": 10}
COLOURS = {"crimson": "red", "blue": "blue", "moss": "green", "amber": "orange", "broken": "black"}
MINUTES = 60.0
ENDED = {"Completed", "Failed", "Crashed", "Cancelled", "TimedOut"}


@dataclass
class Table:
    """What was done, what was expected, what came, and after how many seconds."""

    rows: list[tuple[str, str, str, float]] = field(default_factory=list)

    def expect(self, done: str, expected: str, came: Callable[[], str]) -> None:
        """Do ``came``, which says what came of it; an error is what came, too."""
        started = time.monotonic()
        try:
            outcome = came()
        except (OSError, LookupError, ValueError, AssertionError, subprocess.SubprocessError) as error:
            # The next thing is tried all the same, as on a machine that nobody looks at.
            outcome = f"{type(error).__name__}: {error}"
        self.rows.append((done, expected, outcome, time.monotonic() - started))
        mark = "ok " if outcome == expected else "BUG"
        print(
            f"{mark} {self.rows[-1][3]:5.0f} s  {done}\n        expected  {expected}\n        came      {outcome}",
            flush=True,
        )

    def wrong(self) -> list[str]:
        return [
            f"{done}: expected {expected}, came {came}" for done, expected, came, _ in self.rows if came != expected
        ]


class Shop:
    """A workspace with its catalog, the server that serves it, and what is asked of both."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.styles = {"crimson": (185, 30, 40), "blue": (40, 60, 170), "moss": (70, 120, 60)}
        world.workspace.root.mkdir()
        self.write_catalog()
        self.serving = Serving(world)

    def write_catalog(self) -> None:
        """The catalog of ``styles``; their pictures are drawn where they are not there."""
        lines = ["styles:"]
        for name, colour in self.styles.items():
            folder = self.world.root / "captured" / name
            if not folder.exists():
                folder.mkdir(parents=True)
                for number in range(8):
                    (folder / f"{number}.jpg").write_bytes(encode_jpeg(shirt(number, colour)))
            lines += [f"  - name: {name}", "    category: short sleeve top", "    pattern: solid"]
            lines += [f"    colour: {COLOURS[name]}"]
            lines += [f"    sources: [{{kind: folder, path: {folder}}}]"]
        (self.world.workspace.root / "catalog.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``fittingroom WORDS`` in the workspace."""
        code = "import sys; from fittingroom.cli import main; main(sys.argv[1:])"
        environment = environment_of(self.world.workspace, self.serving.url())
        return subprocess.run(
            [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True, timeout=300, cwd=ROOT
        )

    def asked(self, name: str, **parameters: Any) -> str:
        """Start a deployment and wait for its end: the state and the message."""
        return self.end_of(self.serving.run(name, **parameters))

    def end_of(self, run: str) -> str:
        wait_until(lambda: self.serving.state(run)[0] in ENDED, f"run {run} has ended", 10 * MINUTES, every=1)
        name, message = self.serving.state(run)
        return f"{name}: {message}" if message and name != "Completed" else name

    def arrive(self) -> str:
        """Say that a style arrived, and wait for the end of the run that this makes."""
        before = set(self.serving.states("retrain-styles"))
        code = (
            "from prefect.events import emit_event\n"
            "emit_event('fittingroom.style.arrived', resource={'prefect.resource.id': 'fittingroom.catalog'})\n"
        )
        environment = environment_of(self.world.workspace, self.serving.url())
        subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, timeout=120)
        wait_until(lambda: self.fresh(before), "the event makes a run", 3 * MINUTES, every=1)
        (run,) = self.fresh(before)
        return self.end_of(run)

    def fresh(self, before: set[str]) -> list[str]:
        """Runs of the retraining since then that nobody planned for the night."""
        return [
            run
            for run, _ in self.serving.states("retrain-styles").items()
            if run not in before and not self.serving.ask(f"flow_runs/{run}")["auto_scheduled"]
        ]

    def versions(self) -> str:
        """How many versions each style has."""
        registry = Registry(self.world.workspace)
        return ", ".join(f"{name} {len(registry.versions(style_model(name)))}" for name in self.styles)

    def versions_of_four(self) -> str:
        """As `versions`, without the style that cannot be trained."""
        return self.versions().removesuffix(", broken 0")

    def ended(self, run: str) -> bool:
        return self.serving.state(run)[0] in ENDED

    def all_ended(self) -> bool:
        """Whether no retraining is under way or about to be."""
        waiting = self.fresh(set())
        return all(self.ended(run) for run in waiting)

    def champion(self, style: str) -> int | None:
        found = Registry(self.world.workspace).champion(style_model(style))
        return found.version if found else None

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the batch's manifest."""
        lines = (self.world.workspace.tryon / "batch.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def pictures(self) -> dict[str, tuple[int, str]]:
        """The try-on pictures: name -> time of change and content."""
        return {
            str(path.relative_to(self.world.workspace.tryon)): (
                path.stat().st_mtime_ns,
                hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for path in sorted(self.world.workspace.tryon.rglob("*.png"))
        }


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    found = Shop(World(tmp_path))
    try:
        yield found
    finally:
        found.serving.end()


def test_left_alone(shop: Shop) -> None:
    table, serving, world = Table(), shop.serving, shop.world
    place = world.workspace

    def serves() -> str:
        wait_until(lambda: serving.ready() or serving.process.poll() is not None, "it serves", 2 * MINUTES, every=0.5)
        return f"{len(serving.ask('deployments/filter', {}))} deployments"

    def patch() -> str:
        """As a person would in the UI: short trainings."""
        deployment = serving.deployment("retrain-styles")
        parameters = deployment["parameters"] | {"preset": "demo", "device": "cpu", "settings": SETTINGS}
        serving.ask(f"deployments/{deployment['id']}", {"parameters": parameters}, "PATCH")
        return str(serving.deployment("retrain-styles")["parameters"]["preset"])

    table.expect("serve in a workspace with a catalog of three styles", "12 deployments", serves)
    table.expect("nothing to try on yet: the morning's batch", "Completed", lambda: shop.asked("try-on-batch"))
    table.expect("the retraining's preset is set to demo in the UI", "demo", patch)
    table.expect("the night's retraining", "Completed", lambda: shop.asked("retrain-styles"))
    table.expect("versions", "crimson 1, blue 1, moss 1", shop.versions)
    table.expect("it runs again", "Completed", lambda: shop.asked("retrain-styles"))
    table.expect("versions: nothing was pending", "crimson 1, blue 1, moss 1", shop.versions)

    def new_style() -> str:
        shop.styles["amber"] = (200, 150, 40)
        shop.write_catalog()
        return shop.arrive()

    table.expect("a fourth style in the catalog, and the event", "Completed", new_style)
    table.expect("versions: it alone was trained", "crimson 1, blue 1, moss 1, amber 1", shop.versions)

    def bad_style() -> str:
        shop.styles["broken"] = (0, 0, 0)
        folder = world.root / "captured" / "broken"
        folder.mkdir()
        for number in range(8):
            (folder / f"{number}.jpg").write_bytes(b"no picture")
        shop.write_catalog()
        said = shop.arrive()
        return "Failed, and names it" if said.startswith("Failed: ") and "broken" in said else said

    table.expect("a style of eight files that are no pictures, and the event", "Failed, and names it", bad_style)
    table.expect("versions: the others are as they were", "crimson 1, blue 1, moss 1, amber 1", shop.versions_of_four)

    def kill_all() -> str:
        shop.styles.pop("broken")
        (world.root / "captured" / "crimson" / "new.jpg").write_bytes(encode_jpeg(shirt(99, shop.styles["crimson"])))
        shop.write_catalog()
        before = serving.step("crimson")
        run = serving.run("retrain-styles")
        wait_until(
            lambda: (serving.checkpoints("crimson") and 10 < serving.step("crimson") != before) or shop.ended(run),
            "the training is on its way", 4 * MINUTES, every=0.1,
        )  # fmt: skip
        if shop.ended(run):
            return "it ended too early: " + shop.end_of(run)
        kill(serving.family())
        serving.process.wait()
        step = serving.step("crimson")
        started = time.monotonic()
        serving.start()
        wait_until(lambda: serving.step("crimson") > step, "the training goes on", 3 * MINUTES, every=0.2)
        seconds = time.monotonic() - started
        wait_until(lambda: shop.all_ended(), "all runs have ended", 5 * MINUTES, every=1)
        return "it went on within two minutes" if seconds < 120 else f"it went on after {seconds:.0f} s"

    table.expect(
        "one more picture of crimson; all is killed in its training", "it went on within two minutes", kill_all
    )
    table.expect("versions: crimson alone has a second", "crimson 2, blue 1, moss 1, amber 1", shop.versions)
    table.expect("what was set in the UI is still set", "demo", lambda: str(
        serving.deployment("retrain-styles")["parameters"]["preset"]
    ))  # fmt: skip

    def promote_and_back() -> str:
        shop.command("styles", "promote", "crimson", "2", "--force")
        second = shop.champion("crimson")
        done = shop.command("styles", "rollback", "crimson")
        return f"{second}, then {shop.champion('crimson')}" + done.stderr

    table.expect("crimson 2 is promoted, and rolled back", "2, then 1", promote_and_back)

    def batch() -> str:
        world.make_segmenter_serve()
        for number in range(3):
            write_png(place.persons / f"person-{number}.png", person(number)[0])
        said = shop.asked("try-on-batch")
        return f"{said}, {len(shop.rows())} rows"

    table.expect("three photos in persons/, and the morning's batch", "Completed, 12 rows", batch)

    def one_more() -> str:
        before = shop.pictures()
        write_png(place.persons / "person-3.png", person(3)[0])
        said, after = shop.asked("try-on-batch"), shop.pictures()
        touched = [name for name, state in before.items() if after.get(name) != state]
        return f"{said}, {len(shop.rows())} rows, {len(touched)} pictures written again"

    table.expect("one more photo, and the batch", "Completed, 16 rows, 0 pictures written again", one_more)

    def retire() -> str:
        done = shop.command("styles", "retire", "moss")
        said = shop.asked("try-on-batch")
        left = {row["key"].rpartition("#")[2] for row in shop.rows()}
        return f"{said}, " + ", ".join(sorted(left)) + ("" if done.returncode == 0 else done.stderr)

    table.expect("moss is retired, and the batch", "Completed, amber, blue, crimson", retire)

    def stop() -> str:
        url = serving.url()
        server = serving.server()
        serving.process.send_signal(signal.SIGTERM)
        code = serving.process.wait(60)
        alive = Path(f"/proc/{server}").exists()
        return f"exit {code}, server {'still there' if alive else 'gone'}" if url else ""

    table.expect("SIGTERM", "exit 0, server gone", stop)
    assert not table.wrong()
