"""The pictures of one HTML page, the page that follows it, and the product pages that it lists.

Read are JSON-LD (`structured`), microdata, Open Graph and Twitter cards, and every way a browser is told of a picture
(`elements`): ``<img>`` with srcset and the lazy loaders' attributes, ``<picture>``, ``<noscript>``, links to a larger
picture, background images; where nothing names the product's pictures, also the data that scripts hold as JSON. Of
the several sizes of one picture only the largest is taken (`variants`), and nothing that only dresses the page
(`decoration`).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass, field

from bs4.dammit import EncodingDetector
from lxml import etree

from fittingroom.crawl.decoration import is_decoration
from fittingroom.crawl.elements import MAX_PICTURES, Enough, Page
from fittingroom.crawl.structured import pictures_in_data, read_json_ld
from fittingroom.crawl.variants import largest_of_each
from fittingroom.crawl.written import address_of

_FEED = 65_536


@dataclass(frozen=True)
class PageContent:
    """What one page offers: absolute addresses, each once, in the order of trust (structured data first)."""

    structured: list[str] = field(default_factory=list)
    """Pictures that JSON-LD or microdata call a product's."""
    others: list[str] = field(default_factory=list)
    """Pictures from cards, elements and scripts' data."""
    next_page: str = ""
    products: list[str] = field(default_factory=list)
    """Product pages that an ItemList names without showing a picture of them, and a frameset's pages."""
    opted_out: bool = False
    """The page says noai, noimageai or noimageindex."""


def read_page(html: bytes, url: str, charset: str | None = None) -> PageContent:
    """Read the page that came from ``url``; ``charset`` is what its Content-Type said."""
    page = Page()
    parser = etree.HTMLParser(target=_Target(page), encoding="utf-8")
    text = _as_utf8(html, charset)
    try:
        for start in range(0, len(text), _FEED):
            parser.feed(text[start : start + _FEED])
        parser.close()
    except (Enough, etree.LxmlError, AssertionError):
        pass  # a page without any element, or more than enough: what was found counts
    base = address_of(page.base, url) or url
    json_ld = read_json_ld(page.json_ld)
    first = _absolute([*json_ld.pictures, *page.structured], base)
    cards = [card for card in page.cards if not is_decoration(card, {})]
    if first:  # the product's pictures are known: a page's frame adds none, nor do scripts
        chrome = set(page.chrome)
        more = [address for address in page.pictures if address not in chrome]
    else:
        more = page.pictures + pictures_in_data(page.data)
    further = _absolute([*cards, *more], base)
    best = largest_of_each([*first, *further])
    named = largest_of_each(first).keys()
    return PageContent(
        structured=[address for picture, address in best.items() if picture in named],
        others=[address for picture, address in best.items() if picture not in named],
        next_page=next(iter(_absolute([page.next], base)), ""),
        products=_absolute([*json_ld.pages, *page.frames], base),
        opted_out=page.opted_out,
    )


class _Target:
    """lxml's names for what it meets."""

    def __init__(self, page: Page) -> None:
        self.start, self.end, self.data = page.start, page.end, page.data_met
        self.comment, self.close = page.comment, page.close


def _as_utf8(html: bytes, charset: str | None) -> bytes:
    """The page in UTF-8: whatever is said, what reads as UTF-8 is UTF-8; else by its header or its own word."""
    if html.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return html.decode("utf-16", "replace").replace("\0", "").encode()
    declared = EncodingDetector.find_declared_encoding(html[:4096], is_html=True)
    for name in ("utf-8", charset, declared, "cp1252"):
        try:
            if name and not codecs.lookup(name).name.startswith(("utf-16", "utf-32")):
                strict = codecs.lookup(name).name == "utf-8"
                return html.decode(name, "strict" if strict else "replace").replace("\0", "").encode()
        except (LookupError, UnicodeError):
            continue
    return html.decode("utf-8", "replace").replace("\0", "").encode()


def _absolute(written: Iterable[str], base: str) -> list[str]:
    found: dict[str, None] = {}
    for one in written:
        address = address_of(one, base)
        if address is not None:
            found.setdefault(address)
        if len(found) >= MAX_PICTURES:
            break
    return list(found)
