"""The report in a real browser: it stands alone, and nothing of it is wider than the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fittingroom.images import write_png
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


def test_the_report_stands_alone(tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
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
    troubles, requests = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(write_report(tmp_path / "report.html", data).as_uri())
        assert page.eval_on_selector_all("img", "all => all.every(i => i.naturalWidth == 60)")
        assert page.eval_on_selector("section", "s => getComputedStyle(s).borderTopLeftRadius") == "12px"
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            outside = "all => all.filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"
            assert page.eval_on_selector_all("table, td, code, figure, svg, dd", outside) == []
        browser.close()
    assert troubles == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
