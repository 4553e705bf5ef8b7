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
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.served import FITTINGROOM, served_page, started
from deployments.environment import answers, running_server
from fittingroom.images import encode_jpeg, read_rgb
from fittingroom.sheets import side_by_side
from fittingroom.workspace import Workspace, write_bytes

STYLES = ("navy-solid", "red-solid")


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
    """The photo next to what each starter style makes of it."""
    shown = [("photo", read_rgb(photo))]
    with tempfile.TemporaryDirectory() as folder:
        for style in STYLES:
            result = Path(folder) / f"{style}.png"
            subprocess.run([*FITTINGROOM, "try-on", str(photo), "--style", style, "-o", str(result)], check=True)
            shown.append((f"--style {style}", read_rgb(result)))
    write_bytes(out, encode_jpeg(side_by_side(shown, 400), quality=88))


def page(browser: Browser, photo: Path, out: Path) -> None:
    """The try-on page with two results."""
    with served_page() as served:
        tab = browser.new_page(viewport={"width": 1200, "height": 960})
        tab.goto("http://{}:{}/".format(*served.address))
        tab.set_input_files("#photo", photo)
        for style in reversed(STYLES):
            tab.locator(f".style:has(input[value={style}])").click()
            tab.locator(f"#thumbs [aria-current=true]:has-text('{style}')").wait_for(timeout=120_000)
        tab.locator("#options summary").click()
        tab.evaluate("scrollTo(0, 0)")
        tab.screenshot(path=out, type="jpeg", quality=85)


def prefect_ui(browser: Browser, place: Workspace, photo: Path, out: Path) -> None:
    """A served try-on's run page, with its log, in the Prefect UI."""
    with started(["serve"], place.root) as serving, ExitStack() as ending:
        ending.callback(serving.terminate)
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


if __name__ == "__main__":
    main()
