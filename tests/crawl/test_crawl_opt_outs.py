"""TDMRep: rights that a host's file, a header or a page reserves end as a row that says so, and nothing is fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fittingroom.catalog import PageSource, Style, UrlsSource
from fittingroom.crawl import CrawlSettings, crawl_style
from fittingroom.crawl.http.opt_out import reservations, reserves
from fittingroom.manifest import ImageRow
from tests.crawl.crawl_pictures import picture

FILE = "/.well-known/tdmrep.json"


def rows_of(shop, quick: CrawlSettings, folder: Path, *names: str) -> dict[str, ImageRow]:
    """What becomes of a list of the shop's addresses."""
    listed = folder / "list.txt"
    listed.write_text("".join(f"{shop.url}{name}\n" for name in names))
    style = Style(name="red", category="vest", colour="red", pattern="solid", sources=[UrlsSource(path=listed)])
    return {row.key.removeprefix(shop.url): row for row in crawl_style(style, folder / "out", quick).rows}


def test_a_hosts_file_reserves_places(shop, quick, tmp_path: Path) -> None:
    rules = [
        {"location": "/ours/", "tdm-reservation": 1, "tdm-policy": "https://shop.example/policy"},
        {"location": "/all/*.jpg$", "tdm-reservation": 1},
        {"location": "/free/", "tdm-reservation": 0},
    ]
    shop.routes[FILE] = (json.dumps(rules).encode(), "application/json")
    names = ("/ours/1.jpg", "/all/2.jpg", "/free/3.jpg", "/4.jpg")
    for number, name in enumerate(names):
        shop.image(name, picture(number))
    found = rows_of(shop, quick, tmp_path, *names)
    assert {name: (row.status, row.reason) for name, row in found.items()} == {
        "/ours/1.jpg": ("skipped", "opt_out"),
        "/all/2.jpg": ("skipped", "opt_out"),
        "/free/3.jpg": ("kept", ""),
        "/4.jpg": ("kept", ""),
    }
    assert found["/ours/1.jpg"].detail == "the host's tdmrep.json reserves its rights"
    assert shop.hits["/ours/1.jpg"] == shop.hits["/all/2.jpg"] == 0
    assert shop.hits[FILE] == 1, "once a host"


@pytest.mark.parametrize(("value", "out"), [("1", True), (" 1 ", True), ("0", False), ("0, 1", True), ("yes", False)])
def test_a_header_reserves_a_picture(shop, quick, tmp_path: Path, value: str, out: bool) -> None:
    shop.routes["/1.jpg"] = lambda handler: handler.answer(200, picture(1), tdm_reservation=value)
    (row,) = rows_of(shop, quick, tmp_path, "/1.jpg").values()
    assert (row.status, row.reason, row.detail) == (
        ("skipped", "opt_out", "tdm-reservation") if out else ("kept", "", "")
    )


@pytest.mark.parametrize(
    ("meta", "header", "out"),
    [
        ('<meta name="tdm-reservation" content="1">', "", True),
        ('<meta name="TDM-Reservation" content="1"><meta name="tdm-policy" content="https://a.example">', "0", True),
        ('<meta name="tdm-reservation" content="0">', "", False),
        ("", "1", True),
    ],
)
def test_a_page_reserves_its_pictures(shop, quick, tmp_path: Path, meta: str, header: str, out: bool) -> None:
    body = f'<html><head>{meta}</head><img src="/1.jpg"></html>'.encode()
    shop.routes["/page"] = lambda handler: handler.answer(200, body, "text/html", tdm_reservation=header)
    shop.image("/1.jpg", picture(1))
    style = Style(
        name="red", category="vest", colour="red", pattern="solid", sources=[PageSource(url=f"{shop.url}/page")]
    )
    (row,) = crawl_style(style, tmp_path, quick).rows
    assert (row.status, row.reason) == (("skipped", "opt_out") if out else ("kept", ""))
    assert bool(shop.hits["/1.jpg"]) is not out


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[1, {}]", b"[" * 9000, b'[{"location": 3}]', b"\xff\xfe"])
def test_what_is_no_such_file_reserves_nothing(shop, quick, tmp_path: Path, body: bytes) -> None:
    shop.routes[FILE] = (body, "application/json")
    shop.image("/1.jpg", picture(1))
    assert rows_of(shop, quick, tmp_path, "/1.jpg")["/1.jpg"].status == "kept"


def test_a_file_that_leads_to_where_we_do_not_go_reserves_nothing(shop, quick, network, tmp_path: Path) -> None:
    shop.redirect(FILE, "http://10.0.0.1/tdmrep.json")
    shop.image("/1.jpg", picture(1))
    assert rows_of(shop, quick, tmp_path, "/1.jpg")["/1.jpg"].status == "kept"
    assert "10.0.0.1" not in network.connected


def test_places_are_patterns_of_robots_txt_and_cannot_add_rules() -> None:
    text = json.dumps([{"location": "/a\nAllow: /a\nDisallow: /b", "tdm-reservation": 1}])
    rules = reservations(text)
    assert rules.can_fetch("https://a.example/b", "any")
    assert rules.can_fetch("https://a.example/c", "any")
    assert not reservations('[{"location": "*", "tdm-reservation": 1}]').can_fetch("https://a.example/b", "any")
    assert not reservations('[{"location": "img/", "tdm-reservation": "1"}]').can_fetch("https://a.example/img/1", "x")
    assert not reserves("10")
