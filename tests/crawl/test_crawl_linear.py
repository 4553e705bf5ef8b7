"""Text that is made to be read again and again: what reads it takes time in proportion to it, not to its square."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fittingroom.annotations.pictures import foreign_parts
from fittingroom.crawl.html.attributes import told_of
from fittingroom.crawl.html.pages import read_page
from fittingroom.crawl.html.structured import addresses_in
from fittingroom.crawl.html.urls import backgrounds
from fittingroom.crawl.html.variants import read_variant
from fittingroom.crawl.images.metadata import strip
from fittingroom.crawl.lists import read_list

SIZE = 200_000
"""Characters of each text."""
SECONDS = 12
"""Of processor time, for starting Python and importing as well."""


def filled(unit: str, size: int = SIZE) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def script(text: str, kind: str = "application/ld+json") -> str:
    return f'<script type="{kind}">{text}</script>'


def listing(address: Callable[[str], str]) -> str:
    """A page of pictures whose addresses are as long as they may be."""
    return "".join(f'<img src="{address(f"/{number}")}">' for number in range(SIZE // 4000))


def references(count: int) -> str:
    """Pictures of a product that are references to objects that are references to them."""
    image = [{"@id": f"#{number}"} for number in range(count)]
    nodes = [{"@id": f"#{number}", "@type": "Product", "image": image} for number in range(count)]
    return json.dumps({"@graph": nodes})


PAGES: dict[str, Callable[[], str]] = {
    "an open url": lambda: f"<style>{filled('background:url(x')}</style>",
    "an open url, quoted": lambda: "<style>" + filled("background:url(\"x' ") + "</style>",
    "many urls of one background": lambda: f"<style>{filled('background:' + 'url(x' * 30)}</style>",
    "an open string in data": lambda: script(filled('"\\'), "application/json"),
    "an open string in JSON-LD": lambda: script(filled('"\\')),
    "open comments": lambda: script(filled("/* ")),
    "commas and spaces": lambda: script(filled("," + " " * 1000)),
    "ends of comments": lambda: script("x" + filled("//" + " " * 1000) + "x"),
    "spaces in an address": lambda: script(json.dumps({"@type": "Product", "image": "a" + filled(" ") + "b"})),
    "spaces in microdata": lambda: (
        f'<p itemscope itemtype="https://schema.org/Product"><img itemprop=image src="a{filled(" ")}b">'
    ),
    "references": lambda: script(references(90)),
    "many products": lambda: script(json.dumps([{"@type": "Product", "name": str(n)} for n in range(6000)])),
    "slashes in attributes": lambda: "".join(
        f'<p data-zoom{number}="{"/" * 3900} x">' for number in range(SIZE // 4000)
    ),
    "an open url in attributes": lambda: ('<p data-zoom="url(' + " " * 3900 + "'(\">") * (SIZE // 4000),
    "Shopify": lambda: listing(lambda one: one + filled("_x_crop", 3900) + "!"),
    "two suffixes": lambda: listing(lambda one: one + filled("jpeg_11x11", 3900) + "!"),
    "Amazon": lambda: listing(lambda one: one + filled("._", 3900) + "!"),
    "options": lambda: listing(lambda one: f"{one}/w{filled(':1', 3900)}!"),
    "Cloudinary": lambda: listing(lambda one: f"/image/upload/{filled('w_99/', 3900)}{one}.jpg"),
    "Cloudinary's names": lambda: listing(lambda one: f"/image/upload/{filled('t_', 3900)}{one}.jpg"),
    "numbered": lambda: listing(lambda one: f"{filled('/w/99', 3900)}{one}.jpg"),
    "one in another": lambda: listing(lambda one: f"{one}{filled('?url=', 3900)}a.jpg"),
}
TEXTS: dict[str, Callable[[], object]] = {
    name: lambda page=page: read_page(page().encode(), "http://h/x")  # type: ignore[misc]
    for name, page in PAGES.items()
}


def _read_a_list() -> object:
    Path("list.txt").write_text("http://h/ " + filled(".jpg?") + " x")
    return list(read_list(Path("list.txt")))


TEXTS |= {
    "a list": _read_a_list,
    "fill bytes in a JPEG": lambda: strip(b"\xff\xd8\xff\xda\x00\x02" + b"\xff" * SIZE + b"\x00\xff\xd9", "JPEG"),
    "a name in many folders": lambda: foreign_parts(filled("../") + "a.jpg"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_time_is_linear(name: str, tmp_path: Path) -> None:
    code = f"import runpy; runpy.run_path({__file__!r})['TEXTS'][{name!r}]()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_read_is_what_it_was() -> None:
    assert backgrounds("a{background:url(a.jpg)} b{background: url( 'b(1).jpg' )} c{background:url(c\\(1\\).jpg)}") == [
        "a.jpg", "b(1).jpg", "c(1).jpg",
    ]  # fmt: skip
    assert backgrounds("a{background:url(a(1).jpg)}") == []  # nor does a browser show it
    assert addresses_in("//h/a.jpg   ,  //h/b.jpg,   /c.jpg   https://h/d e.jpg") == [
        "//h/a.jpg", "//h/b.jpg", "/c.jpg", "https://h/d e.jpg",
    ]  # fmt: skip
    assert told_of({"data-zoom": "/large/?a"}) == "/large/?a"
    assert told_of({"data-zoom": "large/"}) == ""
    assert read_variant("https://h/rs:fill:300:12a/a.jpg").size == 300
    assert read_variant("https://h/image/upload/w_300/h_200/a.jpg").picture == "h/image/upload/a.jpg?"
    assert foreign_parts("a/../b/../c/d.jpg") == ["c", "d.jpg"]
    page = read_page(
        b'<script type="application/ld+json">{"@type": "Product", "image": "/a.jpg"} /* open', "http://h/x"
    )
    assert page.structured == ["http://h/a.jpg"]


def test_a_character_reference_of_thousands_of_digits_ends_nothing() -> None:
    json_ld = script(json.dumps([{"@type": "Product", "image": ["/a.jpg", f"&#{'9' * 5000};"]}]))
    assert read_page(json_ld.encode(), "http://h/x").structured == ["http://h/a.jpg"]
