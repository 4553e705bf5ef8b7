"""Whole crawls of a shop on this machine: every address ends as one row, and nothing is fetched twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from fittingroom.catalog import FolderSource, PageSource, SearchSource, Style, UrlsSource
from fittingroom.crawl import REASONS, RETRYABLE, Candidate, CrawlSettings, crawl_style, discover, fetch
from fittingroom.errors import CatalogError, HostUnavailable, MissingInputError, SettingError
from fittingroom.manifest import Manifest
from fittingroom.settings import get_settings
from tests.crawl.conftest import Handler, Shop
from tests.crawl.crawl_pictures import picture


def style(*sources: object) -> Style:
    return Style(name="red-t-shirt", category="short sleeve top", colour="red", pattern="solid", sources=list(sources))


def fates(manifest: Manifest, shop) -> dict[str, str]:
    return {row.key.removeprefix(shop.url): f"{row.status} {row.reason}".strip() for row in manifest.rows}


def test_every_address_ends_as_a_row(shop, quick, tmp_path: Path) -> None:
    shop.routes["/robots.txt"] = (b"User-agent: *\nDisallow: /secret/\n", "text/plain")
    good = picture(1)
    shop.image("/good.jpg", good)
    shop.image("/copy.jpg", good)
    shop.image("/named.png", picture(2, "WEBP"), "image/png")
    shop.image("/secret/a.jpg", picture(3))
    shop.image("/corrupt.jpg", good[:200] + bytes(300) + good[700:1200])
    shop.image("/text.jpg", b"<html>sold out</html>")
    shop.image("/vector.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml")
    shop.image("/none.jpg", b"")
    shop.image("/tiny.png", picture(4, "PNG", 16))
    shop.image("/heavy.jpg", b"x" * 600_000)
    shop.routes["/no-ai.jpg"] = lambda h: h.answer(200, picture(5), X_Robots_Tag="noai, noimageai")
    shop.routes["/other-bot.jpg"] = lambda h: h.answer(200, picture(6), X_Robots_Tag="otherbot: noai")
    shop.routes["/heals.jpg"] = lambda h: h.answer(503 if shop.hits["/heals.jpg"] == 1 else 200, picture(7))
    shop.routes["/down.jpg"] = lambda h: h.answer(503, b"")
    shop.redirect("/moved.jpg", "/good2.jpg")
    shop.image("/good2.jpg", picture(8))
    names = [path for path in shop.routes if path not in ("/robots.txt", "/good2.jpg")]
    body = "".join(f'<img src="{name}">' for name in [*names, "/gone.jpg", "http://10.0.0.1/a.jpg"])
    url = shop.html("/page", body)

    manifest = crawl_style(style(PageSource(url=url, licence="cc0")), tmp_path, quick)

    found = fates(manifest, shop)
    exact = [found.pop("/good.jpg"), found.pop("/copy.jpg")]
    assert sorted(exact) == ["duplicate exact", "kept"]
    assert found.pop("/corrupt.jpg") in ("failed truncated", "failed unreadable")
    assert found == {
        "/named.png": "kept",
        "/secret/a.jpg": "skipped robots",
        "/text.jpg": "failed format_not_allowed",
        "/vector.svg": "failed format_not_allowed",
        "/none.jpg": "failed empty",
        "/tiny.png": "refused too_small",
        "/heavy.jpg": "failed too_many_bytes",
        "/no-ai.jpg": "skipped opt_out",
        "/other-bot.jpg": "kept",
        "/heals.jpg": "kept",
        "/down.jpg": "failed server_error",
        "/moved.jpg": "kept",
        "/gone.jpg": "failed not_found",
        "http://10.0.0.1/a.jpg": "skipped address",
    }
    assert shop.hits["/secret/a.jpg"] == 0
    moved = manifest.get(shop.url + "/moved.jpg")
    assert moved is not None
    assert (moved.final_url, moved.page, moved.licence) == (shop.url + "/good2.jpg", url, "cc0")
    named = manifest.get(shop.url + "/named.png")
    assert named is not None
    assert (named.format, Path(named.path).suffix) == ("WEBP", ".webp")
    for row in manifest.rows:
        assert row.reason in REASONS or not row.reason
    stored = {p.name for p in tmp_path.iterdir()} - {"manifest.jsonl", ".lock"}
    assert stored == {row.path for row in manifest.kept()}


def test_a_second_run_asks_only_for_what_may_have_healed(shop, quick, tmp_path: Path) -> None:
    shop.image("/a.jpg", picture(1))
    shop.image("/b.jpg", picture(1))
    broken = True
    shop.routes["/c.jpg"] = lambda h: h.answer(503 if broken else 200, picture(2))
    url = shop.html("/page", '<img src="/a.jpg"><img src="/b.jpg"><img src="/c.jpg"><img src="/d.jpg">')
    crawl_style(style(PageSource(url=url)), tmp_path, quick)
    shop.hits.clear()
    broken = False
    shop.html("/page", '<img src="/a.jpg"><img src="/b.jpg"><img src="/c.jpg"><img src="/d.jpg"><img src="/e.jpg">')
    shop.image("/e.jpg", picture(5))

    manifest = crawl_style(style(PageSource(url=url)), tmp_path, quick)

    asked = {"/robots.txt": 2, "/.well-known/tdmrep.json": 2, "/page": 1, "/c.jpg": 1, "/e.jpg": 1}
    assert dict(shop.hits) == asked
    assert manifest.counts()["kept"] == 3
    before = (tmp_path / "manifest.jsonl").read_bytes()
    crawl_style(style(PageSource(url=url)), tmp_path, quick)
    assert (tmp_path / "manifest.jsonl").read_bytes() == before


@pytest.mark.parametrize("asked", ["not_found", "failed"])
def test_what_does_not_heal_is_tried_again_when_asked(shop, quick, tmp_path: Path, asked: str) -> None:
    candidates = [Candidate(shop.url + "/a.jpg"), Candidate(shop.image("/b.jpg", b"no picture"))]
    fetch(candidates, tmp_path, quick)
    shop.image("/a.jpg", picture(1))
    assert [row.reason for row in fetch(candidates, tmp_path, quick)] == ["not_found", "format_not_allowed"]
    again = fetch(candidates, tmp_path, replace(quick, retry=(asked,)))
    assert [row.status for row in again] == ["kept", "failed"]
    assert shop.hits["/b.jpg"] == (2 if asked == "failed" else 1)
    with pytest.raises(SettingError, match="nonsense"):
        replace(quick, retry=("nonsense",))


def test_a_lost_file_is_fetched_again(shop, quick, tmp_path: Path) -> None:
    url = shop.image("/a.jpg", picture(1))
    (row,) = fetch([Candidate(url)], tmp_path, quick)
    (tmp_path / row.path).unlink()
    (again,) = fetch([Candidate(url)], tmp_path, quick)
    assert (again.status, again.path) == ("kept", row.path)
    assert (tmp_path / row.path).exists()


def test_what_the_shop_takes_off_is_marked_and_what_comes_back_is_kept(shop, quick, tmp_path: Path) -> None:
    shop.image("/a.jpg", picture(1))
    shop.image("/b.jpg", picture(2))
    source = PageSource(url=shop.html("/page", '<img src="/a.jpg"><img src="/b.jpg">'))
    crawl_style(style(source), tmp_path, quick)
    shop.html("/page", '<img src="/b.jpg">')
    manifest = crawl_style(style(source), tmp_path, quick)
    gone = manifest.get(shop.url + "/a.jpg")
    assert gone is not None
    assert (gone.status, (tmp_path / gone.path).exists()) == ("gone", True)
    assert [row.key for row in manifest.kept()] == [shop.url + "/b.jpg"]
    shop.html("/page", '<img src="/a.jpg"><img src="/b.jpg">')
    shop.hits.clear()
    assert len(crawl_style(style(source), tmp_path, quick).kept()) == 2
    assert shop.hits["/a.jpg"] == 0


def test_a_duplicate_takes_the_place_of_what_is_gone(shop, quick, tmp_path: Path) -> None:
    quick = replace(quick, workers=1)
    shop.image("/a.jpg", picture(1))
    shop.image("/b.jpg", picture(1))
    source = PageSource(url=shop.html("/page", '<img src="/a.jpg"><img src="/b.jpg">'))
    assert [row.key for row in crawl_style(style(source), tmp_path, quick).kept()] == [shop.url + "/a.jpg"]
    shop.html("/page", '<img src="/b.jpg">')
    assert [row.key for row in crawl_style(style(source), tmp_path, quick).kept()] == [shop.url + "/b.jpg"]


def test_refresh_asks_with_etag(shop, quick, tmp_path: Path) -> None:
    content = picture(1)

    def tagged(handler) -> None:
        same = handler.headers.get("If-None-Match") == '"1"'
        handler.answer(304 if same else 200, b"" if same else content, ETag='"1"')

    shop.routes["/a.jpg"] = tagged
    candidate = Candidate(shop.url + "/a.jpg")
    (first,) = fetch([candidate], tmp_path, quick)
    (second,) = fetch([candidate], tmp_path, replace(quick, refresh=True))
    assert first.etag == '"1"'
    assert second == first
    assert shop.hits["/a.jpg"] == 2


@pytest.mark.parametrize(
    "answer", [(403, b""), (404, b""), (410, b""), (500, b""), (200, b"<html>sold out</html>"), (200, b"")]
)
def test_a_refresh_makes_nothing_worse(shop, quick, tmp_path: Path, answer: tuple[int, bytes]) -> None:
    well = True
    for number in (1, 2):
        shop.routes[f"/{number}.jpg"] = lambda h, number=number: h.answer(*((200, picture(number)) if well else answer))
    source = PageSource(url=shop.html("/page", '<img src="/1.jpg"><img src="/2.jpg">'))
    before = {row.key: row.sha256 for row in crawl_style(style(source), tmp_path, quick).kept()}
    well = False
    worse = crawl_style(style(source), tmp_path, replace(quick, refresh=True))
    assert {row.key: row.sha256 for row in worse.kept()} == before
    assert all("asked again" in row.detail for row in worse.kept())
    shop.hits.clear()
    after = crawl_style(style(source), tmp_path, quick)
    assert {row.key: row.sha256 for row in after.kept()} == before
    assert not shop.hits["/1.jpg"]
    assert all((tmp_path / row.path).read_bytes() for row in after.kept())


@pytest.mark.parametrize(("workers", "step"), [(1, 0), (4, 0), (1, 8), (1, -8)])
def test_a_placeholder_for_every_picture_takes_no_place(shop, quick, tmp_path: Path, workers: int, step: int) -> None:
    """The same one, or one that grows or shrinks a little from address to address."""
    quick, well = replace(quick, workers=workers), True
    for number in range(1, 5):
        shop.routes[f"/{number}.png"] = lambda h, number=number: h.answer(
            200, picture(number if well else 77, "PNG", 160 if well else 160 + step * number)
        )
    source = PageSource(url=shop.html("/page", "".join(f'<img src="/{number}.png">' for number in range(1, 5))))
    first = crawl_style(style(source), tmp_path, quick)
    before = {row.key: (row.sha256, row.path) for row in first.kept()}
    assert len(before) == 4
    well = False
    for settings in (replace(quick, refresh=True), quick):
        now = crawl_style(style(source), tmp_path, settings)
        assert {row.key: (row.sha256, row.path) for row in now.kept()} == before
        assert all("asked again: duplicate" in row.detail for row in now.kept())
        assert {file.name for file in tmp_path.glob("*.png")} == {path for _, path in before.values()}
    well = True
    healed = crawl_style(style(source), tmp_path, replace(quick, refresh=True))
    assert {row.key: (row.sha256, row.path, row.detail) for row in healed.kept()} == {
        key: (*values, "") for key, values in before.items()
    }


def test_a_refresh_takes_what_is_new(shop, quick, tmp_path: Path) -> None:
    urls = [shop.image(f"/{number}.jpg", picture(number)) for number in (1, 2)]
    old = fetch([Candidate(url) for url in urls], tmp_path, quick)
    shop.image("/1.jpg", picture(3))
    new = fetch([Candidate(url) for url in urls], tmp_path, replace(quick, refresh=True))
    assert [row.status for row in new] == ["kept", "kept"]
    assert new[0].sha256 != old[0].sha256
    assert new[1].sha256 == old[1].sha256


def test_a_refresh_gives_up_what_opts_out(shop, quick, tmp_path: Path) -> None:
    url = shop.image("/a.jpg", picture(1))
    fetch([Candidate(url)], tmp_path, quick)
    shop.routes["/a.jpg"] = lambda h: h.answer(200, picture(1), X_Robots_Tag="noai")
    (row,) = fetch([Candidate(url)], tmp_path, replace(quick, refresh=True))
    assert (row.status, row.reason) == ("skipped", "opt_out")


@pytest.mark.parametrize("damage", [b"", b"other bytes"])
def test_a_damaged_file_is_fetched_again(shop, quick, tmp_path: Path, damage: bytes) -> None:
    shop.routes["/a.jpg"] = lambda h: h.answer(
        304 if "If-None-Match" in h.headers else 200, b"" if "If-None-Match" in h.headers else picture(1), ETag='"1"'
    )
    candidates = [Candidate(shop.url + "/a.jpg")]
    (row,) = fetch(candidates, tmp_path, quick)
    whole = (tmp_path / row.path).read_bytes()
    for settings in (quick, replace(quick, refresh=True)):
        (tmp_path / row.path).write_bytes(damage)
        (again,) = fetch(candidates, tmp_path, settings)
        assert (again.status, (tmp_path / again.path).read_bytes()) == ("kept", whole)
    (tmp_path / row.path).write_bytes(damage)
    shop.routes["/a.jpg"] = lambda h: h.answer(404, b"")
    (lost,) = fetch(candidates, tmp_path, quick)
    assert (lost.status, lost.reason) == ("failed", "not_found")


def test_paging_by_rel_next_by_pattern_and_product_pages(shop, quick) -> None:
    for number in range(6):
        shop.image(f"/{number}.jpg", picture(number))
    shop.html("/list", '<img src="/0.jpg"><a rel="next" href="/list?page=2">next</a>')
    shop.html("/list?page=2", '<img src="/1.jpg"><link rel="next" href="/list">')
    listed = {"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "url": "/product"}]}
    shop.html("/shelf", f'<script type="application/ld+json">{json.dumps(listed)}</script>')
    shop.html("/product", '<img src="/2.jpg">')
    shop.html("/n?p=1", '<img src="/3.jpg">')
    shop.html("/n?p=2", '<img src="/4.jpg">')
    sources = [
        PageSource(url=shop.url + "/list"),
        PageSource(url=shop.url + "/shelf"),
        PageSource(url=shop.url + "/n?p=1", next_pattern=shop.url + "/n?p={page}"),
    ]
    found = discover(style(*sources), quick)
    assert [c.url.removeprefix(shop.url) for c in found] == [f"/{number}.jpg" for number in range(5)]
    assert [c.source for c in found] == [0, 0, 1, 2, 2]
    assert json.loads(json.dumps(found[0].to_json())) == found[0].to_json()
    limited = discover(style(PageSource(url=shop.url + "/list", max_pages=1)), quick)
    assert [(c.url.removeprefix(shop.url), c.status, c.reason) for c in limited] == [
        ("/0.jpg", "", ""), ("/list?page=2", "skipped", "limit"),
    ]  # fmt: skip
    assert limited[1].detail == "this page was not read: at most 1 pages (max_pages) of a source are taken"
    few = discover(style(*sources), replace(quick, max_images=1))
    assert [c.url.removeprefix(shop.url) for c in few if not c.status] == ["/0.jpg", "/2.jpg", "/3.jpg"]
    assert {c.reason for c in few if c.status} == {"limit"}


def test_pages_on_other_hosts_are_not_followed(shop, quick) -> None:
    url = shop.html("/page", '<img src="/a.jpg"><link rel="next" href="http://10.0.0.1/page2">')
    assert [c.url for c in discover(style(PageSource(url=url)), quick)] == [shop.url + "/a.jpg"]


@pytest.mark.parametrize("by_header", [False, True])
def test_the_next_product_is_not_the_next_page(shop, quick, by_header: bool) -> None:
    product = '<script type="application/ld+json">{"@type": "Product", "image": "/red.jpg"}</script>'
    html = product + ("" if by_header else '<link rel="next" href="/blue">')
    link = {"Link": '</blue>; rel="next"'} if by_header else {}
    shop.routes["/red"] = lambda h: h.answer(200, html.encode(), "text/html", **link)
    assert [c.url for c in discover(style(PageSource(url=shop.url + "/red")), quick)] == [shop.url + "/red.jpg"]
    assert shop.hits["/blue"] == 0


def test_hosts_beyond_ascii_and_where_the_shop_sends_us(shop, quick, network) -> None:
    for name in ("xn--bcher-kva.test", "www.xn--bcher-kva.test", "xn--352bl7khqr.test"):
        network.names[name] = [["127.0.0.1"]]
    shop.redirect("/", f"http://www.bücher.test:{shop.port}/shop".encode().decode("latin-1"))
    shop.html(
        "/shop", f'<img src="//쇼핑몰.test:{shop.port}/1.jpg"><a rel="next" href="//www.BÜCHER.test:{shop.port}/2">'
    )
    shop.html("/2", '<img src="2.jpg">')
    found = discover(style(PageSource(url=f"http://bücher.test:{shop.port}/")), quick)
    assert [c.url for c in found] == [
        f"http://xn--352bl7khqr.test:{shop.port}/1.jpg",
        f"http://www.xn--bcher-kva.test:{shop.port}/2.jpg",
    ]
    assert set(network.looked_up) <= set(network.names)


@pytest.mark.parametrize(
    ("headers", "out"),
    [
        (["noai, noimageai"], True),
        (["NoImageIndex"], True),
        (["FittingroomBot: noai"], True),
        (["otherbot: nofollow, noai"], False),
        (["otherbot: noindex", "noai"], True),
        (["noindex, max-image-preview: none"], False),
    ],
)
def test_a_page_opts_out_by_header_as_by_meta(shop, quick, headers: list[str], out: bool) -> None:
    def by_header(handler) -> None:
        handler.send_response(200)
        for value in headers:
            handler.send_header("X-Robots-Tag", value)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", "20")
        handler.end_headers()
        handler.wfile.write(b'<img src="/1.jpg">  ')

    shop.routes["/header"] = by_header
    (found,) = discover(style(PageSource(url=shop.url + "/header")), quick)
    assert (found.status, found.reason) == (("skipped", "opt_out") if out else ("", ""))
    if len(headers) == 1 and ":" not in headers[0]:
        shop.html("/meta", f'<meta name="robots" content="{headers[0]}"><img src="/1.jpg">')
        (found,) = discover(style(PageSource(url=shop.url + "/meta")), quick)
        assert found.reason == ("opt_out" if out else "")


def test_structured_pictures_only(shop, quick) -> None:
    product = json.dumps({"@type": "Product", "image": "/p.jpg"})
    url = shop.html("/page", f'<img src="/logo.png"><script type="application/ld+json">{product}</script>')
    found = discover(style(PageSource(url=url, images="structured")), quick)
    assert [c.url for c in found] == [shop.url + "/p.jpg"]


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"<p>nothing</p>", "text/html", "no_pictures"),
        (b"%PDF-", "application/pdf", "not_html"),
        (b'<meta name="robots" content="noai"><img src="/a.jpg">', "text/html", "opt_out"),
    ],
)
def test_a_page_that_gives_nothing_is_a_row(shop, quick, tmp_path, body: bytes, kind: str, reason: str) -> None:
    shop.routes["/page"] = (body, kind)
    manifest = crawl_style(style(PageSource(url=shop.url + "/page")), tmp_path, quick)
    assert [(row.key, row.reason) for row in manifest.rows] == [(shop.url + "/page", reason)]


def test_a_missing_page_is_a_row_and_a_page_that_is_down_raises_after_the_rest(shop, quick, tmp_path: Path) -> None:
    shop.routes["/down"] = lambda h: h.answer(503, b"", Retry_After="0")
    shop.image("/a.jpg", picture(1))
    good = PageSource(url=shop.html("/page", '<img src="/a.jpg">'))
    sources = style(PageSource(url=shop.url + "/down"), PageSource(url=shop.url + "/missing"), good)
    with pytest.raises(HostUnavailable, match="/down"):
        discover(sources, quick)
    with pytest.raises(HostUnavailable):
        crawl_style(sources, tmp_path, quick)
    assert fates(Manifest.read(tmp_path / "manifest.jsonl"), shop) == {"/missing": "failed not_found", "/a.jpg": "kept"}


# files


def test_a_folder_goes_through_the_same_checks(quick, tmp_path: Path) -> None:
    folder = tmp_path / "captured"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(picture(1))
    (folder / "b.png").write_bytes(picture(1))
    (folder / "c.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture either")
    (folder / "inner" / "d.jpg").write_bytes(picture(4))
    (folder / "link.jpg").symlink_to("/etc/hostname")
    out = tmp_path / "out"
    manifest = crawl_style(style(FolderSource(path=folder, licence="our own")), out, replace(quick, workers=1))
    assert {Path(row.key).name: (row.status, row.reason) for row in manifest.rows} == {
        "a.jpg": ("kept", ""),
        "b.png": ("duplicate", "exact"),
        "c.jpg": ("failed", "format_not_allowed"),
    }
    assert manifest.kept()[0].key == str(folder / "a.jpg")
    assert manifest.kept()[0].licence == "our own"
    (folder / "a.jpg").write_bytes(picture(9))
    changed = crawl_style(style(FolderSource(path=folder, recursive=True)), out, quick)
    assert sorted(Path(row.key).name for row in changed.kept()) == ["a.jpg", "b.png", "d.jpg"]
    now, before = changed.get(str(folder / "a.jpg")), manifest.get(str(folder / "a.jpg"))
    assert now is not None
    assert before is not None
    assert now.source_sha256 != before.source_sha256


@pytest.mark.parametrize("source", [FolderSource(path=Path("no-such")), UrlsSource(path=Path("no-such.txt"))])
def test_a_missing_file_or_folder_is_said_before_any_request(source, shop, quick, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"no-such.*sources\[1\]\.path"):
        crawl_style(style(PageSource(url=shop.url + "/page"), source), tmp_path / "out", quick)
    assert not shop.hits
    assert not (tmp_path / "out").exists()


def test_lists_of_addresses(quick, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "# ours\nhttps://a.example/1.jpg\n\n  https://a.example/2.jpg  \nfile:///etc/passwd\n"
    )
    (tmp_path / "b.csv").write_text('name,url,licence\nx,"https://b.example/1,2.jpg",cc0\ny,,\n')
    sources = [UrlsSource(path=tmp_path / "a.txt", licence="by"), UrlsSource(path=tmp_path / "b.csv")]
    found = discover(style(*sources), quick)
    assert [(c.url, c.licence, c.reason) for c in found] == [
        ("https://a.example/1.jpg", "by", ""),
        ("https://a.example/2.jpg", "by", ""),
        ("file:///etc/passwd", "by", "scheme"),
        ("https://b.example/1,2.jpg", "cc0", ""),
    ]
    (tmp_path / "c.csv").write_text("name,address\n")
    with pytest.raises(CatalogError, match="column named url"):
        discover(style(UrlsSource(path=tmp_path / "c.csv")), quick)
    (tmp_path / "d.xls").write_text("")
    with pytest.raises(CatalogError, match=r"\.parquet"):
        discover(style(UrlsSource(path=tmp_path / "d.xls")), quick)


def test_parquet_lists(quick, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # type: ignore[import-untyped]

    table = pyarrow.table({"url": ["https://a.example/1.jpg", None], "licence": ["cc0", "by"], "n": [1, 2]})
    parquet.write_table(table, tmp_path / "a.parquet")
    (found,) = discover(style(UrlsSource(path=tmp_path / "a.parquet")), quick)
    assert (found.url, found.licence) == ("https://a.example/1.jpg", "cc0")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(CatalogError, match="not a Parquet file"):
        discover(style(UrlsSource(path=tmp_path / "b.parquet")), quick)


# image search, in the recorded shapes of the APIs' documentation


def test_openverse(shop, quick) -> None:
    def results(numbers: range) -> bytes:
        rows = [
            {
                "id": str(n),
                "url": f"https://live.example/{n}.jpg",
                "foreign_landing_url": f"https://photos.example/{n}",
                "creator": "Ann",
                "license": "by",
                "license_version": "4.0",
            }
            for n in numbers
        ]
        return json.dumps({"result_count": 23, "page_count": 2, "page_size": 20, "results": rows}).encode()

    first, second = "/v1/images/?q=red+shirt&page=1&page_size=20", "/v1/images/?q=red+shirt&page=2&page_size=20"
    shop.routes[first] = (results(range(20)), "application/json")
    shop.routes[second] = (results(range(20, 23)), "application/json")
    shop.routes["/robots.txt"] = (b"User-agent: *\nDisallow: /\n", "text/plain")
    found = discover(style(SearchSource(query="red shirt", endpoint=shop.url + "/v1/images/")), quick)
    assert len(found) == 23
    assert (found[22].url, found[22].page) == ("https://live.example/22.jpg", "https://photos.example/22")
    assert found[0].licence == "by 4.0, Ann"


@pytest.mark.parametrize("limit", [5, 20, 30, 45])
def test_openverse_pages_are_of_one_size_whatever_the_limit(shop, quick, limit: int) -> None:
    """The service cuts its 60 results into pages of the size that each call asks for."""

    def answer(handler) -> None:
        asked = dict(parse_qsl(urlsplit(handler.path).query))
        page, size = int(asked["page"]), int(asked["page_size"])
        numbers = range(60)[(page - 1) * size : page * size]
        results = [{"url": f"https://live.example/{number}.jpg"} for number in numbers]
        handler.answer(200, json.dumps({"results": results}).encode(), "application/json")

    class Pages(dict):
        def get(self, path, default=None):
            return answer if path.startswith("/v1?") else super().get(path, default)

    shop.routes = Pages(shop.routes)
    found = discover(style(SearchSource(query="red", endpoint=shop.url + "/v1", limit=limit)), quick)
    assert [one.url for one in found] == [f"https://live.example/{number}.jpg" for number in range(limit)]


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch):
    for name in ("GOOGLE_API_KEY", "GOOGLE_ENGINE_ID", "BING_API_KEY"):
        monkeypatch.setenv(f"FITTINGROOM_{name}", f"secret-{name}")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.mark.usefixtures("keys")
def test_google_and_bing(shop, quick) -> None:
    google = "/g?key=secret-GOOGLE_API_KEY&cx=secret-GOOGLE_ENGINE_ID&q=shirt&searchType=image&start=1&num=5"
    items = [{"link": "https://a.example/1.jpg", "image": {"contextLink": "https://a.example/p"}}]
    shop.routes[google] = (json.dumps({"items": items}).encode(), "application/json")
    value = [{"contentUrl": "https://b.example/1.jpg", "hostPageUrl": "https://b.example/p"}]
    shop.routes["/b?q=shirt&offset=0&count=5"] = (json.dumps({"value": value}).encode(), "application/json")
    found = discover(
        style(
            SearchSource(query="shirt", provider="google", endpoint=shop.url + "/g", limit=5),
            SearchSource(query="shirt", provider="bing", endpoint=shop.url + "/b", limit=5),
        ),
        quick,
    )
    assert [(c.url, c.page) for c in found] == [
        ("https://a.example/1.jpg", "https://a.example/p"),
        ("https://b.example/1.jpg", "https://b.example/p"),
    ]
    sent = shop.headers["/b?q=shirt&offset=0&count=5"][0]
    assert sent["Ocp-Apim-Subscription-Key"] == "secret-BING_API_KEY"


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("status", [403, 500])
def test_a_key_is_in_no_message_and_no_row(shop, quick, tmp_path: Path, status: int, caplog) -> None:
    caplog.set_level("DEBUG")
    path = "/g?key=secret-GOOGLE_API_KEY&cx=secret-GOOGLE_ENGINE_ID&q=shirt&searchType=image&start=1&num=5"
    shop.routes[path] = lambda h: h.answer(status, b"")
    source = SearchSource(query="shirt", provider="google", endpoint=shop.url + "/g", limit=5)
    said = ""
    try:
        crawl_style(style(source), tmp_path, quick)
    except HostUnavailable as error:
        said = str(error)
    written = (tmp_path / "manifest.jsonl").read_text() if status == 403 else said
    assert f"HTTP {status}" in written
    assert "secret" not in written
    assert "secret" not in caplog.text
    assert "GET /g?key=***" in caplog.text, "the request is logged, its key is not"


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("provider", ["google", "bing"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_key_goes_to_no_other_host(shop, quick, tmp_path: Path, provider: str, status: int, caplog) -> None:
    caplog.set_level("DEBUG")
    other = Shop()
    api = [
        f"/api?{query}"
        for query in (
            "key=secret-GOOGLE_API_KEY&cx=secret-GOOGLE_ENGINE_ID&q=shirt&searchType=image&start=1&num=5",
            "q=shirt&offset=0&count=5",
        )
    ]
    for path in api:
        shop.routes[path] = lambda h: h.answer(status, b"", Location=other.url + h.path)
    source = SearchSource(query="shirt", provider=provider, endpoint=shop.url + "/api", limit=5)
    (found,) = crawl_style(style(source), tmp_path, quick).rows
    other.close()
    assert (found.status, found.reason) == ("failed", "bad_redirect")
    assert sum(shop.hits[path] for path in api) == 1
    assert not other.hits
    assert "secret" not in caplog.text + (tmp_path / "manifest.jsonl").read_text()


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("provider", ["google", "bing"])
def test_a_key_stays_on_its_host_and_off_plain_http(shop, quick, network, tmp_path: Path, provider: str) -> None:
    network.names["api.example"] = [["127.0.0.1"]]
    source = SearchSource(query="shirt", provider=provider, endpoint=f"http://api.example:{shop.port}/api", limit=5)
    (found,) = crawl_style(style(source), tmp_path, quick).rows
    assert (found.status, found.reason) == ("skipped", "scheme")
    assert "https" in found.detail
    assert not shop.hits
    assert "secret" not in (tmp_path / "manifest.jsonl").read_text()
    body = json.dumps(
        {"items": [{"link": "https://a.example/1.jpg"}], "value": [{"contentUrl": "https://a.example/1.jpg"}]}
    )
    shop.image("/v2", body.encode(), "application/json")
    for path in (
        "key=secret-GOOGLE_API_KEY&cx=secret-GOOGLE_ENGINE_ID&q=a&searchType=image&start=1&num=5",
        "q=a&offset=0&count=5",
    ):
        shop.redirect(f"/api?{path}", "/v2")
    (moved,) = discover(style(SearchSource(query="a", provider=provider, endpoint=shop.url + "/api", limit=5)), quick)
    assert moved.url == "https://a.example/1.jpg", "a redirect on the same host is followed"


def test_a_missing_key_is_said(quick, monkeypatch) -> None:
    monkeypatch.delenv("FITTINGROOM_GOOGLE_API_KEY", raising=False)
    get_settings.cache_clear()
    with pytest.raises(SettingError, match="FITTINGROOM_GOOGLE_API_KEY"):
        discover(style(SearchSource(query="shirt", provider="google")), quick)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"results": 3}'])
def test_an_answer_of_another_shape_is_a_row(shop, quick, body: bytes) -> None:
    shop.routes["/v1?q=a&page=1&page_size=20"] = (body, "application/json")
    (found,) = discover(style(SearchSource(query="a", endpoint=shop.url + "/v1")), quick)
    assert (found.status, found.reason) == ("failed", "bad_answer")


# being killed, and settings


KILLED = """
import sys
from pathlib import Path
from fittingroom.crawl import Candidate, CrawlSettings, fetch
out, *urls = sys.argv[1:]
fetch([Candidate(url) for url in urls], Path(out), CrawlSettings(allow_loopback=True, per_host_delay=0.02))
"""


@pytest.mark.slow
def test_after_sigkill_nothing_settled_is_fetched_again(shop, quick, tmp_path: Path) -> None:
    urls = [shop.image(f"/{number}.jpg", picture(number)) for number in range(60)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), *urls], env={**os.environ})
    manifest = tmp_path / "manifest.jsonl"
    while not manifest.exists() or manifest.read_bytes().count(b"\n") < 20:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    settled = {row.key for row in Manifest.read(manifest).rows}
    before = dict(shop.hits)
    rows = fetch([Candidate(url) for url in urls], tmp_path, quick)
    assert [row.status for row in rows] == ["kept"] * 60
    again = [url for url in urls if shop.hits[url.removeprefix(shop.url)] > 1]
    assert not set(again) & settled
    assert len(again) <= quick.connections_per_host
    assert sum(before.values()) >= 20


def test_hosts_do_not_wait_for_each_other(shop, network, quick, tmp_path: Path) -> None:
    network.names["slow.test"] = [["127.0.0.1"]]
    slow = shop.url.replace("127.0.0.1", "slow.test")
    shop.image("/a.jpg", picture(1))
    order: list[str] = []

    def slowly(handler: Handler) -> None:
        time.sleep(0.3)
        handler.answer(200, picture(2))

    for number in range(3):
        shop.routes[f"/s{number}.jpg"] = slowly
    candidates = [Candidate(f"{slow}/s{number}.jpg") for number in range(3)] + [Candidate(shop.url + "/a.jpg")]
    fetch(candidates, tmp_path, replace(quick, workers=4), lambda progress: order.append(progress.row.key))
    assert order[0] == shop.url + "/a.jpg"
    assert len(order) == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("workers", 0),
        ("workers", 1.5),
        ("workers", True),
        ("per_host_delay", -1),
        ("per_host_delay", float("nan")),
        ("total_timeout", 0),
        ("max_redirects", -1),
        ("near_duplicate_bits", -2),
        ("contact", "a\r\nHost: b"),
        ("user_agent", "日本"),
        ("allow_loopback", "yes"),
    ],
)
def test_settings_check_themselves(field: str, value: object) -> None:
    wrong: dict[str, Any] = {field: value}
    with pytest.raises(SettingError, match=f"setting {field}: expected .*, got"):
        CrawlSettings(**wrong)


def test_settings_of_the_installation(monkeypatch) -> None:
    monkeypatch.setenv("FITTINGROOM_CONTACT", "https://us.example/bot")
    monkeypatch.setenv("FITTINGROOM_ALLOW_LOOPBACK", "1")
    get_settings.cache_clear()
    made = CrawlSettings.from_installation(get_settings(), workers=3)
    get_settings.cache_clear()
    assert (made.workers, made.allow_loopback) == (3, True)
    assert made.user_agent.endswith("(+https://us.example/bot)")
    with pytest.raises(SettingError, match="wokers"):
        CrawlSettings.from_installation(get_settings(), wokers=3)


def test_healable_reasons_are_of_the_list() -> None:
    assert set(REASONS) >= RETRYABLE
