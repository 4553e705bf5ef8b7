"""The Prefect UI in a real browser: a try-on is started from its form, and the picture is seen on the run's page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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
        page.goto(f"{address}/deployments")
        page.get_by_text("try-on-batch").first.wait_for()
        page.screenshot(path=shots / "deployments.png")
        page.get_by_role("link", name="try-on", exact=True).last.click()
        page.get_by_role("button", name="Run", exact=True).click()
        page.screenshot(path=shots / "run-menu.png")
        page.get_by_text("Custom run").click()
        page.wait_for_timeout(3000)
        page.screenshot(path=shots / "form.png", full_page=True)
        (tmp_path / "form.html").write_text(page.content())
        browser.close()
    assert STYLE
    assert world
