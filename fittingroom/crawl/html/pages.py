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
from functools import partial

from lxml import etree

from fittingroom.crawl.html.charsets import decode_page
from fittingroom.crawl.html.decoration import is_decoration
from fittingroom.crawl.html.page_data import pictures_in_data
from fittingroom.crawl.html.parser import MAX_PICTURES, Enough, Page
from fittingroom.crawl.html.structured import read_json_ld
from fittingroom.crawl.html.urls import address_of
from fittingroom.crawl.html.variants import largest_of_each

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
    is_product: bool = False
    """The page is about one product: what follows it is another product, no more of this one."""
    opted_out: bool = False
    """The page says noai, noimageai or noimageindex, or reserves its rights."""


def read_page(html: bytes, url: str, charset: str | None = None) -> PageContent:
    """Read the page that came from ``url``; ``charset`` is what its Content-Type said."""
    page = Page()
    parser = etree.HTMLParser(target=page, encoding="utf-8")
    text, codec = decode_page(html, charset)
    utf8 = text.replace("\0", "").encode("utf-8", "replace")
    try:
        for start in range(0, len(utf8), _FEED):
            parser.feed(utf8[start : start + _FEED])
        parser.close()
    except (Enough, etree.LxmlError, AssertionError):
        pass  # a page without any element, or more than enough: what was found counts
    base = address_of(page.base, url) or url
    absolute = partial(_absolute, base=base, codec=codec)
    here = {_page(name) for address in (url, *absolute(page.names)) for name in (address, address.partition("?")[0])}
    json_ld = read_json_ld(page.json_ld, lambda address: _page(address_of(address, base) or "") in here)
    about_one = json_ld.is_product or page.is_product or (not json_ld.names_products and page.products_marked_up == 1)
    # Where JSON-LD tells the product of the page from others, microdata that do not are not asked.
    first = absolute(
        [*json_ld.pictures, *([] if json_ld.is_product and page.products_marked_up > 1 else page.structured)]
    )
    cards = [card for card in page.cards if not is_decoration(card, {})]
    if first:  # the product's pictures are known: a page's frame adds none, nor do scripts
        chrome = set(page.chrome)
        more = [address for address in page.pictures if address not in chrome]
    else:
        more = page.pictures + pictures_in_data(page.scripts)
    further = absolute([*cards, *more])
    best = largest_of_each([*first, *further])
    named = largest_of_each(first).keys()
    return PageContent(
        structured=[address for picture, address in best.items() if picture in named],
        others=[address for picture, address in best.items() if picture not in named],
        next_page=next((address for address in absolute(page.next) if _page(address) != _page(url)), ""),
        products=absolute([*json_ld.pages, *page.frames]),
        is_product=about_one,
        opted_out=page.opted_out,
    )


def _page(address: str) -> str:
    return address.partition("#")[0].rstrip("/?")


def _absolute(written: Iterable[str], base: str, codec: codecs.CodecInfo | None) -> list[str]:
    found: dict[str, None] = {}
    for one in written:
        address = address_of(one, base, codec)
        if address is not None:
            found.setdefault(address)
        if len(found) >= MAX_PICTURES:
            break
    return list(found)
