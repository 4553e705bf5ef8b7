"""The Prefect UI in a real browser: a try-on from its form to its picture, and what a training shows and leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.environment import running_server
from fittingroom.images import encode_jpeg
from tests.live.live_world import STYLE, World, shirt
from tests.live.processes import ON_ONE_CORE, ROOT, SECONDS, environment_of, run_flow, start_flow, wait_until

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.faults,  # not a fault, but as long as those
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium at /usr/bin/chromium"),
]
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
SLOWLY = 120_000
"""Milliseconds a page may take on a busy machine."""


@pytest.fixture(scope="module")
def ui(trained: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, World]]:
    """``fittingroom serve`` in a workspace whose models serve: the address of its UI."""
    world = trained.copy(tmp_path_factory.mktemp("ui"))
    environment = environment_of(world.workspace, "")
    for name in ("PREFECT_API_URL", "PREFECT_HOME"):
        environment.pop(name)
    code = ON_ONE_CORE + "from fittingroom.cli import main; main(['serve'])"
    log = (world.root / "serve.log").open("wb")
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=log, stderr=log, cwd=ROOT) as serving:
        wait_until(lambda: running_server(world.workspace), "the server answers", every=0.5)
        api = running_server(world.workspace)
        assert api is not None
        from prefect.client.orchestration import SyncPrefectClient

        client = SyncPrefectClient(api)
        wait_until(lambda: len(client.read_automations()) >= 3, "everything is deployed", every=1)
        yield api.removesuffix("/api"), world
        os.kill(serving.pid, signal.SIGTERM)


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of a headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1400, "height": 1100})
        opened.set_default_timeout(SLOWLY)
        yield opened
        browser.close()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where screenshots go; a person who wants to look at them says where."""
    return Path(os.environ.get("FITTINGROOM_SCREENSHOTS", tmp_path))


def test_a_try_on_from_the_form_to_the_picture(ui: tuple[str, World], page: Any, shots: Path) -> None:
    address, world = ui
    page.goto(f"{address}/deployments/deployment/{deployment_id(address)}")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    page.get_by_text("Photos of people: files, or folders of them").wait_for()
    page.get_by_role("button", name="Add item").first.click()
    page.locator("textarea").first.fill(str(world.persons))
    page.screenshot(path=shots / "form.png", full_page=True)
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("scheduled to start").or_(page.get_by_text("View run")).first.wait_for()

    run = wait_for_run(address)
    page.goto(f"{address}/runs/flow-run/{run}")
    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text(f"Try-on: {STYLE}").first.wait_for()
    page.screenshot(path=shots / "artifacts.png", full_page=True)
    assert min(pictures_of(page, address, f"try-on-{STYLE}", 3)) > 100, "photo, garment found, and the result"
    page.screenshot(path=shots / "picture.png", full_page=True)


def test_a_training_while_it_learns_and_what_it_leaves(ui: tuple[str, World], page: Any, shots: Path) -> None:
    address, world = ui
    environment = environment_of(world.workspace, f"{address}/api")
    longer = world.training(steps_per_epoch=400, sample_steps=600, seed=1)
    with start_flow("train-style", longer, environment) as training:
        page.goto(f"{address}/artifacts/artifact/{newest(address, f'training-{STYLE}', under_way)['id']}")
        page.get_by_text(re.compile(rf"{STYLE}: epoch \d of 3")).first.wait_for()
        page.screenshot(path=shots / "progress.png", full_page=True)
        assert training.poll() is None, "it was seen while it learnt"
        said = training.communicate(timeout=SECONDS)[0]
    assert training.returncode in (0, 1), said  # such a tiny network need not pass its gate

    assert min(pictures_of(page, address, f"samples-{STYLE}", 1)) > 300, "before and after, large enough to judge"
    page.screenshot(path=shots / "samples.png", full_page=True)
    page.goto(f"{address}/artifacts/artifact/{newest(address, f'gate-style-{STYLE}')['id']}")
    page.get_by_text("median colour difference (CIEDE2000)").first.wait_for()
    page.screenshot(path=shots / "gate.png", full_page=True)


def test_what_was_refused_stands_in_a_table_with_its_reason(ui: tuple[str, World], page: Any, shots: Path) -> None:
    address, world = ui
    (world.root / "captured" / STYLE / "torn.jpg").write_bytes(encode_jpeg(shirt(99, (185, 30, 40)))[:3000])
    crawl = {"catalog": world.catalog, "max_age_hours": 1e-9}  # so that the folder is looked at again
    done = run_flow("crawl-garments", crawl, environment_of(world.workspace, f"{address}/api"))
    assert done.returncode == 0, done.stderr
    page.goto(f"{address}/artifacts/artifact/{newest(address, f'crawl-{STYLE}-rejected')['id']}")
    page.get_by_text("1 in all").first.wait_for()
    page.get_by_text("torn.jpg").first.wait_for()
    page.screenshot(path=shots / "rejected.png", full_page=True)


def pictures_of(page: Any, address: str, key: str, at_least: int) -> list[int]:
    """Widths in pixels of the pictures that the artifact's page draws; 0 for one that is broken."""
    page.goto(f"{address}/artifacts/artifact/{newest(address, key)['id']}")
    drawn = "[...document.images].filter(i => i.src.startsWith('data:image') && i.complete)"
    page.wait_for_function(f"{drawn}.length >= {at_least}")
    return [int(width) for width in page.evaluate(f"{drawn}.map(i => i.naturalWidth)")]


def newest(address: str, key: str, condition: Callable[[dict[str, Any]], object] = lambda _: True) -> dict[str, Any]:
    """The newest artifact of that key, once there is one that meets the condition."""
    query = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC", "limit": 1}

    def found() -> list[dict[str, Any]]:
        return [artifact for artifact in ask(address, "artifacts/filter", query) if condition(artifact)]

    wait_until(found, f"there is an artifact {key}", every=0.2)
    return found()[0]


def under_way(artifact: dict[str, Any]) -> bool:
    """Whether a progress artifact is under way."""
    return 0 < float(artifact["data"]) < 100


def ask(address: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """The server's own answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/api/{path}", data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def deployment_id(address: str) -> str:
    return str(ask(address, "deployments/name/try-on/try-on")["id"])


def wait_for_run(address: str) -> str:
    """The run that was started from the form, once it has ended well. The schedules have runs of their own."""
    own = deployment_id(address)

    def runs() -> list[dict[str, Any]]:
        return [run for run in ask(address, "flow_runs/filter", {}) if run["deployment_id"] == own]

    wait_until(lambda: any(run["state_type"] in ENDED for run in runs()), "the try-on has ended", every=1)
    (run,) = runs()
    assert run["state_type"] == "COMPLETED"
    return str(run["id"])
