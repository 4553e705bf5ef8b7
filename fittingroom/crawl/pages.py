"""The pictures of one HTML page, the page that follows it, and the product pages that it lists.

Read are JSON-LD (`structured`), microdata, Open Graph and Twitter cards, and every way a browser is told of a picture:
``<img>`` with srcset and the lazy loaders' attributes, ``<picture>``, ``<noscript>`` and inline background images. Of
the several sizes of one picture only the largest is taken.

The page's author may mean harm, so no tree is built: elements are looked at once, as the parser meets them, and only so
many, for only so long.
"""

from __future__ import annotations

import codecs
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from bs4.dammit import EncodingDetector
from lxml import etree

from fittingroom.crawl.structured import read_json_ld

MAX_PICTURES = 5000
"""Pictures taken from one page."""
MAX_ELEMENTS = 300_000
MAX_SECONDS = 10.0
"""Beyond these a page is read no further; what was found until then counts."""

_OPT_OUT = frozenset({"noai", "noimageai", "noimageindex"})
_CARDS = frozenset({"og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src"})
_LAZY = ("data-src", "data-lazy-src", "data-original", "data-lazy", "data-image", "data-defer-src", "data-full-src")
_LARGE = (
    "data-zoom-image",
    "data-large_image",
    "data-large-image",
    "data-zoom",
    "data-full",
    "data-hires",
    "data-highres",
)
_SETS = ("data-srcset", "data-lazy-srcset", "data-original-set", "srcset")
_TYPES = ("image/jpeg", "image/jpg", "image/png", "image/webp", "image/avif", "image/gif")
_PRODUCT = ("Product", "IndividualProduct", "SomeProducts")
_BACKGROUND = re.compile(
    r"""background(?:-image)?\s{0,9}:[^;:]{0,200}?url\(\s{0,9}(?:"([^"]*)"|'([^']*)'|([^)"']*))\s{0,9}\)""", re.I
)
_FEED = 65_536


@dataclass(frozen=True)
class PageContent:
    """What one page offers: absolute addresses, each once, in the order of trust (structured data first)."""

    structured: list[str] = field(default_factory=list)
    """Pictures that JSON-LD or microdata call a product's."""
    others: list[str] = field(default_factory=list)
    """Pictures from cards and elements."""
    next_page: str = ""
    products: list[str] = field(default_factory=list)
    """Product pages that an ItemList names without showing a picture of them."""
    opted_out: bool = False
    """The page says noai, noimageai or noimageindex."""


def read_page(html: bytes, url: str, charset: str | None = None) -> PageContent:
    """Read the page that came from ``url``; ``charset`` is what its Content-Type said."""
    page = _Page()
    parser = etree.HTMLParser(target=page, encoding="utf-8")
    text = _as_utf8(html, charset)
    try:
        for start in range(0, len(text), _FEED):
            parser.feed(text[start : start + _FEED])
        parser.close()
    except (_Enough, etree.LxmlError, AssertionError):
        pass  # a page without any element, or more than enough: what was found counts
    base = address_of(page.base, url) or url
    json_ld = read_json_ld(page.scripts)
    first = _absolute([*json_ld.pictures, *page.structured], base)
    known = set(first)
    return PageContent(
        structured=first,
        others=[address for address in _absolute([*page.cards, *page.pictures], base) if address not in known],
        next_page=next(iter(_absolute([page.next], base)), ""),
        products=_absolute(json_ld.pages, base),
        opted_out=page.opted_out,
    )


def _as_utf8(html: bytes, charset: str | None) -> bytes:
    """The page in UTF-8: by its header, by its own word, or by what fits."""
    declared = EncodingDetector.find_declared_encoding(html[:4096], is_html=True)
    for name in (charset, declared, "utf-8", "cp1252"):
        try:
            if name and codecs.lookup(name).name != "utf-16":
                return html.decode(name, "strict" if name == "utf-8" else "replace").replace("\0", "").encode()
        except (LookupError, UnicodeError):
            continue
    return html.decode("utf-8", "replace").replace("\0", "").encode()


class _Enough(Exception):
    """The page is too large or takes too long."""


class _Page:
    """What the parser meets, in its order; addresses as written."""

    def __init__(self) -> None:
        self.base = self.next = ""
        self.scripts: list[str] = []
        self.structured: list[str] = []
        self.cards: list[str] = []
        self.pictures: list[str] = []
        self.opted_out = False
        self._elements, self._until = 0, time.monotonic() + MAX_SECONDS
        self._depth = 0
        self._scopes: list[tuple[int, str]] = []
        """Open microdata scopes: depth and kind, "product", "picture" (of a product) or nothing of interest."""
        self._choice: list[tuple[str, float]] | None = None
        """What the open ``<picture>`` offers; None outside of one."""
        self._choice_depth = 0
        self._fallback = ""
        self._script: list[str] | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """The parser opens an element."""
        self._elements += 1
        if self._elements > MAX_ELEMENTS or (self._elements % 256 == 0 and time.monotonic() > self._until):
            raise _Enough
        self._depth += 1
        got = {name: value.strip() for name, value in attributes.items()}
        if "itemprop" in got or "itemscope" in got:
            self._microdata(tag, got)
        if tag == "img":
            self._image(got)
        elif tag == "picture" and self._choice is None:
            self._choice, self._choice_depth, self._fallback = [], self._depth, ""
        elif tag == "source" and self._choice is not None:
            if got.get("type", "").lower() in ("", *_TYPES):
                self._choice += _offered(got)
        elif tag == "meta":
            self._meta(got)
        elif tag in ("a", "link") and not self.next and "next" in got.get("rel", "").lower().split():
            self.next = got.get("href", "")
        elif tag == "base" and not self.base:
            self.base = got.get("href", "")
        elif tag == "script" and got.get("type", "").partition(";")[0].strip().lower() == "application/ld+json":
            self._script = []
        if "style" in got and len(self.pictures) < MAX_PICTURES * 2:
            for match in _BACKGROUND.finditer(got["style"][:5000]):
                self.pictures.append(next(group for group in match.groups() if group is not None))

    def data(self, text: str) -> None:
        """The parser meets text."""
        if self._script is not None:
            self._script.append(text)

    def end(self, tag: str) -> None:
        """The parser closes an element."""
        if tag == "script" and self._script is not None:
            self.scripts.append("".join(self._script))
            self._script = None
        if self._choice is not None and tag == "picture" and self._depth <= self._choice_depth:
            self.pictures.append(max(self._choice, key=_size)[0] if self._choice else self._fallback)
            self._choice = None
        if self._scopes and self._scopes[-1][0] == self._depth:
            self._scopes.pop()
        self._depth -= 1

    def comment(self, text: str) -> None:
        """The parser meets a comment."""

    def close(self) -> None:
        """The parser is done."""

    def _image(self, got: Mapping[str, str]) -> None:
        if got.get("width", "").removesuffix("px") in ("0", "1") or got.get("height", "").removesuffix("px") in (
            "0",
            "1",
        ):
            return  # a tracking pixel by its own words
        if self._choice is not None:
            self._choice += _offered(got)
            self._fallback = self._fallback or _largest_of(got)
        elif len(self.pictures) < MAX_PICTURES * 2:
            self.pictures.append(_largest_of(got))

    def _meta(self, got: Mapping[str, str]) -> None:
        name, content = (got.get("property") or got.get("name", "")).lower(), got.get("content", "")
        if name in _CARDS:
            self.cards.append(content)
        elif name in ("robots", "fittingroombot") and _OPT_OUT & set(re.split(r"[\s,]+", content[:5000].lower())):
            self.opted_out = True

    def _microdata(self, tag: str, got: Mapping[str, str]) -> None:
        """``itemprop=image`` of a schema.org Product (https://schema.org/Product; HTML's microdata section)."""
        properties = got.get("itemprop", "").lower().split()
        scope = self._scopes[-1][1] if self._scopes else ""
        address = _largest_of(got) if tag == "img" else got.get("content") or got.get("href") or got.get("src") or ""
        is_picture = "image" in properties and scope == "product"
        if "itemscope" in got:
            kind = got.get("itemtype", "").rstrip("/").rpartition("/")[2]
            self._scopes.append(
                (self._depth, "product" if kind.startswith(_PRODUCT) else "picture" if is_picture else "")
            )
        elif is_picture or (scope == "picture" and {"contenturl", "url"} & set(properties)):
            self.structured.append(address)


def _size(offer: tuple[str, float]) -> float:
    return offer[1]


def _offered(got: Mapping[str, str]) -> list[tuple[str, float]]:
    return [offer for name in _SETS if name in got for offer in parse_srcset(got[name])]


def _largest_of(got: Mapping[str, str]) -> str:
    """The largest picture that an ``<img>`` offers, or the empty string."""
    for name in _LARGE:
        if "." in got.get(name, ""):
            return got[name]
    offered = _offered(got)
    if offered:
        return max(offered, key=_size)[0]  # the first of equals
    return next((got[name] for name in (*_LAZY, "src") if got.get(name)), "")


def address_of(written: str, base: str) -> str | None:
    """The absolute http(s) address, without fragment, that ``written`` stands for on a page at ``base``; or None."""
    written = "".join(written.split("\n")).replace("\t", "").strip()
    if not written or len(written) > 4000:
        return None
    try:
        address = urldefrag(urljoin(base, written)).url
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            return None
        parts.port  # noqa: B018  raises on a port that is none
    except ValueError:
        return None
    return quote(address, safe="%/:?#[]@!$&'()*+,;=~|")


def _absolute(written: Iterable[str], base: str) -> list[str]:
    found: dict[str, None] = {}
    for one in written:
        address = address_of(one, base)
        if address is not None:
            found.setdefault(address)
        if len(found) >= MAX_PICTURES:
            break
    return list(found)


_DESCRIPTOR = re.compile(r"(\d+(?:\.\d+)?)([wxh])$")


def parse_srcset(value: str) -> list[tuple[str, float]]:
    """Address and size of each candidate; widths count as they are, densities as if of a 1000-pixel slot.

    HTML's own rule is followed: an address runs to white space, so commas inside it (CDN options) belong to it, while
    commas at its end part it from the next candidate.
    """
    found: list[tuple[str, float]] = []
    at = 0
    while at < len(value) and len(found) < 100:
        match = re.compile(r"[\s,]*(\S+)").match(value, at)
        if match is None:
            break
        address, at = match[1], match.end()
        if address.endswith(","):
            found.append((address.rstrip(","), 1.0))
            continue
        stop = value.find(",", at)
        stop = len(value) if stop < 0 else stop
        size = 1.0
        for word in value[at:stop].split():
            descriptor = _DESCRIPTOR.match(word)
            if descriptor:
                size = float(descriptor[1]) * (1000 if descriptor[2] == "x" else 1)
        found.append((address, size))
        at = stop + 1
    return found
