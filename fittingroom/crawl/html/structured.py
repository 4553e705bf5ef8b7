"""JSON-LD: the pictures that a page's Product data names, and the product pages that its ItemList names.

See https://schema.org/Product, https://schema.org/ItemList and https://www.w3.org/TR/json-ld11/. Shops write it in many
shapes: one object, an array, ``@graph`` with references, a picture as text, object or list of either. No context is
fetched; names are taken as schema.org's.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from fittingroom.crawl.html.page_data import (
    MAX_DATA_PICTURES,
    MAX_NODES,
    as_list,
    nodes_of,
    parse_script,
    unescaped,
    values_of,
)

_PRODUCTS = frozenset({"product", "productgroup", "productmodel", "individualproduct", "someproducts"})
_LISTS = frozenset({"itemlist", "offercatalog"})
_LISTINGS = frozenset({"collectionpage", "searchresultspage"})
_ASIDE = frozenset({
    "isrelatedto", "issimilarto", "isaccessoryorsparepartfor", "isconsumablefor", "addon", "predecessorof",
    "successorof", "review", "reviews", "mentions", "relatedlink", "@reverse", "breadcrumb", "hasoffercatalog",
})  # fmt: skip
"""Properties that lead to other products."""
_NAMES = {
    "url": "url", "name": "name", "sku": "sku", "mpn": "mpn", "gtin": "gtin", "gtin13": "gtin", "productID": "number",
    "productGroupID": "group", "inProductGroupWithID": "group",
}  # fmt: skip
"""Properties of which two descriptions of one product share one."""
_SCHEMA = re.compile(r"^(?:schema:|sdo:|https?://(?:www\.)?schema\.org/)", re.I)
_LISTED = -1
_DEEPEST = 6
_MOST_IN_A_LIST = 1000
_JOINT = re.compile(
    r"(?<!\s)\s*+[,;|]\s*+(?=(?:https?:)?//)|,\s*+(?=/)|,\s++|(?<!\s)\s++(?=(?:https?:)?//)|"
    r"(?:(?<=\.jpg)|(?<=\.png)|(?<=\.gif)|(?<=\.jpeg)|(?<=\.webp)|(?<=\.avif)),",
    re.I,
)
"""What joins addresses in one text; a comma alone may belong to an address. White space is read from its start only."""


@dataclass(frozen=True)
class JsonLd:
    """Addresses as written."""

    pictures: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    """Product pages listed without a picture."""
    is_product: bool = False
    """The page is about one product, whose pictures these are."""
    names_products: bool = False


@dataclass
class _Product:
    """One product as the page's data describe it, in one place or several."""

    ids: set[str]
    names: set[str]
    pictures: list[str] = field(default_factory=list)
    is_main: bool = False


def read_json_ld(scripts: Iterable[str], is_here: Callable[[str], bool] = lambda _: False) -> JsonLd:
    """Read the contents of ``<script type="application/ld+json">`` elements; broken ones are passed over.

    Where one product is what the page is about (the only one next to lists and related ones, the page's
    ``mainEntity``, or the one whose ``url`` ``is_here``), its pictures are all there is. Elsewhere every product
    counts.
    """
    values = [parse_script(script) for script in scripts]
    nodes = list(itertools.islice((node for value in values for node in nodes_of(value)), MAX_NODES))
    for node in nodes:
        _rename(node)
    by_id = {node["@id"]: node for node in nodes if isinstance(node.get("@id"), str) and len(node) > 1}
    walk = _Walk(by_id, is_here)
    walk.go(values)
    products = _merged([product for product in walk.products if not product.ids & walk.elsewhere])
    named = bool(walk.products or walk.listed)
    main = [product for product in products if product.is_main]
    if not main and not walk.is_listing:
        main = products
    if len(main) == 1:
        return JsonLd(main[0].pictures, is_product=True, names_products=named)
    pictures = [picture for product in products for picture in product.pictures]
    return JsonLd([*pictures, *walk.listed], walk.pages, names_products=named)


def _rename(node: dict[str, Any]) -> None:
    """Give properties the names that are read here: ``schema:image`` and the whole address mean ``image``."""
    for name in list(node):
        short = _SCHEMA.sub("", name)
        if short != name:
            node.setdefault(short, node.pop(name))
    if "@type" not in node and "type" in node:  # so does schema.org's own context
        node["@type"] = node["type"]


class _Walk:
    """Goes through the data once, without calling itself: the page's author chooses the depth."""

    def __init__(self, by_id: dict[str, dict[str, Any]], is_here: Callable[[str], bool]) -> None:
        self.by_id, self.is_here = by_id, is_here
        self.products: list[_Product] = []
        self.listed: list[str] = []
        self.pages: list[str] = []
        self.elsewhere: set[str] = set()
        """Ids of products that lists and related products refer to."""
        self.main: set[str] = set()
        """Ids of what the page calls its main entity."""
        self._main_objects: set[int] = set()
        self.is_listing = False

    def go(self, values: list[Any]) -> None:
        """Every object, outermost first, each with the number of the product that it is a part of, if any."""
        waiting: list[tuple[Any, int | None]] = [(values, None)]
        seen = 0
        while waiting and seen < MAX_NODES:
            current, owner = waiting.pop()
            seen += 1
            if isinstance(current, dict):
                owner, children = self._object(current, owner)
                waiting += [(value, owner if part is None else part) for value, part in reversed(children)]
            elif isinstance(current, list):
                waiting += [(value, owner) for value in reversed(current) if isinstance(value, dict | list)]
        for product in self.products:
            product.is_main = product.is_main or bool(product.names & self.main)

    def _object(self, node: dict[str, Any], owner: int | None) -> tuple[int | None, list[tuple[Any, int | None]]]:
        kinds = _kinds(node)
        self.is_listing = self.is_listing or bool(kinds & _LISTINGS)
        if kinds & _PRODUCTS:
            owner = self._product(node, owner)
        children: list[tuple[Any, int | None]] = []
        for key, value in node.items():
            if key.lower() in _ASIDE:
                self.elsewhere |= _ids(value)
            elif kinds & _LISTS and key == "itemListElement":
                if owner is None or owner == _LISTED:
                    self._list(value)
                    children.append((value, _LISTED))
            elif isinstance(value, dict | list) and key != "image":
                if key == "mainEntity" and owner is None:
                    self.main |= _ids(value)
                    self._main_objects |= {id(one) for one in as_list(value)}
                    self.is_listing |= any(_kinds(one) & _LISTS for one in as_list(value) if isinstance(one, dict))
                children.append((value, None))
        return owner, children

    def _product(self, node: dict[str, Any], owner: int | None) -> int:
        pictures = _pictures(node.get("image") or node.get("images") or node.get("photo"), self.by_id)
        if owner == _LISTED:
            self.listed += pictures
            return _LISTED
        names = {f"{kind}:{value}" for name, kind in _NAMES.items() for value in _texts(node.get(name))}
        names |= _ids(node) | _ids(node.get("hasVariant")) | _ids(node.get("isVariantOf"))
        if owner is None:
            self.products.append(_Product(_ids(node), names, list(pictures)))
            owner = len(self.products) - 1
        else:
            self.products[owner].names |= names
            self.products[owner].pictures += pictures
        places = [*_texts(node.get("url")), *_ids(node.get("mainEntityOfPage")), *_texts(node.get("mainEntityOfPage"))]
        places += [place for place in _texts(node.get("@id")) if not place.startswith("#")]
        if id(node) in self._main_objects or any(self.is_here(place.removeprefix("@id:")) for place in places):
            self.products[owner].is_main = True
        return owner

    def _list(self, entries: Any) -> None:
        for entry in as_list(entries):
            shown, page = _list_entry(entry, self.by_id)
            self.listed += shown
            self.elsewhere |= _ids(entry) | (_ids(entry.get("item")) if isinstance(entry, dict) else set())
            if not shown and page:
                self.pages.append(page)


def _merged(products: list[_Product]) -> list[_Product]:
    """Each product once, though several scripts describe it."""
    found: list[_Product] = []
    first: dict[str, int] = {}
    """The place in ``found`` of the first product of each name."""
    for product in products:
        at = min((first[name] for name in product.names if name in first), default=len(found))
        if at == len(found):
            found.append(product)
        else:
            found[at].pictures += product.pictures
            found[at].is_main = found[at].is_main or product.is_main
        first.update({name: min(at, first.get(name, at)) for name in product.names})
    return found


def _texts(value: Any) -> list[str]:
    return [one.strip() for one in as_list(value) if isinstance(one, str) and one.strip()]


def _ids(value: Any) -> set[str]:
    """Ids of the objects in ``value``, told from other names."""
    return {f"@id:{one['@id']}" for one in as_list(value) if isinstance(one, dict) and isinstance(one.get("@id"), str)}


def _kinds(node: dict[str, Any]) -> set[str]:
    names = (kind for kind in as_list(node.get("@type")) if isinstance(kind, str))
    return {re.split(r"[/:#]", name)[-1].lower() for name in names}


def _pictures(value: Any, by_id: dict[str, dict[str, Any]], depth: int = 0, seen: set[int] | None = None) -> list[str]:
    """Addresses in an ``image`` property: text, ImageObject, reference, ``@list`` or ``@set``, or a list of these.

    Each object is ``seen`` once, however many references lead to it and from it back.
    """
    found: list[str] = []
    seen = set() if seen is None else seen
    for one in as_list(value)[:_MOST_IN_A_LIST]:
        if isinstance(one, str):
            found += addresses_in(one)
        elif isinstance(one, list) and depth < _DEEPEST:
            found += _pictures(one, by_id, depth + 1, seen)
        elif isinstance(one, dict) and depth < _DEEPEST:
            node = by_id.get(one["@id"], one) if isinstance(one.get("@id"), str) else one
            if id(node) in seen:
                continue
            seen.add(id(node))
            for key in ("@list", "@set", "@value", "contentUrl", "url", "image", "associatedMedia", "thumbnailUrl"):
                inner = _pictures(node.get(key), by_id, depth + 1, seen)
                if inner:
                    found += inner
                    break
            else:
                if set(node) <= {"@id", "@type"}:
                    found += _texts(node.get("@id"))
        if len(found) > MAX_DATA_PICTURES:
            break
    return found


def addresses_in(text: str) -> list[str]:
    """The addresses in a text of one, or of several joined by commas or white space, or written as a JSON list."""
    text = unescaped(text).strip()
    if text.startswith("["):
        listed = values_of(text[:100_000])
        if listed and isinstance(listed[0], list):
            return _texts(listed[0])
    return [part.strip() for part in _JOINT.split(text[:100_000]) if part.strip(" ,;")]


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
