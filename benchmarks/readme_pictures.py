"""The README's pictures of a real photo, of the try-on page and of the Prefect UI, made anew in a folder of their own.

    python -m benchmarks.readme_pictures PHOTO docs/images

They show what the starter models make of PHOTO. Wants Debian's chromium. The README's photo is the portrait of Eileen
Collins by NASA (public domain), which scikit-image carries as ``skimage/data/astronaut.png``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from deployments.environment import answers, running_server
from fittingroom.images import encode_jpeg, read_rgb
from fittingroom.ports import listening_socket
from fittingroom.tryon.sheet import side_by_side
from fittingroom.workspace import Workspace, write_bytes

STYLES = ("navy-solid", "red-solid")
FITTINGROOM = (sys.executable, "-c", "from fittingroom.cli import main; main()")


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    photo, out = asked.photo.resolve(), asked.out.resolve()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["FITTINGROOM_WORKSPACE"] = folder
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        real_photo(photo, out / "real-photo.jpg")
        page(browser, photo, out / "page.jpg")
        prefect_ui(browser, Workspace(Path(folder)), photo, out / "prefect-ui.png")


def real_photo(photo: Path, out: Path) -> None:
    """The photo beside what each starter style makes of it."""
    shown = [("photo", read_rgb(photo))]
    with tempfile.TemporaryDirectory() as folder:
        for style in STYLES:
            result = Path(folder) / f"{style}.png"
            subprocess.run([*FITTINGROOM, "try-on", str(photo), "--style", style, "-o", str(result)], check=True)
            shown.append((f"--style {style}", read_rgb(result)))
    write_bytes(out, encode_jpeg(side_by_side(shown, 400), quality=88))


def page(browser: Browser, photo: Path, out: Path) -> None:
    """The try-on page with a result."""
    with listening_socket("127.0.0.1", None, 7860) as probe:
        port = probe.getsockname()[1]
    with started("app", "--port", str(port)):
        tab = browser.new_page(viewport={"width": 1100, "height": 860})
        until_it_answers(f"http://127.0.0.1:{port}/healthz", tab.request.get)
        tab.goto(f"http://127.0.0.1:{port}/")
        tab.set_input_files("input[type=file]", photo)
        tab.locator(f"input[value={STYLES[0]}]").check(force=True)
        tab.get_by_role("button", name="Try it on").click()
        tab.locator("#result").wait_for(timeout=120_000)
        tab.screenshot(path=out, type="jpeg", quality=85)


def prefect_ui(browser: Browser, place: Workspace, photo: Path, out: Path) -> None:
    """A served try-on's run page, with its log, in the Prefect UI."""
    with started("serve"):
        deadline = time.monotonic() + 240
        while (api := running_server(place)) is None or not answers(api):
            assert time.monotonic() < deadline, "the Prefect server does not answer"
            time.sleep(1)
        code = (
            "from prefect.deployments import run_deployment as run; "
            f"print(run('try-on/try-on', parameters=dict(persons=[{str(photo)!r}], styles=['{STYLES[0]}'])).id)"
        )
        time.sleep(15)  # the deployments are made
        told = dict(os.environ, PREFECT_API_URL=api)
        run = subprocess.run([sys.executable, "-c", code], env=told, check=True, capture_output=True, text=True).stdout
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(f"{api.removesuffix('/api')}/runs/flow-run/{run.strip().splitlines()[-1]}")
        tab.wait_for_timeout(8000)
        tab.screenshot(path=out)


@contextmanager
def started(*arguments: str) -> Iterator[None]:
    """A command of ours under way."""
    process = subprocess.Popen([*FITTINGROOM, *arguments])
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def until_it_answers(address: str, get: object, seconds: float = 90) -> None:
    """Wait for a page."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            get(address)  # type: ignore[operator]
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


if __name__ == "__main__":
    main()
