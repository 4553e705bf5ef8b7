"""JSON-LD: the pictures that a page's Product data names, and the product pages that its ItemList names.

See https://schema.org/Product, https://schema.org/ItemList and https://www.w3.org/TR/json-ld11/. Shops write it in many
shapes: one object, an array, ``@graph`` with references, a picture as text, object or list of either. No context is
fetched; names are taken as schema.org's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_NODES = 50_000
"""Objects looked at on one page."""

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


def _parse(text: str) -> Any:
    text = re.sub(r"^\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\s*\]\]>|\]\]>)\s*$", "", text.strip()).strip()
    try:
        return json.loads(text.rstrip(";"), strict=False)
    except (ValueError, RecursionError):
        return None


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
            found.append(node)
        elif isinstance(node, dict):
            addresses = [a for key in ("contentUrl", "url") for a in _as_list(node.get(key)) if isinstance(a, str)]
            if not addresses and set(node) == {"@id"}:
                addresses = [str(node["@id"])]
            found += addresses[:1]
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
