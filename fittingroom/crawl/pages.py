"""The pictures of one HTML page, the page that follows it, and the product pages that it lists.

Read are JSON-LD (`structured`), microdata, Open Graph and Twitter cards, and every way a browser is told of a picture:
``<img>`` with srcset and the lazy loaders' attributes, ``<picture>``, ``<noscript>`` and inline background images. Of
the several sizes of one picture only the largest is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from bs4 import BeautifulSoup, Tag

from fittingroom.crawl.structured import read_json_ld

MAX_PICTURES = 5000
"""Pictures taken from one page."""

_OPT_OUT = frozenset({"noai", "noimageai", "noimageindex"})
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
_LAZY_SETS = ("data-srcset", "data-lazy-srcset", "data-original-set")
_TYPES = ("image/jpeg", "image/jpg", "image/png", "image/webp", "image/avif", "image/gif")
_BACKGROUND = re.compile(r"""background(?:-image)?\s*:[^;]*?url\(\s*(?:"([^"]*)"|'([^']*)'|([^)"']*))\s*\)""", re.I)


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
    """Read the page that came from ``url``."""
    soup = BeautifulSoup(html, "lxml", from_encoding=charset)
    base = _base(soup, url)
    json_ld = read_json_ld(script.string or script.get_text() for script in soup.find_all("script", type=_is_json_ld))
    structured = [*json_ld.pictures, *_microdata(soup)]
    others = [*_cards(soup), *_elements(soup)]
    first = _absolute(structured, base)
    return PageContent(
        structured=first,
        others=[address for address in _absolute(others, base) if address not in set(first)],
        next_page=next(iter(_absolute(_next(soup), base)), ""),
        products=_absolute(json_ld.pages, base),
        opted_out=_opted_out(soup),
    )


def _is_json_ld(value: str | None) -> bool:
    return bool(value) and str(value).partition(";")[0].strip().lower() == "application/ld+json"


def _base(soup: BeautifulSoup, url: str) -> str:
    tag = soup.find("base", href=True)
    try:
        return urljoin(url, _text(tag, "href")) if isinstance(tag, Tag) else url
    except ValueError:
        return url


def _text(tag: Tag, name: str) -> str:
    value = tag.get(name)
    return value.strip() if isinstance(value, str) else ""


def _words(tag: Tag, name: str) -> list[str]:
    value = tag.get(name)
    return (" ".join(value) if isinstance(value, list) else str(value or "")).lower().split()


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


def _microdata(soup: BeautifulSoup) -> Iterator[str]:
    """``itemprop=image`` inside a schema.org Product (https://schema.org/Product, HTML's microdata section)."""
    for tag in soup.find_all(itemprop=True):
        if "image" not in _words(tag, "itemprop"):
            continue
        scope = tag.find_parent(itemscope=True)
        kind = _text(scope, "itemtype").rstrip("/").rpartition("/")[2] if scope else ""
        if kind == "ImageObject" or not kind.startswith(("Product", "IndividualProduct", "SomeProducts")):
            continue
        if tag.has_attr("itemscope"):
            for inner in tag.find_all(itemprop=["contentUrl", "url"]):
                yield _text(inner, "content") or _text(inner, "href") or _text(inner, "src")
        elif tag.name == "img":
            yield _largest_of(tag)
        else:
            yield _text(tag, "content") or _text(tag, "href") or _text(tag, "src")


_CARDS = ("og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src")


def _cards(soup: BeautifulSoup) -> Iterator[str]:
    for tag in soup.find_all("meta", content=True):
        if (_text(tag, "property") or _text(tag, "name")).lower() in _CARDS:
            yield _text(tag, "content")


def _elements(soup: BeautifulSoup) -> Iterator[str]:
    for tag in soup.find_all(["img", "picture", "noscript"]):
        if tag.name == "picture":
            yield _largest_of_picture(tag)
        elif tag.name == "noscript":
            if not tag.find(True) and "<img" in tag.get_text():  # a parser that kept its content as text
                yield from _elements(BeautifulSoup(tag.get_text()[:100_000], "lxml"))
        elif tag.find_parent("picture") is None and not _is_tiny(tag):
            yield _largest_of(tag)
    for tag in soup.find_all(style=_BACKGROUND):
        for match in _BACKGROUND.finditer(_text(tag, "style")):
            yield next(group for group in match.groups() if group is not None)


def _is_tiny(tag: Tag) -> bool:
    """A tracking pixel by its own words."""
    return _text(tag, "width").removesuffix("px") in ("0", "1") or _text(tag, "height").removesuffix("px") in ("0", "1")


def _largest_of(tag: Tag) -> str:
    """The largest picture that an ``<img>`` offers, or the empty string."""
    for name in _LARGE:
        if _text(tag, name) and "." in _text(tag, name):
            return _text(tag, name)
    sets = [*_LAZY_SETS, "srcset"]
    offered = [one for name in sets for one in parse_srcset(_text(tag, name))]
    if offered:
        return max(offered, key=lambda one: one[1])[0]  # the first of equals
    for name in (*_LAZY, "src"):
        if _text(tag, name):
            return _text(tag, name)
    return ""


def _largest_of_picture(tag: Tag) -> str:
    offered: list[tuple[str, float]] = []
    for source in tag.find_all("source"):
        kind = _text(source, "type").lower()
        if not kind or kind in _TYPES:
            for name in ("srcset", *_LAZY_SETS):
                offered += parse_srcset(_text(source, name))
    image = tag.find("img")
    if isinstance(image, Tag):
        for name in ("srcset", *_LAZY_SETS):
            offered += parse_srcset(_text(image, name))
    if offered:
        return max(offered, key=lambda one: one[1])[0]
    return _largest_of(image) if isinstance(image, Tag) else ""


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


def _next(soup: BeautifulSoup) -> Iterator[str]:
    for tag in soup.find_all(["link", "a"], href=True):
        if "next" in _words(tag, "rel"):
            yield _text(tag, "href")


def _opted_out(soup: BeautifulSoup) -> bool:
    for tag in soup.find_all("meta", content=True):
        if _text(tag, "name").lower() in ("robots", "fittingroombot"):
            words = set(re.split(r"[\s,]+", _text(tag, "content").lower()))
            if words & _OPT_OUT:
                return True
    return False
