"""A product or listing page, the listing pages that follow it and the product pages they name, all on one host."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from urllib.parse import urlsplit

from fittingroom.catalog import PageSource
from fittingroom.crawl.candidates import Candidate, over_limit
from fittingroom.crawl.html.pages import read_page
from fittingroom.crawl.html.urls import address_of
from fittingroom.crawl.http.failures import FetchFailed
from fittingroom.crawl.http.fetcher import Answer
from fittingroom.crawl.http.opt_out import OF_A_PAGE
from fittingroom.crawl.settings import MOST_OF_THE_WEB
from fittingroom.crawl.sources.source import Asking, Source

_ACCEPT = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1"
_HTML = ("text/html", "application/xhtml+xml", "text/plain", "application/octet-stream", "")


class Pages(Source[PageSource], of=PageSource):
    """A page that is not read because there are enough pages or pictures is skipped, and says so."""

    most = MOST_OF_THE_WEB

    def discover(self, asking: Asking) -> Iterator[Candidate]:
        limit, most = min(self.entry.max_pages, asking.settings.max_pages), asking.most or MOST_OF_THE_WEB
        start = address_of(self.entry.url, "") or self.entry.url
        hosts = {urlsplit(start).hostname}
        waiting, known, numbered, offered = [start], {start}, set[str](), set[str]()
        read, number = 0, 1
        while waiting and read < limit and len(offered) < most:
            url = waiting.pop(0)
            read += 1
            further: list[str] = []
            try:
                answer = asking.fetcher.get(url, max_bytes=asking.settings.max_page_bytes, accept=_ACCEPT)
                known.add(answer.final_url)
                if url == start:
                    hosts.add(urlsplit(answer.final_url).hostname)  # shop.example sends us to www.shop.example
                found, further = self._read(answer)
            except FetchFailed as failure:
                if url in numbered and failure.reason == "not_found":
                    continue  # the usual end of a numbered listing
                found = [self.unreadable(failure, url, first=url == start)]
            new = [candidate for candidate in found if candidate.url not in offered]
            offered.update(candidate.url for candidate in new)
            yield from new
            if self.entry.next_pattern and (url == start or url in numbered) and any(not c.status for c in new):
                number += 1
                page = self.entry.next_pattern.replace("{page}", str(number))
                further.append(address_of(page, "") or page)
                numbered.add(further[-1])
            for page in further:
                if page not in known and urlsplit(page).hostname in hosts:
                    known.add(page)
                    waiting.append(page)
        full = f"{most:,} pictures (max_images)" if len(offered) >= most else f"{limit:,} pages (max_pages)"
        for page in waiting:
            detail = f"this page was not read: at most {full} of a source are taken"
            yield over_limit(Candidate(page, self.entry.url, self.index), detail)

    def _read(self, answer: Answer) -> tuple[list[Candidate], list[str]]:
        """What a page offers, and the pages that it leads to.

        Raises:
            FetchFailed: nothing that may be taken.
        """
        head = Message()
        head["Content-Type"] = answer.headers.get("Content-Type", "text/html")[:500]  # parsed in quadratic time
        kind = head["Content-Type"].partition(";")[0].strip().lower()
        if kind not in _HTML:
            raise FetchFailed("not_html", f"expected HTML, got {kind[:100]!r}", final_url=answer.final_url)
        answer.check_opt_out(OF_A_PAGE)
        content = read_page(answer.body, answer.final_url, (head.get_content_charset() or "").strip("'"))
        if content.opted_out:
            raise FetchFailed(
                "opt_out", "the page says noai, noimageai, noimageindex or tdm-reservation", final_url=answer.final_url
            )
        following = [] if content.is_product else [content.next_page or answer.links.get("next", "")]
        further = [page for page in (*following, *content.products) if page]
        addresses = content.structured if self.entry.images == "structured" else content.structured + content.others
        if not addresses and not further:
            raise FetchFailed("no_pictures", "no picture in the page", final_url=answer.final_url, http_status=200)
        return [self.candidate(address, answer.final_url) for address in addresses], further
