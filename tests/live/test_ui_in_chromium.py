"""The Prefect UI in a real browser: a try-on is started from its form, and the picture is seen on the run's page."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_world import STYLE, World
from processes import ON_ONE_CORE, ROOT, environment_of, wait_until

from deployments.environment import running_server

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.faults,  # not a fault, but as long as those
    pytest.mark.timeout(900),
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


def test_a_try_on_from_the_form_to_the_picture(ui: tuple[str, World], tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    address, world = ui
    shots = Path(os.environ.get("FITTINGROOM_SCREENSHOTS", tmp_path))
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        page.set_default_timeout(SLOWLY)
        page.goto(f"{address}/deployments/deployment/{deployment_id(address)}")
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_text("Custom run").click()
        page.get_by_text("Photos of people: files, or folders of them").wait_for()
        page.get_by_role("button", name="Add item").first.click()
        page.locator("textarea").nth(1).fill(str(world.persons))  # the workspace's folder stands in the first
        page.screenshot(path=shots / "form.png", full_page=True)
        page.get_by_role("button", name="Submit").click()
        page.get_by_text("scheduled to start").or_(page.get_by_text("View run")).first.wait_for()

        run = wait_for_run(address)
        page.goto(f"{address}/runs/flow-run/{run}")
        page.get_by_text("Artifacts", exact=True).first.click()
        page.get_by_text(f"Try-on: {STYLE}").first.wait_for()
        page.screenshot(path=shots / "artifacts.png", full_page=True)
        page.goto(f"{address}/artifacts/artifact/{try_on_artifact(address)}")
        page.wait_for_function("[...document.images].filter(i => i.src.startsWith('data:image')).length >= 3")
        sizes = page.evaluate(
            "[...document.images].filter(i => i.src.startsWith('data:image')).map(i => i.complete && i.naturalWidth)"
        )
        page.screenshot(path=shots / "picture.png", full_page=True)
        browser.close()
    assert len(sizes) >= 3
    assert all(size > 100 for size in sizes), "photo, garment found, and the result, each drawn"


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


def try_on_artifact(address: str) -> str:
    found = ask(address, "artifacts/filter", {})
    return str(next(artifact["id"] for artifact in found if artifact["key"] == f"try-on-{STYLE}"))
