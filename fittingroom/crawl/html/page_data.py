"""JSON that a page holds in scripts and attributes, read as shops write it, and the pictures that it names."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

MAX_NODES = 50_000
"""Objects looked at on one page."""

MAX_DATA_PICTURES = 200
"""Pictures taken from a page's data."""

_DATA_KEYS = (
    "full", "zoom", "large", "original", "img", "image", "images", "contentUrl", "src", "url", "uri", "media",
    "photo", "picture", "thumb",
)  # fmt: skip
_INVISIBLE = " \t\r\n\ufeff\u200b"
"""What programs put before a script's text: a byte-order mark is no white space to Python."""
_FILE = re.compile(r"\.(?:jpe?g|png|webp|avif)(?:\?|$)", re.I)


def pictures_in_data(scripts: Iterable[str]) -> list[str]:
    """Pictures' addresses in a page's data (Next.js, Magento): the largest that each object offers.

    There is no common vocabulary, so names decide: the first of `_DATA_KEYS` whose value is a picture file's address.
    """
    found: dict[str, None] = {}
    for script in scripts:
        for node in itertools.islice(nodes_of(parse_script(script)), MAX_NODES):
            for key in _DATA_KEYS:
                values = [v for v in as_list(node.get(key)) if isinstance(v, str) and _FILE.search(v[:4000])]
                if values:
                    found.update(dict.fromkeys(values))
                    break
            if len(found) >= MAX_DATA_PICTURES:
                return list(found)
    return list(found)


def parse_script(text: str) -> Any:
    """A script's JSON, also as shops write it: in comment or CDATA marks, with comments, trailing commas, HTML's
    character references, or several values one after another."""
    text = re.sub(
        r"^\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\s*\]\]>|\]\]>)\s*$", "", text.strip(_INVISIBLE)
    ).strip(_INVISIBLE)
    for mended in (text, _without_comments(text), _without_comments(unescaped(text))):
        values = values_of(mended)
        if values is not None:
            return values
    return None


def unescaped(text: str) -> str:
    """``text`` with HTML's character references replaced, or as it is where one has thousands of digits."""
    try:
        return html.unescape(text)
    except ValueError:  # Python reads no integer as long as that
        return text


def values_of(text: str) -> list[Any] | None:
    """The JSON values that stand one after another in ``text``, or None where it is no JSON."""
    decoder, at = json.JSONDecoder(strict=False), 0
    found: list[Any] = []
    text = text.strip()
    while at < len(text) and len(found) < 100:
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        found.append(value)
        while at < len(text) and text[at] in " \t\r\n;,":
            at += 1
    return found


_STRING_OR_COMMENT = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|/\*.*?(?:\*/|\Z)|//[^\n]*+|,(?=\s*+[}\]])', re.S)
"""What is not closed runs to the end: else each of many would be read to there, in quadratic time."""


def _without_comments(text: str) -> str:
    """JSON without comments and trailing commas, strings left alone; twice, for a comment may hide a trailing comma."""
    for _ in range(2):
        text = _STRING_OR_COMMENT.sub(lambda match: match[0] if match[0].startswith('"') else "", text)
    return text


def nodes_of(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in ``value``, outermost first, without calling itself: the page's author chooses the depth."""
    waiting = [value]
    seen = 0
    while waiting and seen < MAX_NODES:
        current = waiting.pop()
        seen += 1
        if isinstance(current, dict):
            yield current
            waiting += reversed([v for v in current.values() if isinstance(v, dict | list)])
        elif isinstance(current, list):
            waiting += reversed([v for v in current if isinstance(v, dict | list)])


def as_list(value: Any) -> list[Any]:
    """``value`` as a list: of one, or of none."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
