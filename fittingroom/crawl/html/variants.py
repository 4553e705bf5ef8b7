"""One picture at several sizes: how shops and image hosts write sizes into addresses, and which one is the largest.

An address is read as a picture (`Variant.picture`, the address without what only says its size) and a size in pixels;
an address that says no size is taken for the original, which only one that calls itself larger (``zoom``) outdoes. A
folder's name that says a size (``/small/``, ``/363x/``) is compared with others in its place, never with none: which of
``/a.jpg`` and ``/large/a.jpg`` is larger, nobody knows before both are seen (`store` then keeps the larger).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from fittingroom.crawl.html.attributes import is_picture_file
from fittingroom.crawl.html.sizes import ORIGINAL, pixels_of_words, words_of_folder

_SIZES = frozenset({
    "w", "h", "width", "height", "wid", "hei", "imwidth", "imheight", "sw", "sh", "maxwidth", "maxheight", "max-w",
    "max-h", "max-width", "max-height", "maxw", "maxh", "mw", "mh", "max", "size", "sz", "resize", "downsize", "im",
    "impolicy", "preset", "tr", "thumbnail", "x-oss-process",
})  # fmt: skip
"""Query fields that say a size, in pixels or by name."""
_HOW = frozenset({
    "q", "quality", "qlt", "dpr", "auto", "fm", "fmt", "crop", "sm", "sfrm", "bg", "bgc", "bg-color", "bgcolor",
    "strip", "op_sharpen", "op_usm", "resmode", "blur", "mode", "scl", "scale", "defaultimage", "iccembed", "printres",
    "layer", "align", "extendn", "fit-in", "optimize",
    "canvas", "image-type", "store", "output-format", "output-quality",
    "interpolation", "aspect", "upscale", "anchor", "gravity", "ssl", "ixlib", "ixid", "_m", "_mzcb", "progressive",
    "webp", "dl", "enlarge", "sharpen", "unsharp", "cs", "trim", "padding", "pad", "pad-color", "background",
})  # fmt: skip
"""Query fields that say how a picture is shrunk."""
_EITHER = frozenset({"format", "fit", "type"})
"""Query fields that say a size with some (``format=300w``, ``type=m510``) and something else with others."""
_PIXELS = re.compile(r"(?:[a-z]{1,4}[-_]?)?(\d{2,5})(?:[x,*%](\d{1,5}|\*)?)?(?:w|h|px)?(?:_[a-z]+)?", re.I)
_INNER = ("url", "src", "fname", "image")
"""Query fields in which a service that shrinks others' pictures gets the picture's address."""
_DEEPEST = 5
"""Such services one in another that are looked through."""
_LEAST = 30
"""Smaller numbers in a file's name are more likely a part of it than pixels."""

_WORD_PRESS = re.compile(r"-(\d{2,5})w?x(\d{2,5})h?(?=\.\w{3,4}$)", re.I)
_SHOPIFY = re.compile(r"(?:_|_size)(\d{2,5})?x(\d{2,5})?(?:_crop\w{1,40}+)?(?:@(\d)x)?(?=(?:\.progressive)?\.\w{3,4}$)")
_DENSITY = re.compile(r"@([2-4])x(?=\.\w{3,4}$)")
_WORD_AT_THE_END = re.compile(
    r"[-_.](pico|icon|thumb|small|compact|medium|large|grande|master|thumbnail|tiny|mini|zoom|big|hires|full|xlarge|"
    r"original|scaled)(?=\.\w{3,4}$)"
)
_LETTERS = {"xs": 40, "s": 100, "sm": 110, "m": 240, "md": 245, "l": 480, "lg": 490, "xl": 1200, "xxl": 1600}
_LETTER_AT_THE_END = re.compile(r"(?<=[^/]_)(?:x{0,2}[sl]|sm|md?|lg)(?=\.\w{3,4}$)", re.I)
"""``shirt_s.jpg``: compared with ``shirt_l.jpg`` only, for next to ``shirt.jpg`` it may be the left side."""
_TWO_SUFFIXES = re.compile(
    r"(?:(?<=\.jpg)|(?<=\.png)|(?<=jpeg)|(?<=webp)|(?<=avif))_(\d{2,5})x(\d{2,5})\w{0,40}(?:\.\w{3,4})?(?:_\.\w{3,4})?$",
    re.I,
)
_BIG_COMMERCE = re.compile(r"(?<=\.\d{10})\.(\d{2,5})\.(\d{2,5})(?=\.\w{3,4}$)")
_AMAZON = re.compile(r"\._([A-Z0-9,_.%-]{1,200})_(?=\.\w{3,4}$)")
_EBAY = re.compile(r"(?<=/s-l)(\d{2,4})(?=\.)")
_ETSY = re.compile(r"(?<=/il_)(\d{2,4}|full)x(N|\d{2,4}|full)(?=\.)")
_CLOUDFLARE = re.compile(r"/cdn-cgi/image/[^/]+(?=/)")
_WIX = re.compile(r"(?<=/media/)([^/]+)/v1/(?:crop/[^/]+/)?(?:fill|fit|crop)/([^/]+)/[^/]+$")
_MAGENTO = re.compile(r"/cache/\d+/\w+/(?:(\d*x\d*)/[0-9a-f]{2,32}|[0-9a-f]{32})(?=/)")
_STORYBLOK = re.compile(r"/m/(?:fit-in/)?(\d+)x(\d+)(?:/filters:[^/]+)?$")
_VTEX = re.compile(r"(?<=/arquivos/ids/)(\d+)-(\d+|auto)-(\d+|auto)(?=[/.]|$)")
_CLOUDINARY = re.compile(
    r"(?<=/)(?:(?:w|h|c|f|q|g|t|e|b|ar|fl|dpr|x|y|r|a|o|z|bo|cs|d|l|u|p|pg|if|so)_[^/,]+(?:,|(?=/)))+(?=/)"
)
_SURELY_CLOUDINARY = re.compile(
    r"[/,](?:[wh]_(?:\d|auto)|[fq]_auto|c_(?:fill|fit|limit|scale|pad|crop|thumb|lfill|mfit|lpad)\b|dpr_[\da])"
)
_OPTIONS = re.compile(r"/(?:tr:[^/]+|(?:rs|resize|size|w|h|width|height)(?::[a-z-]+)?(?::\d++\b)++(?::\w++)*+)(?=/)")
_NUMBERED = re.compile(r"/(?:w|h|width|height)/(\d{2,4})(?=/)")
_GOOGLE = re.compile(r"(?<=/)(?:[wsh]\d{2,4}|s0)(?:-[a-z]+\d*)*(?=/[^/]+$)")
_GOOGLE_AT_THE_END = re.compile(r"=(?:[wsh]\d{2,4}|[sw]0)(?:-[a-z]+\d*)*$")
"""On any host: shops serve these under their own names."""
_FOLDER = re.compile(r"(?:[a-z]{0,2}(\d{2,5})w?x(\d{0,5})h?(?:x\d)?[a-z]{0,3}|x(\d{2,5})|(\d{2,5})(?:w|px))", re.I)
_DEMANDWARE = re.compile(r"/dw/image/v2/[A-Z]{4}_[A-Z]{3}(?=/)|(?<=/)dw[0-9a-f]{8}/")
_SHOPWARE = re.compile(r"^/thumbnail(?=(?:/[0-9a-f]{2}){3}/)")


@dataclass(frozen=True)
class Variant:
    """``address`` is ``picture`` at ``size`` pixels (of its longer named side)."""

    address: str
    picture: str
    size: float


def read_variant(address: str, depth: int = 0) -> Variant:
    """What the absolute ``address`` says of its picture's size; ``depth`` services gave it as their picture's."""
    parts = urlsplit(address)
    fields = parse_qsl(parts.query, keep_blank_values=True)
    asked = _size_asked(fields)
    inner = next((value for name, value in fields if name in _INNER and is_picture_file(value)), "")
    if inner and depth < _DEEPEST:  # a service that shrinks others' pictures: the picture is the one it is given
        whole = "//" in inner[:8]
        inner = inner if whole else f"{parts.scheme}://{parts.netloc}/{inner.removeprefix('/')}"
        original = read_variant(inner, depth + 1)
        shown = [*_without_sizes(parts.netloc, parts.path)[1], *([] if asked is None else [asked])] or [_UNTOLD]
        return Variant(address, original.picture, min(*shown, original.size))
    host, path = parts.netloc.lower(), parts.path
    if re.fullmatch(r"i\d\.wp\.com", host):
        host, _, path = path.removeprefix("/").partition("/")
        path = f"/{path}"
    path, sizes = _without_sizes(host, path)
    if asked is not None:
        sizes.append(asked)
    elif "/is/image/" in path:
        sizes.append(400)  # what Scene7 sends where nothing else is asked for
    kept = sorted((name, value) for name, value in fields if _is_kept(name.lower(), value))
    return Variant(address, f"{host}{path}?{urlencode(kept)}", min(sizes) if sizes else ORIGINAL)


def _without_sizes(host: str, path: str) -> tuple[str, list[float]]:
    """A path without what says its picture's size, and the sizes that were said: in words only where no number was."""
    sizes: list[float] = []
    words: list[float] = []
    path = _SHOPWARE.sub("/media", _DEMANDWARE.sub("", path))
    for pattern in _IN_PATHS:
        if pattern is _CLOUDINARY and not ("/image/upload/" in path or _SURELY_CLOUDINARY.search(path)):
            continue
        if pattern is _GOOGLE and not host.endswith((".googleusercontent.com", ".blogspot.com", ".ggpht.com")):
            continue
        found = pattern.search(path)
        while found:
            size = _size_in(found)
            if size is None:
                break
            (words if pattern in (_WORD_AT_THE_END, _LETTER_AT_THE_END) else sizes).append(size)
            kept = found[1] if pattern in (_WIX, _VTEX) else "*" if pattern is _LETTER_AT_THE_END else ""
            path = path[: found.start()] + kept + path[found.end() :]
            found = pattern.search(path, max(found.start() - 1, 0)) if pattern in (_CLOUDINARY, _NUMBERED) else None
    folders = path.split("/")
    for at, folder in enumerate(folders):
        name, dot, suffix = (folder, "", "") if at < len(folders) - 1 else folder.partition(".")
        size, rest = _size_of_folder(name) if not dot or "default" in name else (None, name)
        if size is not None and (at < len(folders) - 1 or dot):
            (sizes if _FOLDER.fullmatch(unquote(name)[:200]) else words).append(size)
            folders[at] = f"{rest}{dot}{suffix}"
    path, told = "/".join(folders), sizes or words
    return (re.sub(r"/{2,}", "/", path) if told else path), told


_IN_PATHS = (
    _MAGENTO, _WIX, _STORYBLOK, _VTEX, _CLOUDINARY, _CLOUDFLARE, _OPTIONS, _NUMBERED, _GOOGLE,
    _GOOGLE_AT_THE_END, _TWO_SUFFIXES, _BIG_COMMERCE, _WORD_PRESS, _SHOPIFY, _DENSITY, _WORD_AT_THE_END,
    _LETTER_AT_THE_END, _AMAZON, _EBAY, _ETSY,
)  # fmt: skip


def _size_in(found: re.Match[str]) -> float | None:
    """Pixels that a part of a path says, or None where it says something else."""
    text = found[0]
    if found.re is _WORD_AT_THE_END:
        return pixels_of_words(found[1])
    if found.re is _LETTER_AT_THE_END:
        return _LETTERS.get(text.lower())
    if found.re in (_GOOGLE, _GOOGLE_AT_THE_END) and re.search(r"[sw]0(?!\d)", text):
        return ORIGINAL
    if found.re is _DENSITY:
        return ORIGINAL * int(found[1])
    if found.re is _CLOUDINARY:
        named = re.findall(r"[wh]_(\d+)", text) or re.findall(r"t_\D{0,60}+(\d{2,})", text)
        density = float((re.findall(r"dpr_(\d(?:\.\d)?)", text) or ["1"])[0])
        words = pixels_of_words(text) if "t_" in text else None
        return _largest(named, words or (_UNTOLD if "t_" in text or "w_auto" in text else ORIGINAL)) * density
    if "full" in text or (found.re is _MAGENTO and not found[1]):
        return ORIGINAL
    if found.re in (_WIX, _VTEX):
        wanted = found[2] if found.re is _WIX else f"w_{found[2]},h_{found[3]}"
        return _largest(re.findall(r"[wh]_(\d+)", wanted), _UNTOLD)
    if found.re is _SHOPIFY:
        size = _largest([side for side in found.group(1, 2) if side], 0) * int(found[3] or 1)
    else:
        size = _largest(re.findall(r"\d+", text.partition("/filters:")[0]), _UNTOLD)
    return size if size >= _LEAST or found.re in (_AMAZON, _CLOUDFLARE, _OPTIONS) else None


_UNTOLD = 1.0
"""A size that is said in words we do not know: anything that is known is better."""


def _size_of_folder(folder: str) -> tuple[float | None, str]:
    """The size that a folder's name says, and the name with a star in its place."""
    folder = unquote(folder)[:200]
    found = _FOLDER.fullmatch(folder)
    if found:
        size = _largest([side for side in found.groups() if side], 0)
        return (size, "*") if size >= _LEAST else (None, folder)
    return words_of_folder(folder)


def _size_asked(fields: Iterable[tuple[str, str]]) -> float | None:
    """The size that a query asks for, or None."""
    sizes: list[float] = []
    density = 1.0
    for name, value in fields:
        lower = name.lower()
        if lower == "dpr" and re.fullmatch(r"\d(?:\.\d+)?", value):
            density = float(value)
        elif _says_size(lower, value):
            told = f"{name} {value}" if not value or lower.startswith(("$", "imageview2", "imagemogr2")) else value
            numbers = re.findall(r"[wh][-_=/](\d+)", told) or re.findall(r"\d{2,}|(?<![a-z])\d", told)
            sizes.append(_largest(numbers, pixels_of_words(told) or _UNTOLD))
    return max(sizes) * density if sizes else None


def _says_size(name: str, value: str) -> bool:
    if name in _SIZES:
        return True
    if name in _EITHER:
        return bool(_PIXELS.fullmatch(value)) or (name != "fit" and value in ("original", "full", "large", "small"))
    if name.startswith("$") and name.endswith("$"):  # a preset of Scene7's
        return True
    return not value and (name.startswith(("imageview2/", "imagemogr2/")) or bool(_FOLDER.fullmatch(name)))


def _is_kept(name: str, value: str) -> bool:
    """Whether a query field belongs to the picture's name."""
    if _says_size(name, value) or name in _HOW or (name in _EITHER and name != "type"):
        return False
    return not (name in ("s", "sig", "signature") and re.fullmatch(r"[0-9a-f]{32,64}", value))


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
