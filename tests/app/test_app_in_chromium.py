"""The page in a real browser, at a desk's width and a phone's: it works under its own security rules, asks nobody else
for anything, and can be used by keyboard, in Korean, and without its script.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.app.words import MAX_UPLOAD_BYTES
from fittingroom.appearance.choose import AvailableStyle
from fittingroom.categories import CATEGORY_IDS
from fittingroom.domain import PHOTO
from fittingroom.garment import Garment
from fittingroom.images import RGB, read_rgb, write_png
from fittingroom.masks import Mask
from fittingroom.style_card import Lab
from tests.app.serving import serving
from tests.tryon.stand_ins import Dyer

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js"))
"""``npm install --no-save axe-core`` puts it there."""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium at /usr/bin/chromium"),
]
WIDTHS = {1280: 900, 390: 844}
STYLES = [
    AvailableStyle("navy-striped", "navy", "striped", "vest", (20.0, 10.0, -35.0)),
    AvailableStyle("red-checked", "red", "checked", "vest", (45.0, 60.0, 40.0)),
    AvailableStyle("red-solid", "red", "solid", "vest", (45.0, 60.0, 40.0), True),
]


class Models:
    """Finds the middle of any picture, once it may, and paints it."""

    size = 64

    def __init__(self) -> None:
        self.may_find = threading.Event()
        self.may_find.set()
        self.finds = True
        self.score = 0.9
        self.found = self.painted = 0

    def styles(self) -> list[AvailableStyle]:
        return STYLES

    def versions(self) -> dict[str, int | None]:
        return {style.name: None for style in STYLES}

    def segmenter(self) -> Models:
        return self

    def translator(self, style: str) -> Models:
        assert style in [each.name for each in STYLES]
        return self

    def domains(self, style: str) -> dict[str, str]:
        return {"segmenter": PHOTO, f"style {style}": PHOTO}

    def weights_of(self, style: str) -> dict[str, str]:
        return {"segmenter": "version 1", f"style {style}": "version 2"}

    def find(self, image: np.ndarray, score_threshold: float | None = None) -> list[Garment]:
        assert score_threshold is None
        self.found += 1
        self.may_find.wait(30)
        height, width = image.shape[:2]
        mask = np.zeros((height, width), bool)
        mask[height // 4 : -height // 4, width // 4 : -width // 4] = True
        return [Garment(CATEGORY_IDS["vest"], self.score, mask)] if self.finds else []

    def translate(self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None) -> RGB:
        self.painted += threading.current_thread().name.startswith("try-on")  # not a sample
        return Dyer().translate(image_rgb, mask, dyes)


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def address(models: Models, tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path / "workspace", models) as (host, port):
        yield f"http://{host}:{port}"
        models.may_find.set()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens the page as a new visitor, and looks at the end whether anything went wrong or elsewhere."""
    contexts, troubles, elsewhere = [], [], []

    def opened(width: int = 1280, **options: Any) -> Any:
        size = {"width": width, "height": WIDTHS[width]}
        context = browser.new_context(viewport=size, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: elsewhere.append(request.url))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    refused = "Failed to load resource: the server responded with a status of"
    assert [trouble for trouble in troubles if not trouble.startswith(refused)] == []
    assert all(url.startswith((address, "data:", "blob:")) for url in elsewhere)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    write_png(tmp_path / "me.png", random.integers(0, 256, (160, 120, 3), np.uint8))
    return tmp_path / "me.png"


def pick(page: Any, style: str) -> None:
    page.click(f".style:has(input[value='{style}'])")


def shows(page: Any, label: str) -> None:
    page.wait_for_selector(f"#thumbs [aria-current=true]:has-text('{label}')")
    page.wait_for_function("document.getElementById('after').naturalWidth > 0")


def within(page: Any) -> None:
    """Nothing is wider than the window, and what is pressed is large enough for a finger."""
    width = page.evaluate("innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = "all => all.filter(e => e.checkVisibility() && e.offsetHeight < 24).map(e => e.outerHTML)"
    assert page.eval_on_selector_all("button, select, nav a, input:not([type=file], [type=checkbox])", small) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_one_photo_style_after_style_and_back_again(
    visit: Callable[..., Any], photo: Path, width: int, models: Models, tmp_path: Path
) -> None:
    page = visit(width)
    within(page)
    page.set_input_files("#photo", photo)
    assert page.is_visible("#before")
    assert not page.is_visible("#slider")
    pick(page, "red-solid")
    shows(page, "red-solid")
    assert page.inner_text("#said") == "Changed what is probably a vest to red-solid (red, solid)."
    pick(page, "navy-striped")
    shows(page, "navy-striped")
    within(page)
    assert page.locator("#thumbs li").count() == 2
    page.go_back()
    shows(page, "red-solid")
    page.go_back()
    assert page.is_visible("#before")
    assert not page.is_visible("#after")
    page.go_forward()
    page.go_forward()
    shows(page, "navy-striped")
    painted = models.painted
    pick(page, "red-solid")
    shows(page, "red-solid")
    assert models.painted == painted, "it was made before"
    for button, name in (("#png", "try-on-red-solid.png"), ("#jpeg", "try-on-red-solid.jpg")):
        with page.expect_download() as download:
            page.click(button)
        assert download.value.suggested_filename == name
        download.value.save_as(tmp_path / name)
    result = read_rgb(tmp_path / "try-on-red-solid.png")
    assert (result[:35] == read_rgb(photo)[:35]).all()
    assert (result[60:100, 50:70, 0] > 150).all()
    as_jpeg = read_rgb(tmp_path / "try-on-red-solid.jpg").astype(int)
    assert abs(as_jpeg[60:100, 50:70].mean((0, 1)) - result[60:100, 50:70].mean((0, 1))).max() < 6


@pytest.mark.parametrize("width", WIDTHS)
def test_all_styles_make_one_sheet(visit: Callable[..., Any], photo: Path, width: int, tmp_path: Path) -> None:
    page = visit(width)
    page.set_input_files("#photo", photo)
    page.click("#all")
    page.wait_for_selector("#sheet li >> nth=2")
    page.wait_for_selector("#progress", state="hidden")
    assert page.inner_text("#said").startswith("3 styles on one sheet.")
    within(page)
    with page.expect_download() as download:
        page.click("#png")
    download.value.save_as(tmp_path / "sheet.png")
    assert download.value.suggested_filename == "try-on-all-styles.png"
    assert read_rgb(tmp_path / "sheet.png").shape == (2 * (640 + 44 + 24) + 24, 2 * (480 + 24) + 24, 3)
    page.click("#sheet li:has-text('red-checked') button")
    shows(page, "red-checked")
    page.go_back()
    assert page.is_visible("#sheet")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_garments_own_picture_with_a_preview(visit: Callable[..., Any], photo: Path, width: int) -> None:
    write_png(photo.with_name("cloth.png"), np.full((90, 90, 3), (47, 107, 58), np.uint8))
    page = visit(width)
    page.set_input_files("#photo", photo)
    assert not page.is_visible("#own-panel")
    page.click("#own")
    page.click("#go")
    assert page.inner_text("#error") == "Choose a picture of the garment first."
    page.set_input_files("#picture", photo.with_name("cloth.png"))
    assert page.is_visible("#own-preview")
    page.check("[name=cloth]")
    within(page)
    page.click("#go")
    shows(page, "red-solid-in-2f6b3a")
    assert "to red-solid in #2f6b3a." in page.inner_text("#said")
    pick(page, "red-checked")
    shows(page, "red-checked")
    assert not page.is_visible("#own-panel")


def test_another_colour(visit: Callable[..., Any], photo: Path) -> None:
    page = visit()
    page.set_input_files("#photo", photo)
    page.click("#options summary")
    assert "no colours but its own" in page.inner_text("#dye"), "the first style"
    pick(page, "red-solid")
    shows(page, "red-solid")
    page.click(".dye[aria-label=green]")
    shows(page, "red-solid-in-2f6b3a")
    page.fill("#picker", "#22305c")
    assert page.input_value("#colour") == "#22305c"
    page.click("#go")
    shows(page, "red-solid-in-22305c")
    page.fill("#colour", "reddish")
    page.press("#colour", "Enter")
    page.wait_for_selector("#error:has-text('Colour: expected #rrggbb')")
    page.click("#undye")
    page.click("#go")
    shows(page, "red-solid")


@pytest.mark.parametrize(("event", "carries"), [("DragEvent", "dataTransfer"), ("ClipboardEvent", "clipboardData")])
def test_a_photo_dropped_or_pasted(visit: Callable[..., Any], event: str, carries: str) -> None:
    page = visit()
    bring = """async ([kind, carries, target]) => {
        const canvas = new OffscreenCanvas(60, 80);
        canvas.getContext("2d").fillRect(0, 0, 60, 80);
        const data = new DataTransfer();
        data.items.add(new File([await canvas.convertToBlob()], "dropped.png", { type: "image/png" }));
        const name = kind === "DragEvent" ? "drop" : "paste";
        const element = document.querySelector(target);
        element.focus?.();
        element.dispatchEvent(new window[kind](name, { [carries]: data, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(bring, [event, carries, "main"])
    page.wait_for_function("document.getElementById('before').naturalWidth === 60")
    assert page.text_content("#status") == "Photo chosen: dropped.png. Now pick a style."
    page.evaluate(bring, [event, carries, "#own input"])
    page.wait_for_function("document.getElementById('own-preview').naturalWidth === 60")
    assert page.is_checked("#own input"), "what lands on one's own garment is its picture"


def test_styles_are_found_by_word_colour_and_pattern(visit: Callable[..., Any]) -> None:
    page = visit()
    shown = "all => all.filter(e => !e.hidden).map(e => e.querySelector('input').value)"

    def found() -> list[str]:
        return page.eval_on_selector_all(".style[data-search]", shown)

    page.fill("#search", "solid")
    assert found() == ["red-solid"]
    page.fill("#search", "빨강 체크")
    assert found() == ["red-checked"]
    page.fill("#search", "")
    page.select_option("#of-colour", "blue")
    assert found() == ["navy-striped"]
    page.select_option("#of-pattern", "solid")
    assert found() == []
    assert page.is_visible("#no-match")
    assert page.text_content("#status") == "Styles shown: 0"


def test_the_page_by_keyboard(visit: Callable[..., Any], photo: Path) -> None:
    page = visit()

    def focused() -> str:
        return page.evaluate("document.activeElement.id || document.activeElement.name || document.activeElement.lang")

    order = []
    for _ in range(10):
        page.keyboard.press("Tab")
        order.append(focused())
    wanted = ["en", "ko", "photo", "search", "of-colour", "of-pattern", "style"]
    assert [name for name in order if name in wanted] == wanted
    assert order[-2:] == ["go", "all"]
    page.set_input_files("#photo", photo)
    page.focus(".style input[value=navy-striped]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.is_hidden("#progress"), "arrow keys choose"
    page.keyboard.press("Enter")
    shows(page, "red-solid")
    assert page.text_content("#status").strip().startswith("Changed what is probably a vest to red-solid")
    page.focus("#slider")
    for key, cut in (("ArrowLeft", "49%"), ("ArrowRight", "50%"), ("Home", "0%"), ("End", "100%")):
        page.keyboard.press(key)
        assert page.eval_on_selector("#compare", "e => e.style.getPropertyValue('--cut')") == cut
        clip = page.eval_on_selector("#after", "e => getComputedStyle(e).clipPath")
        assert clip == f"inset(0px 0px 0px {cut})"
    page.focus("#large")
    page.keyboard.press("Enter")
    page.wait_for_selector("#full[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#full[open]", state="hidden")
    assert focused() == "large"


@pytest.mark.parametrize("width", WIDTHS)
def test_korean_and_the_other_language_without_losing_the_photo(
    visit: Callable[..., Any], photo: Path, width: int
) -> None:
    page = visit(width, locale="ko-KR")
    assert page.inner_text("#go") == "입어 보기"
    page.set_input_files("#photo", photo)
    pick(page, "red-solid")
    shows(page, "red-solid")
    assert "스타일로 바꿨습니다" in page.inner_text("#said")
    within(page)
    page.click("nav a[lang=en]")
    page.wait_for_selector("html[lang=en]")
    assert page.inner_text("#go") == "Try it on"
    assert page.inner_text("#said").startswith("Changed what is probably a vest")
    assert page.get_attribute("#slider", "aria-label").startswith("Before and after")
    pick(page, "navy-striped")
    shows(page, "navy-striped")
    page.reload()
    assert page.inner_text("#go") == "Try it on", "the address says it"


@pytest.mark.parametrize("width", WIDTHS)
def test_files_that_are_refused_leave_the_page_whole(
    visit: Callable[..., Any], photo: Path, width: int, models: Models
) -> None:
    page = visit(width)
    page.set_input_files("#photo", photo)
    for name, data, said in (
        ("notes.txt", b"no picture", "notes.txt is not a picture."),
        ("IMG_1.HEIC", b"\0\0\0\x18ftypheic", "HEIC picture, as iPhones save them"),
        ("huge.jpg", bytes(MAX_UPLOAD_BYTES + 1), "too large, at most 15 MB"),
    ):
        (photo.parent / name).write_bytes(data)
        page.set_input_files("#photo", photo.parent / name)
        assert said in page.inner_text("#error")
        assert page.is_visible("#before"), "the photo from before stays"
    (photo.parent / "broken.jpg").write_bytes(photo.read_bytes()[:400])
    page.set_input_files("#photo", photo.parent / "broken.jpg")
    pick(page, "red-solid")
    page.wait_for_selector("#error:has-text('This photo cannot be used: the file is damaged')")
    within(page)
    models.finds = False
    page.set_input_files("#photo", photo)
    pick(page, "red-solid")
    page.wait_for_selector("#error:has-text('No garment was found on the person photo')")
    models.finds, models.score = True, 0.4
    page.click("#go")
    shows(page, "red-solid")
    assert page.inner_text("#error") == ""
    assert "Warning: the garment's outline may be wrong" in page.inner_text("#doubt")


def test_two_people_at_once_and_a_third_who_hears_the_place_in_the_line(
    visit: Callable[..., Any], photo: Path, models: Models
) -> None:
    pages = [visit(width) for width in (1280, 390, 390)]
    models.may_find.clear()
    for number, page in enumerate(pages):
        page.set_input_files("#photo", photo)
        pick(page, "red-solid")
        page.wait_for_selector("#state:has-text('Waiting: number 1')" if number == 2 else "#progress")
        page.wait_for_timeout(300)
    deadline = time.monotonic() + 30
    while not any("next" in page.inner_text("#state") for page in pages[:2]) and time.monotonic() < deadline:
        pages[0].wait_for_timeout(100)
    assert sorted(page.inner_text("#state") for page in pages[:2]) == ["Finding the garment…", "You are next…"]
    models.may_find.set()
    for page in pages:
        shows(page, "red-solid")


@pytest.mark.parametrize("width", WIDTHS)
def test_cancelling_ends_it_on_the_server_too(
    visit: Callable[..., Any], photo: Path, width: int, models: Models
) -> None:
    page = visit(width)
    page.set_input_files("#photo", photo)
    painted = models.painted
    models.may_find.clear()
    pick(page, "red-solid")
    page.wait_for_selector("#state:has-text('Finding the garment')")
    page.click("#cancel")
    assert page.is_hidden("#progress")
    assert page.text_content("#status") == "Cancelled."
    time.sleep(0.5)
    models.may_find.set()
    found = models.found
    pick(page, "navy-striped")
    shows(page, "navy-striped")
    assert models.found == found + 1
    assert models.painted == painted + 1, "the cancelled one was not painted"
    assert page.locator("#thumbs li").count() == 1


def test_without_its_script(visit: Callable[..., Any], photo: Path) -> None:
    page = visit(390, java_script_enabled=False)
    assert not page.is_visible("#search")
    assert page.is_visible("#picture")
    page.set_input_files("#photo", photo)
    pick(page, "red-checked")
    page.click("#go")
    page.wait_for_selector("#result")
    assert page.inner_text("#result .said") == "Changed what is probably a vest to red-checked (red, checked)."
    with page.expect_download() as download:
        page.click("#result a")
    assert download.value.suggested_filename == "try-on-red-checked.png"
    (photo.parent / "huge.jpg").write_bytes(bytes(3 * MAX_UPLOAD_BYTES))
    page.set_input_files("#photo", photo.parent / "huge.jpg")
    page.click("#go")
    page.wait_for_selector("#error:has-text('too large, at most 15 MB')")
    assert page.locator(".style").count() == 4
    page.click("nav a[lang=ko]")
    assert page.inner_text("#go") == "입어 보기"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_wrong(visit: Callable[..., Any], photo: Path, width: int, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core: npm install --no-save axe-core, or AXE_CORE=PATH of axe.min.js")
    page = visit(width, color_scheme=scheme)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.evaluate("document.getElementById('options').open = true")

    def wrong() -> list[str]:
        found = page.evaluate("axe.run()")["violations"]
        return [f"{each['id']}: {node['html'][:200]} {node['any']}" for each in found for node in each["nodes"]]

    assert wrong() == []
    page.set_input_files("#photo", photo)
    pick(page, "red-solid")
    shows(page, "red-solid")
    assert wrong() == []
    page.click("#own")
    page.click("#all")
    page.wait_for_selector("#sheet li >> nth=2")
    page.wait_for_selector("#progress", state="hidden")
    assert wrong() == []
    page.click("#large")
    page.wait_for_selector("#full[open]")
    assert wrong() == []
