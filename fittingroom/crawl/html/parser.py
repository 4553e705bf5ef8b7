"""What an HTML parser meets on a page, looked at once and no tree built: the page's author may mean harm."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import NamedTuple

from fittingroom.crawl.html.attributes import (
    is_picture_file,
    largest_of,
    offered,
    other_views,
    size_of,
    told_of,
    zoomed,
)
from fittingroom.crawl.html.decoration import is_decoration
from fittingroom.crawl.html.structured import addresses_in
from fittingroom.crawl.html.urls import backgrounds
from fittingroom.crawl.http.opt_out import OF_A_PAGE, opts_out, reserves
from fittingroom.crawl.settings import ROBOT_NAME

MAX_PICTURES = 5000
"""Pictures taken from one page."""
MAX_ELEMENTS = 300_000
MAX_SECONDS = 10.0
"""Beyond these a page is read no further; what was found until then counts."""

_CARDS = frozenset({"og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src"})
_PICTURES = frozenset({"img", "amp-img", "amp-anim", "source", "meta", "link", "script", "style"})
"""Elements whose attributes are read by themselves."""
_TYPES = ("image/jpeg", "image/jpg", "image/png", "image/webp", "image/avif", "image/gif")
_PRODUCT = ("Product", "IndividualProduct", "SomeProducts")
_PRODUCT_IN_RDFA = re.compile(r"(?:^|[\s:/])(?:Product|IndividualProduct|SomeProducts)(?:\s|$)")
_DATA = ("application/json", "text/x-magento-init")
_OPT_OUTS = frozenset({"robots", ROBOT_NAME.lower(), "x-robots-tag"})
"""Names of meta elements that speak to us."""
_CHROME = frozenset({"nav", "footer", "header"})
_DRAWING = re.compile(r"\.svgz?(?:[?#]|$)", re.I)
_ASIDE = frozenset({"isrelatedto", "issimilarto", "isaccessoryorsparepartfor", "isconsumablefor", "addon"})


class Enough(Exception):
    """The page is too large or takes too long."""


class _Inside(NamedTuple):
    """What an element stands in."""

    scope: str = ""
    """The innermost microdata scope: "product", "picture" (of a product), "aside" or nothing of interest."""
    product: bool = False
    """Some scope is a product's."""
    link: str = ""
    """The large picture that a link leads to: what is shown inside is its thumbnail."""
    chrome: bool = False
    amp: bool = False
    """What stands inside of an AMP picture is its fallback."""


class Page:
    """A parser's target; addresses as written, in the page's order."""

    def __init__(self) -> None:
        self.base = ""
        self.next: list[str] = []
        """What links call the next page."""
        self.names: list[str] = []
        """What the page calls its own address."""
        self.is_product = False
        """Its card says that it is about a product."""
        self.products_marked_up = 0
        """Products that microdata describe, related ones not counted."""
        self.json_ld: list[str] = []
        """Contents of JSON-LD scripts."""
        self.scripts: list[str] = []
        """Contents of scripts that hold a page's data as JSON."""
        self.structured: list[str] = []
        """Pictures that microdata call a product's."""
        self.cards: list[str] = []
        self.pictures: list[str] = []
        self.chrome: list[str] = []
        """Pictures in the page's header, footer and navigation, and drawings."""
        self.frames: list[str] = []
        self.opted_out = False
        self._elements, self._until = 0, time.monotonic() + MAX_SECONDS
        self._open = [_Inside()]
        """The open elements, the page itself first."""
        self._choice: list[tuple[str, float]] | None = None
        """What the open ``<picture>`` offers; None outside of one."""
        self._choice_depth = 0
        self._fallback: Mapping[str, str] = {}
        self._text: list[str] | None = None
        self._text_goes_to: list[str] | None = None

    # What the parser calls.

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element opens."""
        self._elements += 1
        if self._elements > MAX_ELEMENTS or (self._elements % 256 == 0 and time.monotonic() > self._until):
            raise Enough
        here = self._open[-1]
        got = {name: value.strip() for name, value in attributes.items()}
        if _PRODUCT_IN_RDFA.search(got.get("typeof", "")[:200]):
            self.products_marked_up += 1
        if "itemprop" in got or "itemscope" in got:
            here = self._microdata(tag, got, here)
        if tag == "img" and not here.amp:
            self._image(got)
        elif tag in ("amp-img", "amp-anim"):
            here = here._replace(amp=True)
            self._image({name: value for name, value in got.items() if name not in ("width", "height")})  # a ratio
        elif tag == "picture" and self._choice is None:
            self._choice, self._choice_depth, self._fallback = [], len(self._open), {}
        elif tag == "source" and self._choice is not None:
            if got.get("type", "").lower() in ("", *_TYPES):
                self._choice += offered(got, media=got.get("media", ""))
        elif tag == "meta":
            self._meta(got)
        elif tag in ("a", "link"):
            here = here._replace(link=self._link(tag, got) or here.link)
        elif tag == "base" and not self.base:
            self.base = got.get("href", "")
        elif tag == "frame" and got.get("src"):
            self.frames.append(got["src"])
        elif tag in ("script", "style"):
            self._open_text(tag, got)
        elif tag in _CHROME:
            here = here._replace(chrome=True)
        self._open.append(here)
        if "style" in got:
            self._take(backgrounds(got["style"][:5000]), got)
        if tag not in _PICTURES:
            self._told_by_data(got)

    def data(self, text: str) -> None:
        """Text, which matters inside scripts and styles only."""
        if self._text is not None:
            self._text.append(text)

    def end(self, tag: str) -> None:
        """An element closes."""
        if tag in ("script", "style") and self._text is not None and self._text_goes_to is not None:
            text = "".join(self._text)
            if tag == "style":
                self._take(backgrounds(text[:200_000]), {})
            else:
                self._text_goes_to.append(text)
            self._text = None
        if self._choice is not None and tag == "picture" and len(self._open) - 1 <= self._choice_depth:
            offers, fallback = self._choice, self._fallback
            best = zoomed(fallback) or (max(offers, key=size_of)[0] if offers else largest_of(fallback))
            self._choice = None
            self._take([self._open[-1].link or best], self._fallback)
        if len(self._open) > 1:
            self._open.pop()

    def comment(self, text: str) -> None:
        """A comment."""

    def close(self) -> None:
        """The page is over."""

    # What the elements mean.

    def _take(self, addresses: list[str], got: Mapping[str, str]) -> None:
        for address in addresses:
            if address and len(self.pictures) < MAX_PICTURES * 2 and not is_decoration(address, got):
                self.pictures.append(address)
                if self._open[-1].chrome or _DRAWING.search(address):
                    self.chrome.append(address)

    def _image(self, got: Mapping[str, str]) -> None:
        if self._choice is not None:
            self._choice += offered(got)
            self._fallback = self._fallback or got
        else:
            self._take([self._open[-1].link or largest_of(got), *other_views(got)], got)

    def _told_by_data(self, got: Mapping[str, str]) -> None:
        """Pictures in the data attributes of an element that shows none itself."""
        self._take([told_of(got)], got)
        self.scripts += [
            value for name, value in got.items() if name.startswith("data-") and value.startswith(("[", "{"))
        ]

    def _link(self, tag: str, got: Mapping[str, str]) -> str:
        """The picture that a link leads to, if it does."""
        relations, address = got.get("rel", "").lower().split(), got.get("href", "")
        if "next" in relations and len(self.next) < 10:
            self.next.append(address)
        if tag == "link" and "canonical" in relations:
            self.names.append(address)
        large = "" if tag == "link" else zoomed(got) or (address if is_picture_file(address) else told_of(got))
        if tag == "link" and "image_src" in relations:
            self.cards.append(address)
        elif tag == "link" and "preload" in relations and got.get("as", "").lower() == "image":
            self._take([largest_of(got) or address], got)
        return large

    def _open_text(self, tag: str, got: Mapping[str, str]) -> None:
        kind = got.get("type", "").partition(";")[0].strip().lower()
        if tag == "style":
            self._text, self._text_goes_to = [], []
        elif kind == "application/ld+json":
            self._text, self._text_goes_to = [], self.json_ld
        elif kind in _DATA:
            self._text, self._text_goes_to = [], self.scripts

    def _meta(self, got: Mapping[str, str]) -> None:
        name, content = (got.get("property") or got.get("name", "")).lower(), got.get("content", "")
        if _OPT_OUTS & {name, got.get("name", "").lower(), got.get("http-equiv", "").lower()}:
            self.opted_out = self.opted_out or opts_out([content], OF_A_PAGE)
        if "tdm-reservation" in (name, got.get("http-equiv", "").lower()):
            self.opted_out = self.opted_out or reserves(content)
        if name in _CARDS:
            self.cards.append(content)
        elif name == "og:url":
            self.names.append(content)
        elif name == "og:type":
            self.is_product = content.lower().rpartition(":")[2].strip() in ("product", "product.item")

    def _microdata(self, tag: str, got: Mapping[str, str], here: _Inside) -> _Inside:
        """``itemprop=image`` of a schema.org Product (https://schema.org/Product; HTML's microdata section)."""
        properties, scope = got.get("itemprop", "").lower().split(), here.scope
        address = largest_of(got) if tag == "img" else got.get("content") or got.get("href") or got.get("src") or ""
        is_picture = "image" in properties and scope == "product"
        if "itemscope" in got:
            kind = got.get("itemtype", "").rstrip("/").rpartition("/")[2]
            is_product = kind.startswith(_PRODUCT) and not _ASIDE & set(properties) and scope != "aside"
            aside = scope == "aside" or (kind.startswith(_PRODUCT) and not is_product)
            if is_product and not here.product:
                self.products_marked_up += 1
            of = "product" if is_product else "aside" if aside else "picture" if is_picture else ""
            return here._replace(scope=of, product=here.product or is_product)
        if is_picture or (scope == "picture" and {"contenturl", "url"} & set(properties)):
            self.structured += addresses_in(address)
        return here
