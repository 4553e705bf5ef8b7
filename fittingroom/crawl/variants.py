"""One picture at several sizes: how shops and image hosts write sizes into addresses, and which one is the largest.

An address is read as a picture (`Variant.picture`, the address without what only says its size) and a size in pixels;
an address that says no size is taken for the original, which no other size outdoes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from urllib.parse import parse_qsl, urlencode, urlsplit

_SIZES = frozenset({
    "w", "h", "width", "height", "wid", "hei", "imwidth", "imheight", "sw", "sh", "maxwidth", "maxheight", "max-w",
    "max-h", "mw", "mh", "size", "resize", "scl",
})  # fmt: skip
_HOW = frozenset({
    "q", "quality", "qlt", "dpr", "fit", "auto", "fm", "format", "fmt", "crop", "sm", "sfrm", "bg", "strip",
    "op_sharpen", "blur", "mode",
})  # fmt: skip
_LEAST = 30
"""Smaller numbers in a file's name are more likely a part of it than pixels."""

_WORDPRESS = re.compile(r"-(\d{2,5})x(\d{2,5})(?=\.\w{3,4}$)")
_SHOPIFY = re.compile(r"_(\d{2,5})?x(\d{2,5})?(?:_crop_\w+)?(?:@(\d)x)?(?=(?:\.progressive)?\.\w{3,4}$)")
_SHOPIFY_WORDS = re.compile(r"_(pico|icon|thumb|small|compact|medium|large|grande|master)(?=\.\w{3,4}$)")
_WORD_SIZES = {
    "pico": 16, "icon": 32, "thumb": 50, "small": 100, "compact": 160, "medium": 240, "large": 480, "grande": 600,
    "master": inf,
}  # fmt: skip
_AMAZON = re.compile(r"\._([A-Z0-9,_.%-]+)_(?=\.\w{3,4}$)")
_ETSY = re.compile(r"(?<=/il_)(\d{2,4}|full)x(N|\d{2,4}|full)(?=\.)")
_OPTIONS = re.compile(r"/(?:[a-z]{1,2}_[^/,]+,)*(?:[wh]_\d+)(?:,[a-z]{1,2}_[^/,]+)*(?=/)")
_CLOUDFLARE = re.compile(r"/cdn-cgi/image/[^/]+(?=/)")


@dataclass(frozen=True)
class Variant:
    """``address`` is ``picture`` at ``size`` pixels (of its longer named side)."""

    address: str
    picture: str
    size: float


def read_variant(address: str) -> Variant:
    """What the absolute ``address`` says of its picture's size."""
    parts = urlsplit(address)
    if parts.path.endswith("/_next/image") and (inner := dict(parse_qsl(parts.query)).get("url", "")):
        # Next.js' own image service: the picture is the one it is asked to shrink.
        original = read_variant(inner if "//" in inner[:8] else f"{parts.scheme}://{parts.netloc}{inner}")
        return Variant(address, original.picture, _largest(re.findall(r"[?&]w=(\d+)", address), otherwise=1))
    path, sizes = parts.path, list[float]()
    for pattern in (_WORDPRESS, _SHOPIFY, _SHOPIFY_WORDS, _AMAZON, _ETSY, _OPTIONS, _CLOUDFLARE):
        found = pattern.search(path)
        size = _size_in(found) if found else None
        if found and size is not None:
            sizes.append(size)
            path = path[: found.start()] + path[found.end() :]
    kept = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name.lower() in _SIZES:
            sizes.append(_largest(re.findall(r"\d+", value), otherwise=1))
        elif name.lower() not in _HOW:
            kept.append((name, value))
    picture = f"{parts.netloc.lower()}{path}?{urlencode(sorted(kept))}"
    return Variant(address, picture, max(sizes) if sizes else inf)


def _size_in(found: re.Match[str]) -> float | None:
    """Pixels that a part of a path says, or None where it says something else."""
    if found.re is _SHOPIFY_WORDS:
        return _WORD_SIZES[found[1]]
    if "full" in found[0]:
        return inf
    if found.re is _SHOPIFY:
        size = _largest([side for side in found.group(1, 2) if side], otherwise=0) * int(found[3] or 1)
    else:
        size = _largest(re.findall(r"\d+", found[0]), otherwise=1 if found.re in (_AMAZON, _CLOUDFLARE) else 0)
    return size if size >= _LEAST or found.re in (_AMAZON, _CLOUDFLARE) else None


def _largest(numbers: Iterable[str], otherwise: float) -> float:
    return max((float(number[:6]) for number in numbers), default=otherwise)


def largest_of_each(addresses: Iterable[str]) -> dict[str, str]:
    """Picture -> its largest address, in the order in which the pictures were first met."""
    best: dict[str, Variant] = {}
    for address in addresses:
        variant = read_variant(address)
        known = best.get(variant.picture)
        if known is None or variant.size > known.size:
            best[variant.picture] = variant
    return {picture: variant.address for picture, variant in best.items()}
