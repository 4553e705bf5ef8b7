"""The element on a shop's page in a real browser: from another origin, under a strict policy, in Korean."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.api_keys import Keys
from fittingroom.images import read_rgb
from tests.app.serving import serving
from tests.app.stand_ins import Models, encoded

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium at /usr/bin/chromium"),
]
CLOTH = np.full((90, 90, 3), (179, 32, 44), np.uint8)
STYLED = 'style-name="red-solid"'


class Shop(ThreadingHTTPServer):
    """Any address is the product page, but for the product's picture. ``element`` is the element's attributes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"
        self.element = self.api = ""

    @property
    def page(self) -> str:
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Shirt</title>'
            '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
            f'<script type="module" src="{self.api}/v1/widget.js"></script>'
            f'<fitting-room picture="/img/shirt.png" {self.element}></fitting-room></html>'
        )

    @property
    def policy(self) -> str:
        """As docs/api.md says, and as strict as it may be."""
        return (
            f"default-src 'none'; script-src {self.api}; connect-src 'self' {self.api}; img-src blob: data:; "
            "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        )


class _Answers(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        picture = self.path == "/img/shirt.png"
        body = encoded(CLOTH) if picture else self.server.page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "image/png" if picture else "text/html")
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def shop(models: Models, tmp_path: Path) -> Iterator[Shop]:
    file = tmp_path / "keys.toml"
    with Shop() as shop:
        keys = {"mine": [shop.origin], "another": ["https://another.example"]}
        digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in keys}
        file.write_text("".join(f'[{n}]\nsha256 = "{digests[n]}"\norigins = {o}\n' for n, o in keys.items()))
        thread = threading.Thread(target=shop.serve_forever)
        thread.start()
        with serving(tmp_path / "workspace", models, keys=Keys(file)) as (host, port):
            shop.api = f"http://{host}:{port}"
            try:
                yield shop
            finally:
                if models.hold:
                    models.hold.set()
                shop.shutdown()
                thread.join(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, shop: Shop) -> Iterator[Callable[..., Any]]:
    """Opens the shop's page with such an element, keeps its events, and looks at the end whether all went well."""
    contexts, troubles = [], []

    def opened(element: str, width: int = 390, **options: Any) -> Any:
        shop.element = element
        context = browser.new_context(viewport={"width": width, "height": 844}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.add_init_script(
            "window.events = []; for (const name of ['result', 'problem'])"
            "addEventListener(`fitting-room-${name}`, (event) => events.push([name, event.detail]));"
        )
        page.goto(shop.origin)
        page.wait_for_selector("fitting-room button")
        return page

    yield opened
    for context in contexts:
        context.close()
    refused = ("Failed to load resource", "Access to fetch at")
    assert [trouble for trouble in troubles if not trouble.startswith(refused)] == []


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "me.png").write_bytes(encoded(np.random.default_rng(0).integers(0, 256, (160, 120, 3), np.uint8)))
    return tmp_path / "me.png"


def choose(page: Any, photo: Path) -> None:
    page.set_input_files("fitting-room input[type=file]", photo)


def said(page: Any) -> str:
    page.wait_for_selector("fitting-room [role=alert]:not(:empty)")
    return page.inner_text("fitting-room [role=alert]")


def within(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_a_visitor_sees_the_products_garment_on_their_photo(
    visit: Callable[..., Any], photo: Path, width: int, shop: Shop, tmp_path: Path
) -> None:
    page = visit('key="mine"', width)
    within(page)
    where = shop.api.removeprefix("http://")
    assert page.inner_text("fitting-room [part=privacy]") == (
        f"The photo you choose goes to {where} for this try-on alone; nothing of it is kept."
    )
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as forgotten:
        choose(page, photo)
    assert forgotten.value.status == 204, "nothing is kept"
    page.wait_for_selector("fitting-room [part=result]")
    within(page)
    ((name, detail),) = page.evaluate("events")
    assert (name, detail["style"]["name"], "image" in detail) == ("result", "red-solid", False)
    assert page.inner_text("fitting-room [role=status]") == detail["message"]["en"]
    page.focus("fitting-room [type=range]")
    for key, cut in (("ArrowLeft", "49%"), ("ArrowRight", "50%"), ("Home", "0%"), ("End", "100%")):
        page.keyboard.press(key)
        clip = page.eval_on_selector("fitting-room .after", "e => getComputedStyle(e).clipPath")
        assert clip == f"inset(0px 0px 0px {cut})"
    assert page.get_attribute("fitting-room [type=range]", "aria-label").startswith("Before and after")
    with page.expect_download() as download:
        page.click("fitting-room a")
    download.value.save_as(tmp_path / "out.png")
    result = read_rgb(tmp_path / "out.png")
    assert (result[:35] == read_rgb(photo)[:35]).all()
    assert (result[60:100, 50:70, 0] > 120).all()


def test_a_style_by_its_name_in_korean_in_the_dark(visit: Callable[..., Any], photo: Path) -> None:
    page = visit(f'key="mine" lang="ko" {STYLED}')
    page.evaluate("document.documentElement.style.colorScheme = 'dark'")
    assert (
        page.eval_on_selector("fitting-room section", "e => getComputedStyle(e).backgroundColor") == "rgb(29, 30, 31)"
    )
    assert page.inner_text("fitting-room button >> nth=0") == "내 사진에 입어 보기"
    choose(page, photo)
    page.wait_for_selector("fitting-room [part=result]")
    assert "스타일로 바꿨습니다" in page.inner_text("fitting-room [role=status]")
    page.evaluate("document.querySelector('fitting-room').lang = 'en'")
    assert page.inner_text("fitting-room [role=status]").startswith("Changed what is probably a vest")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "This photo cannot be used: the file is damaged"),
        ("ko", "이 사진은 쓸 수 없습니다. 파일이 망가졌습니다."),
    ],
)
def test_a_bad_photo_gives_the_apis_words(
    visit: Callable[..., Any], photo: Path, language: str, words: str, models: Models
) -> None:
    page = visit(f'key="mine" {STYLED} lang="{language}"')
    photo.with_name("broken.png").write_bytes(photo.read_bytes()[:400])
    choose(page, photo.with_name("broken.png"))
    assert said(page).startswith(words)
    ((name, detail),) = page.evaluate("events")
    assert (name, detail["code"], detail["field"]) == ("problem", "image_rejected", "photo")
    choose(page, photo)
    page.wait_for_selector("fitting-room [part=result]")
    assert page.inner_text("fitting-room [role=alert]") == "", "the next photo is a new start"
    models.finds = False
    choose(page, photo)
    said(page)
    assert page.is_hidden("fitting-room [part=result]")
    assert page.evaluate("events.at(-1)[1].code") == "no_garment"


@pytest.mark.parametrize(
    ("element", "code", "words"),
    [
        ('key="another"', "foreign_origin", "Trying on is not set up for this page."),
        ('key="none"', "no_key", "Trying on is not set up for this page."),
        ('key="none" lang="ko"', "no_key", "이 페이지에서는 아직 입어 볼 수 없습니다."),
        ('key="mine" style-name="gone"', "unknown_style", "Trying on is not set up for this page."),
        ('key="mine" picture="/away"', "no_picture", "The picture of this garment cannot be used"),
    ],
)
def test_what_the_shop_has_to_mend_is_said_in_plain_words(
    visit: Callable[..., Any], photo: Path, shop: Shop, element: str, code: str, words: str
) -> None:
    page = visit(element)
    if code == "no_picture":
        page.route(f"{shop.origin}/img/**", lambda route: route.fulfill(status=404))
    choose(page, photo)
    assert said(page).startswith(words)
    assert [(name, detail["code"]) for name, detail in page.evaluate("events")] == [("problem", code)]


def test_a_site_that_no_key_lists(visit: Callable[..., Any], photo: Path, shop: Shop, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"mine").hexdigest()
    (tmp_path / "keys.toml").write_text(f'[mine]\nsha256 = "{digest}"\norigins = ["https://another.example"]\n')
    page = visit('key="mine"')
    choose(page, photo)
    assert said(page).startswith("Trying on is not set up for this page.")
    assert page.evaluate("events[0][1].code") == "foreign_origin"
    page.route(f"{shop.api}/**", lambda route: route.abort())
    choose(page, photo)
    page.wait_for_selector("fitting-room [role=alert]:has-text('That did not work. Try again')")
    assert page.evaluate("events[1][1].code") == "unreachable"


def test_it_says_where_it_stands_and_ends_when_it_is_cancelled_or_taken_away(
    visit: Callable[..., Any], photo: Path, models: Models
) -> None:
    models.hold = threading.Event()
    page = visit(f'key="mine" {STYLED}')
    for end in (
        lambda: page.click("fitting-room button:has-text('Cancel')"),
        lambda: page.evaluate("document.querySelector('fitting-room').remove()"),
    ):
        choose(page, photo)
        page.wait_for_selector("fitting-room [role=status]:has-text('Trying it on')")
        with page.expect_response(lambda answer: answer.request.method == "DELETE") as ended:
            end()
        assert ended.value.status == 204
    assert page.evaluate("events") == []


def test_the_place_in_the_line_is_said(visit: Callable[..., Any], photo: Path) -> None:
    page = visit(f'key="mine" {STYLED}')
    job = '{"id": "a", "status": "waiting", "place": 3, "step": null}'
    cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*, Authorization"}
    page.route("**/v1/try-on", lambda route: route.fulfill(status=202, body=job, headers=cors))
    page.route("**/v1/jobs/a", lambda route: route.fulfill(body=job, headers=cors))
    choose(page, photo)
    page.wait_for_selector("fitting-room [role=status]:has-text('Waiting: number 3 in the line')")
