"""JSON-LD: the pictures that a page's Product data names, and the product pages that its ItemList names.

See https://schema.org/Product, https://schema.org/ItemList and https://www.w3.org/TR/json-ld11/. Shops write it in many
shapes: one object, an array, ``@graph`` with references, a picture as text, object or list of either. No context is
fetched; names are taken as schema.org's.
"""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_NODES = 50_000
"""Objects looked at on one page."""

MAX_DATA_PICTURES = 200
"""Pictures taken from a page's data."""

_DATA_KEYS = (
    "full", "zoom", "large", "original", "img", "image", "images", "contentUrl", "src", "url", "uri", "media",
    "photo", "picture", "thumb",
)  # fmt: skip
_FILE = re.compile(r"\.(?:jpe?g|png|webp|avif)(?:\?|$)", re.I)
_PRODUCTS = frozenset({"product", "productgroup", "productmodel", "individualproduct", "someproducts"})
_LISTS = frozenset({"itemlist", "offercatalog"})


@dataclass(frozen=True)
class JsonLd:
    """Addresses as written."""

    pictures: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    """Product pages listed without a picture."""


def read_json_ld(scripts: Iterable[str]) -> JsonLd:
    """Read the contents of ``<script type="application/ld+json">`` elements; broken ones are passed over."""
    nodes = [node for script in scripts for node in _nodes(_parse(script))][:MAX_NODES]
    by_id = {node["@id"]: node for node in nodes if isinstance(node.get("@id"), str) and len(node) > 1}
    pictures: list[str] = []
    pages: list[str] = []
    for node in nodes:
        kinds = _kinds(node)
        if kinds & _PRODUCTS:
            pictures += _pictures(node.get("image"), by_id)
        if kinds & _LISTS:
            for entry in _as_list(node.get("itemListElement")):
                shown, page = _list_entry(entry, by_id)
                pictures += shown
                if not shown and page:
                    pages.append(page)
    return JsonLd(pictures, pages)


def pictures_in_data(scripts: Iterable[str]) -> list[str]:
    """Pictures' addresses in a page's data (Next.js, Magento): the largest that each object offers.

    There is no common vocabulary, so names decide: the first of `_DATA_KEYS` whose value is a picture file's address.
    """
    found: dict[str, None] = {}
    for script in scripts:
        for node in itertools.islice(_nodes(_parse(script)), MAX_NODES):
            for key in _DATA_KEYS:
                values = [v for v in _as_list(node.get(key)) if isinstance(v, str) and _FILE.search(v[:4000])]
                if values:
                    found.update(dict.fromkeys(values))
                    break
            if len(found) >= MAX_DATA_PICTURES:
                return list(found)
    return list(found)


def _parse(text: str) -> Any:
    """A script's JSON, also as shops write it: in comment or CDATA marks, with comments, trailing commas, HTML's
    character references, or several values one after another."""
    text = re.sub(r"^\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\s*\]\]>|\]\]>)\s*$", "", text.strip()).strip()
    for mended in (text, _without_comments(text), _without_comments(html.unescape(text))):
        values = _values(mended)
        if values is not None:
            return values
    return None


def _values(text: str) -> list[Any] | None:
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


_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|//[^\n]*|,(?=\s*[}\]])', re.S)


def _without_comments(text: str) -> str:
    """JSON without comments and trailing commas, strings left alone; twice, for a comment may hide a trailing comma."""
    for _ in range(2):
        text = _STRING_OR_COMMENT.sub(lambda match: match[0] if match[0].startswith('"') else "", text)
    return text


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
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


def _kinds(node: dict[str, Any]) -> set[str]:
    names = (kind for kind in _as_list(node.get("@type")) if isinstance(kind, str))
    return {re.split(r"[/:#]", name)[-1].lower() for name in names}


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _pictures(value: Any, by_id: dict[str, dict[str, Any]]) -> list[str]:
    """Addresses in an ``image`` property: text, ImageObject, reference, or a list of these."""
    found: list[str] = []
    for one in _as_list(value):
        node = by_id.get(one["@id"], one) if isinstance(one, dict) and isinstance(one.get("@id"), str) else one
        if isinstance(node, str):
            found.append(html.unescape(node))
        elif isinstance(node, dict):
            addresses = [a for key in ("contentUrl", "url") for a in _as_list(node.get(key)) if isinstance(a, str)]
            if not addresses and set(node) == {"@id"}:
                addresses = [str(node["@id"])]
            found += [html.unescape(address) for address in addresses[:1]]
    return found


def _list_entry(entry: Any, by_id: dict[str, dict[str, Any]]) -> tuple[list[str], str]:
    """Pictures and page of one ``itemListElement``: an address, a ListItem around one, or the product itself."""
    if isinstance(entry, str):
        return [], entry
    if not isinstance(entry, dict):
        return [], ""
    inner = entry.get("item", entry)
    if isinstance(inner, str):
        return _pictures(entry.get("image"), by_id), inner
    if not isinstance(inner, dict):
        return [], ""
    inner = by_id.get(inner.get("@id", ""), inner) if isinstance(inner.get("@id"), str) else inner
    shown = _pictures(entry.get("image"), by_id) or _pictures(inner.get("image"), by_id)
    page = next((v for v in (inner.get("url"), entry.get("url"), inner.get("@id")) if isinstance(v, str)), "")
    return shown, page
