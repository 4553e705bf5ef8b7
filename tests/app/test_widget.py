"""The script for shops' pages, as it is served: any site may load it, and only sites with a key use the API."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from fittingroom import app as package
from fittingroom.api_keys import Keys
from fittingroom.app import create_app
from tests.app.stand_ins import Models

SHOP = "https://shop.example"
FILE = Path(package.__file__).with_name("widget.js")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    digest = hashlib.sha256(b"key-1").hexdigest()
    (tmp_path / "keys.toml").write_text(f'[one]\nsha256 = "{digest}"\norigins = ["{SHOP}"]\n')
    app = create_app(tmp_path / "workspace", Models(), keys=Keys(tmp_path / "keys.toml"))
    with TestClient(app, raise_server_exceptions=False, client=("203.0.113.9", 1)) as client:
        yield client


@pytest.mark.parametrize("origin", [None, SHOP, "https://elsewhere.example", "null"])
def test_any_site_may_load_the_script_without_a_key(client: TestClient, origin: str | None) -> None:
    sent = {} if origin is None else {"Origin": origin}
    answer = client.get("/v1/widget.js", headers=sent)
    assert answer.status_code == 200
    assert answer.content == FILE.read_bytes()
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert client.get("/v1/styles", headers=sent).status_code == 401, "the API keeps its keys"
    head = client.head("/v1/widget.js", headers=sent)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["access-control-allow-origin"] == "*"


def test_what_a_browser_has_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/v1/widget.js").headers["etag"]
    assert tag == f'"{hashlib.sha256(FILE.read_bytes()).hexdigest()[:16]}"'
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = client.get("/v1/widget.js", headers={"If-None-Match": known, "Origin": SHOP})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert answer.headers["access-control-allow-origin"] == "*"
    for other in ('"other"', "", tag[1:-1]):
        assert client.get("/v1/widget.js", headers={"If-None-Match": other}).status_code == 200


def test_the_script_is_small_and_takes_nothing_from_elsewhere() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert len(FILE.read_bytes()) < 12_000
    for word in ("://", "innerHTML", "eval(", "import(", "import {", "localStorage", "document.cookie"):
        assert word not in text
