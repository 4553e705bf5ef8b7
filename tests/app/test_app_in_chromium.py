"""The page and the report in a real browser: they work under their own security rules, and ask nobody for anything."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn

from fittingroom.app import create_app
from fittingroom.categories import CATEGORY_IDS
from fittingroom.domain import PHOTO
from fittingroom.garment import Garment
from fittingroom.images import read_rgb, write_png
from fittingroom.styles.choose import AvailableStyle
from fittingroom.tryon.report import (
    DataRow,
    FigureRow,
    ModelRow,
    RejectedRow,
    ReportData,
    StageRow,
    TryOnRow,
    write_report,
)

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium at /usr/bin/chromium"),
]


class Models:
    size = 32

    def styles(self) -> list[AvailableStyle]:
        return [AvailableStyle(name, "red", "solid", "vest", (45.0, 60.0, 40.0)) for name in ("red-one", "red-two")]

    def segmenter(self) -> Models:
        return self

    def translator(self, style: str) -> Models:
        assert style == "red-two"
        return self

    def domains(self, style: str) -> dict[str, str]:
        return {"segmenter": PHOTO, f"style {style}": PHOTO}

    def find(self, image: np.ndarray, score_threshold: float | None = None) -> list[Garment]:
        assert score_threshold is None
        mask = np.zeros(image.shape[:2], bool)
        mask[40:120, 30:90] = True
        return [Garment(CATEGORY_IDS["vest"], 0.9, mask)]

    def translate(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.where(mask[..., None], np.uint8([200, 30, 40]), image)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = create_app(tmp_path, Models(), allowed_hosts=["127.0.0.1"])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def page() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page()
        page.troubles = []
        page.requests = []
        page.on("console", lambda message: page.troubles.append(message.text))
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        yield page
        browser.close()


def test_a_visitor_tries_something_on(page, address: str, tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (160, 120, 3), np.uint8)
    write_png(tmp_path / "me.png", photo)
    page.goto(address)
    page.set_input_files("#photo", str(tmp_path / "me.png"))
    page.click("text=red-two")
    page.click("button")
    page.wait_for_selector("#result")
    sizes = page.eval_on_selector_all("#result img", "all => all.map(i => [i.naturalWidth, i.naturalHeight])")
    assert sizes == [[120, 160], [120, 160]]
    with page.expect_download() as download:
        page.click("text=Download the picture")
    assert download.value.suggested_filename == "try-on-red-two.png"
    download.value.save_as(tmp_path / "result.png")
    result = read_rgb(tmp_path / "result.png")
    assert (result[:35] == photo[:35]).all()
    assert (result[60:100, 50:70, 0] > 150).all()
    assert page.troubles == []
    assert all(url.startswith((address, "data:", "blob:")) for url in page.requests)


def test_the_report_stands_alone(page, tmp_path: Path) -> None:
    write_png(tmp_path / "p.png", np.full((90, 60, 3), 120, np.uint8))
    picture = str(tmp_path / "p.png")
    data = ReportData(
        "A lifecycle",
        stages=[StageRow("train", 3.0)],
        tryons=[TryOnRow("a", picture, picture, {"red": picture})],
        models=[
            ModelRow(
                "style-red", 1, True, ["good"], [FigureRow("leak", 0.1, "0 is none", True)],
                {"loss": [(1, 2.0), (2, 1.0)]},
            )
        ],
        command="fittingroom run lifecycle --param 'persons=" + "/a/very/long/folder" * 20 + "'",
        data=[DataRow("x" * 90, "learnt", 9, "0" * 64, "from " + "/folder" * 30)],
        rejected=[RejectedRow("crawl", "too small", 2, ["https-shop-example/" + "a" * 200])],
    )  # fmt: skip
    page.goto(write_report(tmp_path / "report.html", data).as_uri())
    assert page.eval_on_selector_all("img", "all => all.every(i => i.naturalWidth == 60)")
    assert page.eval_on_selector("section", "s => getComputedStyle(s).borderTopLeftRadius") == "12px"
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        outside = "all => all.filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"
        assert page.eval_on_selector_all("table, td, code, figure, svg, dd", outside) == []
    assert page.troubles == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
