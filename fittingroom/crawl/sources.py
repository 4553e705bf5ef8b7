"""What each kind of source offers: a page and those that follow it, an image search, a list of addresses, a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from fittingroom import images
from fittingroom.catalog import FolderSource, PageSource, SearchSource, Source, Style, UrlsSource
from fittingroom.crawl.candidates import HEALABLE, Candidate
from fittingroom.crawl.fetcher import Answer, Fetcher, FetchFailed
from fittingroom.crawl.lists import check_list, read_list
from fittingroom.crawl.opt_out import OF_A_PAGE, opts_out
from fittingroom.crawl.pages import read_page
from fittingroom.crawl.search import SearchKeys, search
from fittingroom.crawl.settings import MOST_OF_THE_WEB, CrawlSettings
from fittingroom.crawl.written import address_of
from fittingroom.errors import CatalogError, HostUnavailable, MissingInputError

_ACCEPT_PAGE = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1"
_MAX_LIST_BYTES = 50_000_000


def check_sources(style: Style) -> None:
    """Make sure that every file and folder the style names is there, before any work.

    Raises:
        MissingInputError: one is not. CatalogError: a list of a kind that cannot be read.
    """
    for index, source in enumerate(style.sources):
        where = f"style {style.name}, sources[{index}].path"
        if isinstance(source, FolderSource) and not source.location.is_dir():
            raise MissingInputError("folder", source.location, where)
        if isinstance(source, UrlsSource):
            if not source.location.is_file():
                raise MissingInputError("list of addresses", source.location, where)
            check_list(source.location, where)


def discover_source(
    source: Source, index: int, fetcher: Fetcher, settings: CrawlSettings, keys: SearchKeys
) -> list[Candidate]:
    """Everything that one source offers, each address once; what is over its limit is skipped, and says so.

    Raises:
        HostUnavailable: a page or search that cannot be reached for now. CatalogError, MissingInputError: a bad file.
    """
    most = settings.max_images
    if isinstance(source, PageSource | SearchSource):
        most = most or MOST_OF_THE_WEB
    if isinstance(source, PageSource):
        offered = _of_pages(source, index, fetcher, settings, most or MOST_OF_THE_WEB)
    elif isinstance(source, SearchSource):
        offered = _of_search(source, index, fetcher, keys, most or MOST_OF_THE_WEB)
    elif isinstance(source, UrlsSource):
        offered = _of_list(source, index)
    else:
        offered = _of_folder(source, index)
    return list(_limited(without_repeats(offered), most))


def _limited(offered: Iterable[Candidate], most: int | None) -> Iterator[Candidate]:
    taken = 0
    for candidate in offered:
        taken += not candidate.status
        if most is not None and taken > most and not candidate.status:
            yield _over(candidate, f"at most {most:,} pictures of a source are taken (max_images)")
        else:
            yield candidate


def _over(candidate: Candidate, detail: str) -> Candidate:
    return replace(candidate, status="skipped", reason="limit", detail=detail)


def pictures_in(source: FolderSource) -> list[Path]:
    """The picture files that a folder offers, its own before those of folders in it.

    Raises:
        MissingInputError: no such folder.
    """
    folders = [source.location]
    if source.recursive:
        folders += sorted(p for p in source.location.rglob("*") if p.is_dir() and not p.is_symlink())
    return [file for folder in folders for file in images.list_images(folder)]


def _of_folder(source: FolderSource, index: int) -> Iterator[Candidate]:
    for file in pictures_in(source):
        yield Candidate(str(file), str(source.location), index, source.licence)


def _of_list(source: UrlsSource, index: int) -> Iterator[Candidate]:
    path = source.location
    if path.stat().st_size > _MAX_LIST_BYTES:
        raise CatalogError(f"{path}: expected at most {_MAX_LIST_BYTES:,} bytes, got {path.stat().st_size:,}")
    for row in read_list(path):
        url = row["url"]
        address = address_of(url, "")
        page, licence = row.get("page") or "", row.get("licence") or source.licence
        if address is None:
            detail = f"expected an http or https address, got {url[:200]!r}"
            yield Candidate(url[:2000], page, index, licence, status="skipped", reason="scheme", detail=detail)
        else:
            yield Candidate(address, page, index, licence)


def _of_search(source: SearchSource, index: int, fetcher: Fetcher, keys: SearchKeys, most: int) -> Iterator[Candidate]:
    label = f"search:{source.provider}:{source.query}"
    try:
        given = 0
        for given, candidate in enumerate(search(source, index, fetcher, keys, most), 1):  # noqa: B007  counted below
            yield candidate
        if given == most < source.limit:
            detail = f"{source.limit:,} pictures are asked for, at most {most:,} of a source are taken (max_images)"
            yield _over(Candidate(label, source.query, index), detail)
    except FetchFailed as failure:
        yield _unreadable(failure, label, index, source.query)


def _of_pages(
    source: PageSource, index: int, fetcher: Fetcher, settings: CrawlSettings, most: int
) -> Iterator[Candidate]:
    """The first page, the listing pages that follow it and the product pages they name, all on one host; a page that is
    not read because there are enough pages or pictures is skipped, and says so."""
    limit = min(source.max_pages, settings.max_pages)
    start = address_of(source.url, "") or source.url
    hosts = {urlsplit(start).hostname}
    waiting, known, offered = [start], {start}, set[str]()
    read, number = 0, 1
    numbered: set[str] = set()
    while waiting and read < limit and len(offered) < most:
        url = waiting.pop(0)
        read += 1
        found: list[Candidate] = []
        further: list[str] = []
        try:
            answer = fetcher.get(url, max_bytes=settings.max_page_bytes, accept=_ACCEPT_PAGE)
            known.add(answer.final_url)
            if url == start:
                hosts.add(urlsplit(answer.final_url).hostname)  # shop.example may have sent us to www.shop.example
            found, further = _read(answer, source, index)
        except FetchFailed as failure:
            if url in numbered and failure.reason == "not_found":
                continue  # the usual end of a numbered listing
            found = [_unreadable(failure, url, index, "", first=url == start)]
        new = [candidate for candidate in found if candidate.url not in offered]
        offered.update(candidate.url for candidate in new)
        yield from new
        if source.next_pattern and (url == start or url in numbered) and any(not c.status for c in new):
            number += 1
            page = source.next_pattern.replace("{page}", str(number))
            numbered.add(address_of(page, "") or page)
            further = [*further, address_of(page, "") or page]
        for page in further:
            if page not in known and urlsplit(page).hostname in hosts:
                known.add(page)
                waiting.append(page)
    full = f"{most:,} pictures (max_images)" if len(offered) >= most else f"{limit:,} pages (max_pages)"
    for page in waiting:
        yield _over(Candidate(page, source.url, index), f"this page was not read: at most {full} of a source are taken")


def _read(answer: Answer, source: PageSource, index: int) -> tuple[list[Candidate], list[str]]:
    kind, _, parameters = answer.headers.get("Content-Type", "text/html").partition(";")
    if kind.strip().lower() not in ("text/html", "application/xhtml+xml", "text/plain", "application/octet-stream", ""):
        raise FetchFailed("not_html", f"expected HTML, got {kind.strip()[:100]!r}", final_url=answer.final_url)
    if opts_out(answer.robots_tags, OF_A_PAGE):
        raise FetchFailed("opt_out", "X-Robots-Tag", http_status=answer.http_status, final_url=answer.final_url)
    content = read_page(answer.body, answer.final_url, _charset(parameters))
    if content.opted_out:
        raise FetchFailed("opt_out", "the page says noai, noimageai or noimageindex", final_url=answer.final_url)
    following = [] if content.is_product else [content.next_page or answer.links.get("next", "")]
    further = [page for page in (*following, *content.products) if page]
    addresses = content.structured if source.images == "structured" else [*content.structured, *content.others]
    if not addresses and not further:
        raise FetchFailed("no_pictures", "no picture in the page", final_url=answer.final_url, http_status=200)
    return [Candidate(a, answer.final_url, index, source.licence) for a in addresses], further


def _charset(parameters: str) -> str | None:
    for part in parameters.split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset" and value.strip(" \"'").isascii():
            return value.strip(" \"'") or None
    return None


def _unreadable(failure: FetchFailed, url: str, index: int, page: str, first: bool = True) -> Candidate:
    """A row for a page or search that gave nothing.

    Raises:
        HostUnavailable: the source itself, which may be back later.
    """
    if first and failure.reason in HEALABLE:
        raise HostUnavailable(f"source {url}: {failure}", failure.retry_after) from None
    return Candidate(
        url,
        page,
        index,
        status=failure.status,
        reason=failure.reason,
        detail=failure.detail,
        http_status=failure.http_status,
    )


def without_repeats(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each address once, as the first source gave it that has room for it."""
    found: dict[str, Candidate] = {}
    for candidate in candidates:
        if found.setdefault(candidate.url, candidate).reason == "limit":
            found[candidate.url] = candidate
    return list(found.values())
