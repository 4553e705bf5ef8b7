"""Packshots look as their style says; the server pages, closes, heals, fails and remembers."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import imagehash
import numpy as np
import pytest
import requests
from PIL import Image

from fittingroom.catalog import PageSource, load_catalog
from fittingroom.errors import ImageRejected, InputError, MissingInputError
from fittingroom.images import read_rgb
from fittingroom.sample.shop import SHOP_STYLES, build_shop, open_shop, render_packshot
from fittingroom.sample.shop_server import Quirks, ShopServer, write_catalog
from fittingroom.workspace import digest_bytes

FIRST = SHOP_STYLES[0].name


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory):
    return build_shop(tmp_path_factory.mktemp("shop"), seed=1, per_style=14, styles=SHOP_STYLES[:2])


@pytest.fixture
def shop(files) -> Iterator[ShopServer]:
    with ShopServer(files, quirks=Quirks(slow_seconds=0.3, retry_after=1)) as server:
        yield server


def get(shop: ShopServer, path: str, **kwargs) -> requests.Response:
    return requests.get(shop.url + path, timeout=10, **kwargs)


def test_files_and_determinism(files, tmp_path: Path) -> None:
    assert files.styles == (FIRST, SHOP_STYLES[1].name)
    assert all(len(photos) == 14 for photos in files.photos.values())
    again = build_shop(tmp_path, seed=1, per_style=2, styles=SHOP_STYLES[:2])
    for style in files.styles:
        assert [p.read_bytes() for p in again.photos[style]] == [p.read_bytes() for p in files.photos[style][:2]]
    assert open_shop(files.root).photos == files.photos
    with pytest.raises(MissingInputError, match="sample shop"):
        open_shop(tmp_path / "nothing")


@pytest.mark.parametrize("style", SHOP_STYLES, ids=lambda s: s.name)
def test_the_middle_of_a_packshot_has_the_styles_colours(style) -> None:
    colours = [style.fabric.base] + ([style.fabric.second] if style.pattern != "solid" else [])
    for number in range(4):
        photo = render_packshot(style, np.random.default_rng([3, number])).astype(float) / 255
        middle = photo[200:280, 160:240].reshape(-1, 3)
        # Light changes brightness, not hue: compare directions.
        hues = middle / np.maximum(np.linalg.norm(middle, axis=1, keepdims=True), 1e-6)
        near = [hues @ (np.array(c) / np.linalg.norm(c)) > 0.97 for c in colours]
        assert np.any(near, axis=0).mean() > 0.7
        border = np.concatenate([photo[:6].reshape(-1, 3), photo[-6:].reshape(-1, 3)])
        assert border.min() > 0.6
        assert np.ptp(border, axis=1).max() < 0.2


def test_stripes_are_bold_after_preparation() -> None:
    """Cropped to the garment and scaled to 256, a stripe's period is 14 to 26 pixels."""
    for number in range(6):
        photo = render_packshot(SHOP_STYLES[0], np.random.default_rng([8, number]))
        dark = photo.mean(axis=2) < 110
        rows, columns = np.nonzero(dark)
        side = max(np.ptp(rows), np.ptp(columns)) + 1
        middle = int(np.median(columns))
        profile = photo[rows.min() : rows.max() + 1, middle - 10 : middle + 10].mean(axis=(1, 2))
        spectrum = np.abs(np.fft.rfft(profile - profile.mean()))
        period = len(profile) / (1 + int(np.argmax(spectrum[1:])))
        assert 14 <= period * 256 / side <= 26


def test_no_two_photos_of_a_style_look_the_same(files) -> None:
    for style, photos in files.photos.items():
        prints = [imagehash.phash(Image.fromarray(read_rgb(photo))) for photo in photos]
        closest = min(a - b for i, a in enumerate(prints) for b in prints[:i])
        assert closest > 4, style


def test_listing_pages_lead_to_every_garment(shop: ShopServer) -> None:
    path: str | None = f"/styles/{FIRST}/"
    seen, pages = [], 0
    while path:
        text = get(shop, path).text
        seen += re.findall(rf'href="/garments/{FIRST}/([^"]+)"', text)
        following = re.search(r'<link rel="next" href="([^"]+)"', text)
        path, pages = following and following.group(1), pages + 1
        assert pages < 10
    assert pages == 2
    assert seen[:14] == [f"{n:02d}" for n in range(1, 15)]
    assert set(seen[14:]) == {"same", "again", "missing", "healing", "corrupt", "slow", "private"}
    assert get(shop, f"/styles/{FIRST}/?page=9").status_code == 404


def test_garment_page_names_its_photo_in_every_way(shop: ShopServer) -> None:
    text = get(shop, f"/garments/{FIRST}/01").text
    (data,) = re.findall(r"ld\+json\">(.*?)</script>", text)
    about = json.loads(data)
    assert about["@type"] == "Product"
    assert about["image"] == [f"/photos/{FIRST}/01.jpg"]
    assert f'property="og:image" content="/photos/{FIRST}/01.jpg"' in text
    assert f"/photos/{FIRST}/01.jpg 400w" in text
    photo, small = (get(shop, f"/photos/{FIRST}/01{end}.jpg").content for end in ("", "-small"))
    assert read_rgb(photo).shape == (480, 400, 3)
    assert read_rgb(small).shape == (120, 100, 3)


def test_robots_close_a_folder_that_is_watched(shop: ShopServer) -> None:
    assert "Disallow: /private/" in get(shop, "/robots.txt").text
    before = len(shop.requests)
    assert get(shop, "/private/sample.jpg").status_code == 200
    assert [(request.path, request.status) for request in shop.requests[before:]] == [("/private/sample.jpg", 200)]
    assert '"image": ["/private/sample.jpg"]' in get(shop, f"/garments/{FIRST}/private").text


def test_503_heals_after_its_failures(shop: ShopServer) -> None:
    replies = [get(shop, f"/photos/{FIRST}/healing.jpg") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [503, 503, 200]
    assert replies[0].headers["Retry-After"] == "1"
    assert read_rgb(replies[2].content).shape == (480, 400, 3)


def test_missing_corrupt_and_duplicates(shop: ShopServer, files) -> None:
    assert get(shop, f"/photos/{FIRST}/missing.jpg").status_code == 404
    assert get(shop, "/nowhere").status_code == 404
    corrupt = get(shop, f"/photos/{FIRST}/corrupt.jpg").content
    assert corrupt.startswith(b"\xff\xd8")
    with pytest.raises(ImageRejected):
        read_rgb(corrupt)
    first, second = (path.read_bytes() for path in files.photos[FIRST][:2])
    assert get(shop, f"/photos/{FIRST}/same.jpg").content == first
    again = get(shop, f"/photos/{FIRST}/again.jpg").content
    assert digest_bytes(again) != digest_bytes(second)
    assert np.abs(read_rgb(again).astype(int) - read_rgb(second)).mean() < 4


def test_slow_page_is_slow_and_holds_up_nobody(shop: ShopServer) -> None:
    begun = time.monotonic()
    reply: list[requests.Response] = []
    waiting = threading.Thread(target=lambda: reply.append(get(shop, f"/garments/{FIRST}/slow")))
    waiting.start()
    assert get(shop, "/robots.txt").ok
    assert waiting.is_alive() or time.monotonic() - begun >= 0.3
    waiting.join()
    assert reply[0].ok
    assert time.monotonic() - begun >= 0.3


def test_unchanged_photo_answers_304(shop: ShopServer) -> None:
    path = f"/photos/{FIRST}/03.jpg"
    tag = get(shop, path).headers["ETag"]
    reply = get(shop, path, headers={"If-None-Match": tag})
    assert (reply.status_code, reply.content) == (304, b"")
    assert get(shop, path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_search_pages_through_a_style(shop: ShopServer) -> None:
    name = SHOP_STYLES[1].name
    found = []
    for page in (1, 2):
        answer = get(shop, f"/api/search?q={name}&page={page}&page_size=10").json()
        found += [result["url"] for result in answer["results"]]
    assert answer["result_count"] == len(found) == 14
    assert get(shop, found[-1].removeprefix(shop.url)).ok


def test_many_visitors_at_once_are_all_recorded(shop: ShopServer) -> None:
    paths = [f"/photos/{FIRST}/{n:02d}.jpg" for n in range(1, 13)] * 3
    threads = [threading.Thread(target=get, args=(shop, path)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(request.path for request in shop.requests) == sorted(paths)
    assert {request.status for request in shop.requests} == {200}


def test_stop_frees_the_port_and_a_taken_port_is_said(files) -> None:
    server = ShopServer(files).start()
    port = server.port
    with pytest.raises(InputError, match=str(port)):
        ShopServer(files, port=port).start()
    server.stop()
    server.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/", timeout=2)
    with ShopServer(files, port=port) as again:
        assert again.port == port


def test_without_quirks_only_garments_are_sold(files) -> None:
    with ShopServer(files, quirks=Quirks(broken=False)) as shop:
        assert "private" not in get(shop, f"/styles/{FIRST}/?page=2").text
        assert get(shop, f"/photos/{FIRST}/corrupt.jpg").status_code == 404


def test_catalog_loads(tmp_path: Path) -> None:
    catalog = load_catalog(write_catalog(tmp_path / "catalog.yaml", "http://127.0.0.1:9999"))
    assert [style.name for style in catalog.styles] == [style.name for style in SHOP_STYLES]
    (source,) = catalog.styles[0].sources
    assert isinstance(source, PageSource)
    assert source.url == f"http://127.0.0.1:9999/styles/{FIRST}/"
    two = load_catalog(write_catalog(tmp_path / "two.yaml", "http://127.0.0.1:9999", ["red-solid", "navy-striped"]))
    assert [style.name for style in two.styles] == ["navy-striped", "red-solid"]
