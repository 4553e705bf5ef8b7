"""Which picture an element's attributes offer: the browser's own, and the many of scripts that load pictures late or
show them large.

There is no standard for those, so they are told by what they hold, a picture's address, and by the words of their
names: ``data-zoom-image`` and ``data-src-hires`` name a large one, ``data-thumb`` a small one, ``data-hover`` another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from fittingroom.crawl.html.urls import in_url, parse_srcset

_STANDARD = frozenset({
    "src", "href", "srcset", "alt", "class", "id", "style", "title", "width", "height", "sizes", "type", "rel", "name",
    "value", "action", "content", "itemtype", "itemid", "longdesc",
    "cite", "placeholder", "label", "poster", "background",
})  # fmt: skip
_SETS = ("data-srcset", "data-lazy-srcset", "data-original-set", "imagesrcset", "srcset")
_LAZY = ("data-src", "data-lazy-src", "data-original", "data-lazy", "data-image", "data-defer-src", "data-url")
"""Names that hold a picture's address whatever it looks like."""
_LARGE = re.compile(
    r"zoom|large|big|hi-?res|high-?res|full|magnif|\bx+l\b|huge|retina|rjs|master|fancybox|lightbox|\b2x\b"
)
_SMALL = re.compile(
    r"thumb|small|tiny|\bmini|placeholder|preview|blur|\blow|lqip|fallback|error|swatch|icon|logo|flag|empty|loading|"
    r"loader|\bpin|share"
)
_OTHER = re.compile(r"hover|rollover|\balt-|alternat|second|\bback\b|flip|swap|mouse")
"""Another view of what is shown."""
_NO_PICTURE = re.compile(r"name|title|caption|label|text|sku|desc|track|-(?:id|key|alt)$")
"""A file's name in one of these is no address."""
_PICTURE_FILE = re.compile(r"\.(?:jpe?g|png|webp|avif|gif)(?:[?#]|$)", re.I)
_ADDRESS = re.compile(r"[^\s{}\[\]\"'<>/\\?]*+[/\\?][^\s{}\[\]\"'<>]++")
_ABOUT_A_PICTURE = re.compile(r"\bbg|background|src|lazy|img|image")
_ONE_ADDRESS = re.compile(r"[^\s{}\"<>][^{}\"<>\r\n]*")
_BACKGROUND = re.compile(r"\bbg|background")
_WIDTH = re.compile(r"%7Bwidth%7D|\{width\}", re.I)
_WIDEST = 2048
_LONGEST = 4000


def is_picture_file(address: str) -> bool:
    """Whether ``address`` ends like a picture's file."""
    return len(address) <= _LONGEST and bool(_PICTURE_FILE.search(address))


def size_of(offer: tuple[str, float]) -> float:
    """The size of an offer, to compare by."""
    return offer[1]


def offered(got: Mapping[str, str], media: str = "") -> list[tuple[str, float]]:
    """Every address and size that an element's sets of sources offer; of equal sizes, that for wide screens is first
    where a ``<source>`` says for which it is (``media``)."""
    names = [*_SETS, *(name for name in got if name.endswith(("srcset", "bgset")) and name not in _SETS)]
    found = [offer for name in names if got.get(name) for offer in parse_srcset(got[name])]
    if "data-a-dynamic-image" in got:
        try:
            sizes = json.loads(got["data-a-dynamic-image"])
            found += [(str(address), float(max(size))) for address, size in sizes.items()]
        except (ValueError, TypeError, AttributeError, RecursionError):
            pass
    wide = _width_of(media)
    return [(address, size + wide) for address, size in found if not address.startswith("data:")]


def _width_of(media: str) -> float:
    """A fraction that only tells offers of one size apart."""
    widths = [float(width) for width in re.findall(r"\d{1,5}", media[:500])]
    width = min(max(widths, default=0.0), 9999.0) / 20_000
    return width - 0.5 if "max-width" in media or "print" in media or not media else width


def zoomed(got: Mapping[str, str]) -> str:
    """The large picture that an element offers to look closely at, or the empty string."""
    return next((value for name, value in _pictures(got) if _LARGE.search(name)), "")


def largest_of(got: Mapping[str, str]) -> str:
    """The largest picture that an ``<img>`` or ``<link>`` offers, or the empty string."""
    large = zoomed(got)
    if large:
        return large
    sets = offered(got)
    if sets:
        return max(sets, key=size_of)[0]  # the first of equals
    lazy = [got[name] for name in _LAZY if got.get(name) and not got[name].startswith(("[", "{"))]
    lazy += [value for name, value in _pictures(got) if not _SMALL.search(name) and not _OTHER.search(name)]
    address = next((one for one in [*lazy, got.get("src", "")] if one), "")
    widths = [int(width) for width in re.findall(r"\d{2,4}", got.get("data-widths", "")[:500])]
    return _WIDTH.sub(str(max(widths, default=_WIDEST)), address)


def other_views(got: Mapping[str, str]) -> list[str]:
    """Pictures that an ``<img>`` shows when pointed at."""
    found = [(name, value) for name, value in _pictures(got) if _OTHER.search(name)]
    return [value for name, value in found if not _LARGE.search(name) and not _SMALL.search(name)]


def told_of(got: Mapping[str, str]) -> str:
    """The largest picture that the data attributes of another element hold, or the empty string."""
    found = [(name, value) for name, value in _pictures(got) if name.startswith("data-")]
    large = (value for name, value in found if _LARGE.search(name))
    files = (v for n, v in found if (is_picture_file(v) or _BACKGROUND.search(n)) and not _SMALL.search(n))
    return next(large, "") or next(files, "")


def _pictures(got: Mapping[str, str]) -> list[tuple[str, str]]:
    """Attributes that hold a picture's address and are not meant for the browser itself."""
    found = []
    for name, value in got.items():
        if name in _STANDARD or name.startswith("on") or not 3 < len(value) <= _LONGEST or _NO_PICTURE.search(name):
            continue
        address = in_url(value)
        telling = _LARGE.search(name) or _ABOUT_A_PICTURE.search(name)
        if not address.startswith("data:") and (
            (is_picture_file(address) and _ONE_ADDRESS.fullmatch(address)) or (telling and _ADDRESS.fullmatch(address))
        ):
            found.append((name, address))
    return found
