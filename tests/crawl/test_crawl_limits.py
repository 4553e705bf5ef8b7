"""Nothing is cut in silence: folders and lists are taken whole, and what is over a limit has its row."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fittingroom.catalog import FolderSource, PageSource, SearchSource, Style, UrlsSource
from fittingroom.crawl import CrawlSettings, crawl_style, discover
from fittingroom.crawl.sources.page import Pages
from fittingroom.errors import SettingError
from flows.parameters import CrawlParameters, LifecycleParameters, Parameters, RetrainParameters
from tests.crawl.crawl_pictures import picture


def style(*sources: object) -> Style:
    return Style(name="red", category="vest", colour="red", pattern="solid", sources=list(sources))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven pictures."""
    (tmp_path / "captured").mkdir()
    for number in range(7):
        (tmp_path / "captured" / f"{number}.jpg").write_bytes(picture(number))
    return tmp_path / "captured"


def test_folders_and_lists_are_taken_whole_and_pages_and_searches_up_to_a_limit(
    folder: Path, shop, quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pages, "most", 3)
    listed = folder.parent / "list.txt"
    listed.write_text("".join(f"{shop.url}/{number}.jpg\n" for number in range(6)))
    page = shop.html("/page", "".join(f'<img src="/p{number}.jpg">' for number in range(5)))
    found = discover(style(FolderSource(path=folder), UrlsSource(path=listed), PageSource(url=page)), quick)
    taken = [sum(not one.status for one in found if one.source == number) for number in range(3)]
    assert taken == [7, 6, 3]
    over = [one for one in found if one.status]
    assert [(one.status, one.reason) for one in over] == [("skipped", "limit")] * 2
    assert over[0].detail == "at most 3 pictures of a source are taken (max_images)"


def test_a_search_that_was_cut_says_so(shop, quick) -> None:
    def answer(handler) -> None:
        results = {"results": [{"url": f"{shop.url}/s{number}.jpg"} for number in range(2)]}
        handler.answer(200, json.dumps(results).encode(), "application/json")

    class Any(dict):
        def get(self, path, default=None):
            return answer if path.startswith("/search") else super().get(path, default)

    shop.routes = Any(shop.routes)
    source = SearchSource(query="red vest", endpoint=f"{shop.url}/search", limit=10)
    *pictures, over = discover(style(source), replace(quick, max_images=2))
    assert len(pictures) == 2
    assert (over.url, over.status, over.reason) == ("search:openverse:red vest", "skipped", "limit")
    assert over.detail == "10 pictures are asked for, at most 2 of a source are taken (max_images)"


def test_a_limit_can_be_raised_lowered_and_left_out(folder: Path, tmp_path: Path) -> None:
    captured, settings = style(FolderSource(path=folder)), CrawlSettings()
    few = crawl_style(captured, tmp_path / "out", replace(settings, max_images=2))
    assert few.counts() == {"kept": 2, "skipped": 5, "skipped: limit": 5}
    assert [Path(row.key).name for row in few.kept()] == ["0.jpg", "1.jpg"]
    more = crawl_style(captured, tmp_path / "out", replace(settings, max_images=5))
    assert more.counts() == {"kept": 5, "skipped": 2, "skipped: limit": 2}
    assert crawl_style(captured, tmp_path / "out", settings).counts() == {"kept": 7}
    again = crawl_style(captured, tmp_path / "out", replace(settings, max_images=2))
    assert again.counts() == {"kept": 2, "skipped": 5, "skipped: limit": 5}
    for path in sorted(folder.iterdir())[3:]:
        path.unlink()
    left = crawl_style(captured, tmp_path / "out", replace(settings, max_images=2))
    assert left.counts() == {"kept": 2, "skipped": 1, "skipped: limit": 1, "gone": 4}


def test_what_one_source_has_no_room_for_another_may_bring(folder: Path) -> None:
    inner = folder / "more"
    inner.mkdir()
    (inner / "8.jpg").write_bytes(picture(8))
    both = style(FolderSource(path=folder, recursive=True), FolderSource(path=inner))
    found = discover(both, CrawlSettings(max_images=7))
    assert [Path(one.url).name for one in found if one.status] == []
    assert len(found) == 8, "the eighth is over the first source's limit, and the second's own"


@pytest.mark.parametrize("model", [CrawlParameters, LifecycleParameters, RetrainParameters])
def test_the_limit_is_a_parameter_wherever_is_crawled(model: type[Parameters]) -> None:
    field = model.model_fields["max_images"]
    assert field.default is None
    assert "left empty, all of a folder or a list and 5,000 of pages or a search" in (field.description or "")


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match="max_images"):
        CrawlSettings(max_images=0)
