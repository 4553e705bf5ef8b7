"""A kind of source is one module: its entry in the catalog, and what it offers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fittingroom import catalog
from fittingroom.catalog import Style, load_catalog
from fittingroom.crawl import CrawlSettings, crawl_style, local_files, sources, style_content
from fittingroom.crawl.sources.source import Source
from fittingroom.errors import CatalogError, MissingInputError
from fittingroom.workspace import digest_file
from tests.crawl.crawl_pictures import picture

MODULE = '''
from collections.abc import Iterator
from typing import Literal

from fittingroom.catalog import SourceEntry, WebAddress
from fittingroom.crawl.candidates import Candidate
from fittingroom.crawl.http.failures import FetchFailed
from fittingroom.crawl.sources.source import Asking, Source


class ToyEntry(SourceEntry):
    kind: Literal["toy"] = "toy"
    url: WebAddress


class Toy(Source[ToyEntry], of=ToyEntry):
    """A feed: a text of addresses, a line each."""

    most = 3

    def discover(self, asking: Asking) -> Iterator[Candidate]:
        try:
            answer = asking.fetcher.get(self.entry.url, max_bytes=1000)
        except FetchFailed as failure:
            yield self.unreadable(failure, self.entry.url)
            return
        for address in answer.body.decode().split():
            yield self.candidate(address, page=self.entry.url)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One file more in the package of sources, nothing else; gone afterwards."""
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds" / "toy.py").write_text(MODULE)
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path / "kinds")])
    monkeypatch.setattr(catalog, "KINDS", dict(catalog.KINDS))
    monkeypatch.setattr(Source, "kinds", dict(Source.kinds))
    yield
    sys.modules.pop("fittingroom.crawl.sources.toy", None)


def only_style(folder: Path, source: str) -> Style:
    file = folder / "catalog.yaml"
    file.write_text(
        "styles:\n  - name: red\n    category: vest\n    colour: red\n    pattern: solid\n"
        f"    sources:\n      - {source}\n"
    )
    return load_catalog(file).styles[0]


@pytest.mark.usefixtures("toy")
def test_one_more_module_is_one_more_kind(shop, quick: CrawlSettings, tmp_path: Path) -> None:
    addresses = [shop.image(f"/{number}.jpg", picture(number)) for number in range(4)]
    shop.routes["/feed"] = ("\n".join(addresses).encode(), "text/plain")
    style = only_style(tmp_path, f"{{kind: toy, url: '{shop.url}/feed', licence: cc0}}")
    assert Style.model_validate(style.model_dump(mode="json")) == style
    rows = crawl_style(style, tmp_path / "out", quick).rows
    told = {(row.key, row.status, row.reason, row.licence, row.page) for row in rows}
    feed = f"{shop.url}/feed"
    assert told == {(address, "kept", "", "cc0", feed) for address in addresses[:3]} | {
        (addresses[3], "skipped", "limit", "cc0", feed)
    }
    shop.routes.pop("/feed")
    (missing,) = crawl_style(style, tmp_path / "other", quick).rows
    assert (missing.key, missing.status, missing.reason) == (feed, "failed", "not_found")
    assert local_files(style).pictures == local_files(style).lists == []


@pytest.mark.usefixtures("toy")
def test_its_mistakes_are_named_as_any_others(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"catalog\.yaml:7: styles\[0\]\.sources\[0\]\.url: expected an absolute"):
        only_style(tmp_path, "{kind: toy, url: 'ftp://a.example'}")
    with pytest.raises(CatalogError, match=r"kind: expected one of page, search, urls, folder, toy, got 'boy'"):
        only_style(tmp_path, "{kind: boy}")


def test_an_entry_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"catalog\.yaml:7: styles\[0\]\.sources\[0\]: expected fields"):
        only_style(tmp_path, "just words")
    with pytest.raises(CatalogError, match="expected one of page, search, urls, folder, got '7'"):
        only_style(tmp_path, "{kind: 7}")


def test_what_lies_on_this_machine_is_part_of_what_a_style_is(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    for name, number in (("a/1.jpg", 1), ("a/2.jpg", 2), ("a/deep/again.jpg", 1)):
        (tmp_path / name).write_bytes(picture(number))
    (tmp_path / "list.txt").write_text("https://a.example/1.jpg\n")
    style = only_style(tmp_path, "{kind: folder, path: a, recursive: true}\n      - {kind: urls, path: list.txt}")
    files = local_files(style)
    assert [file.relative_to(tmp_path).as_posix() for file in files.pictures] == [
        "a/1.jpg",
        "a/2.jpg",
        "a/deep/again.jpg",
    ]
    assert files.lists == [tmp_path / "list.txt"]
    content = style_content(style, digest_file)
    assert content.pictures == sorted({digest_file(file) for file in files.pictures})
    assert len(content.pictures) == 2
    assert content.lists == [digest_file(tmp_path / "list.txt")]
    (tmp_path / "list.txt").unlink()
    with pytest.raises(MissingInputError, match=r"style red, sources\[1\]\.path"):
        style_content(style, digest_file)
