"""Pictures that dress a page and show no garment: logos, icons, sprites, payment marks, tracking pixels.

Judged by what the page says: names of files and folders, classes, declared sizes. A word counts as a whole word only,
and a ``logo`` in a JPEG's name, or next to ``tee``, is no proof: it may be printed on a shirt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

_ALWAYS = frozenset({
    "sprite", "sprites", "favicon", "captcha", "emoji", "avatar", "gravatar", "visa", "mastercard", "maestro", "amex",
    "paypal", "klarna", "giropay", "applepay", "googlepay", "trustpilot",
})  # fmt: skip
_DRAWN = frozenset({
    "logo", "logos", "icon", "icons", "ico", "badge", "badges", "seal", "arrow", "chevron", "cart", "payment", "spacer",
    "blank", "pixel", "placeholder", "loader", "loading", "spinner", "transparent",
})  # fmt: skip
"""Drawings: PNG, GIF, WebP or SVG."""
_GARMENTS = frozenset({
    "blouse", "cardigan", "coat", "dress", "hoodie", "jacket", "jeans", "jumper", "knit", "pants", "polo", "pullover",
    "shirt", "shirts", "shorts", "skirt", "sweater", "sweatshirt", "tank", "tee", "tees", "top", "trousers", "tshirt",
    "vest",
})  # fmt: skip
"""A name with one of these is a garment's, whatever is printed on it."""
_FOLDERS = frozenset({
    "icon", "icons", "logo", "logos", "sprite", "sprites", "payment", "payments", "badge", "badges", "flags",
    "emoji", "social",
})  # fmt: skip
_CLASSES = frozenset({
    "logo", "icon", "icons", "sprite", "payment", "payments", "flag", "avatar", "spinner", "placeholder", "badge",
    "social", "tracking", "pixel",
})  # fmt: skip
_SMALLEST = 48
"""Declared sides under this are icons."""
_SERVICES = re.compile(
    r"//(?:[\w.-]+\.)?(?:facebook\.com/tr|google-analytics\.com|googletagmanager\.com|doubleclick\.net|bat\.bing\.com|"
    r"scorecardresearch\.com|pinterest\.com/v3|analytics\.[\w.-]+|pixel\.[\w.-]+)"
)


def is_decoration(written: str, attributes: Mapping[str, str]) -> bool:
    """Whether an element's picture, whose address is ``written``, is no product's by its page's own words."""
    path = unquote(re.split(r"[?#]", written)[0]).lower()
    folders, _, name = path.rpartition("/")
    stem, _, suffix = name.rpartition(".")
    if _SERVICES.search(written):
        return True
    words = _words(stem or name)
    if words & _GARMENTS:
        return False
    if words & _ALWAYS or (words & _DRAWN and suffix not in ("jpg", "jpeg")):
        return True
    if _words(folders.rpartition("/")[2]) & _FOLDERS:
        return True
    if _words(f"{attributes.get('class', '')} {attributes.get('id', '')}".lower()) & _CLASSES:
        return True
    sides = [_pixels(attributes.get(side, "")) for side in ("width", "height")]
    return any(side is not None and side < _SMALLEST for side in sides)


def _words(text: str) -> set[str]:
    return {word for word in re.split(r"[^a-z]+", text[:500]) if word}


def _pixels(value: str) -> int | None:
    match = re.fullmatch(r"\s*(\d{1,5})(?:px)?\s*", value)
    return int(match[1]) if match else None
