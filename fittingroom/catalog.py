"""The catalog: which styles the shop offers and where pictures of each come from. A YAML file that a person types.

::

    styles:
      - name: red-striped-t-shirt
        category: short sleeve top
        colour: red
        pattern: striped
        sources:
          - {kind: page, url: "https://shop.example/t-shirts/red", licence: "with the shop's leave"}
          - {kind: search, query: "red striped t-shirt"}
          - {kind: urls, path: red-striped.csv}
          - {kind: folder, path: captured/red-striped}

Relative ``path`` values are taken from the catalog file's own folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticKnownError

from fittingroom.catalog_yaml import Lines, Location, read_yaml
from fittingroom.categories import CATEGORY_NAMES
from fittingroom.errors import CatalogError, MissingInputError
from fittingroom.style_card import Pattern, StyleCard
from fittingroom.workspace import digest_value


def _slug(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,56}[a-z0-9])?", value):
        raise ValueError("expected a-z, 0-9 and inner hyphens, at most 58 characters")
    return value


def _category(value: str) -> str:
    name = " ".join(value.lower().split())
    if name not in CATEGORY_NAMES.values():
        raise ValueError(f"expected one of {', '.join(CATEGORY_NAMES.values())}")
    return name


def _colour(value: str) -> str:
    name = " ".join(value.lower().split())
    if not re.fullmatch(r"[a-z][a-z -]{0,39}", name):
        raise ValueError("expected a colour name in letters")
    return name


def web_address(value: str) -> str:
    """``value`` if it is an absolute http or https URL without a user name; ValueError otherwise."""
    try:
        parts = urlsplit(value.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", value.strip()):
        raise ValueError("expected an absolute http:// or https:// address")
    return value.strip()


def _paging(value: str) -> str:
    if "{page}" not in value:
        raise ValueError("expected an address with {page} where the page number goes")
    web_address(value.replace("{page}", "1"))
    return value


WebAddress = Annotated[str, AfterValidator(web_address)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class SourceEntry(_Model):
    """One of a style's sources, as typed. A subclass with ``kind: Literal["x"] = "x"`` is known from then on as ``x``;
    what it offers is for the crawler to say (`fittingroom.crawl.sources`)."""

    kind: str
    licence: str = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        kind = cls.model_fields["kind"].default
        if isinstance(kind, str):
            KINDS[kind] = cls


KINDS: dict[str, type[SourceEntry]] = {}
"""Known kinds of sources by name."""


def _of_its_kind(value: object) -> SourceEntry:
    if isinstance(value, SourceEntry):
        return value
    if not isinstance(value, Mapping):
        raise PydanticKnownError("model_type", {"class_name": "SourceEntry"})
    if "kind" not in value:
        raise PydanticKnownError("union_tag_not_found", {"discriminator": "kind"})
    kind = str(value["kind"]).strip()
    if kind not in KINDS:
        import_module("fittingroom.crawl.sources").load_kinds()  # found by name: the crawler stands above this module
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise PydanticKnownError("union_tag_invalid", {"tag": kind, "discriminator": "kind", "expected_tags": known})
    return KINDS[kind].model_validate(value)


Source = Annotated[SerializeAsAny[SourceEntry], PlainValidator(_of_its_kind)]
"""Where pictures come from, told apart by ``kind``."""


class PageSource(SourceEntry):
    """A product or listing page. ``images``: "all" takes every picture of the page, "structured" only those that its
    JSON-LD or microdata call a product's. ``next_pattern`` is for listings that do not say ``rel=next``."""

    kind: Literal["page"] = "page"
    url: WebAddress
    images: Literal["all", "structured"] = "all"
    next_pattern: Annotated[str, AfterValidator(_paging)] | None = None
    max_pages: int = Field(20, ge=1, le=1000, description="pages read at most, product pages followed included")


class SearchSource(SourceEntry):
    """Image search through an official API. ``endpoint`` is for a mirror or a Bing-style service of one's own."""

    kind: Literal["search"] = "search"
    query: str = Field(min_length=1, max_length=200)
    provider: Literal["openverse", "google", "bing"] = "openverse"
    limit: int = Field(100, ge=1, le=1000, description="pictures asked for at most")
    licences: str = Field("", description="Openverse: comma-separated licences, such as cc0,by; empty means any")
    endpoint: WebAddress | None = None

    @model_validator(mode="after")
    def _endpoint_known(self) -> SearchSource:
        if self.provider == "bing" and self.endpoint is None:
            raise ValueError("expected endpoint: the address of the Bing-style service")
        return self


class _FileSource(SourceEntry):
    path: Path
    relative_to: Path | None = Field(None, description="the catalog's folder; filled in when the catalog is loaded")

    @property
    def location(self) -> Path:
        """``path`` made absolute."""
        return ((self.relative_to or Path()) / self.path.expanduser()).absolute()


class UrlsSource(_FileSource):
    """A list of picture addresses: .txt (one a line), .csv (a ``url`` column) or .parquet (a ``url`` column)."""

    kind: Literal["urls"] = "urls"


class FolderSource(_FileSource):
    """A folder of pictures captured by hand."""

    kind: Literal["folder"] = "folder"
    recursive: bool = False


class Style(_Model):
    """A garment category with a colour and a pattern, and where its pictures come from."""

    name: Annotated[str, AfterValidator(_slug)]
    category: Annotated[str, AfterValidator(_category)]
    colour: Annotated[str, AfterValidator(_colour)] = ""
    """Left out, the style is its pattern alone, painted in any colours."""
    pattern: Pattern
    sources: list[Source] = Field(min_length=1, max_length=200)

    def card(self, catalog_digest: str = "") -> StyleCard:
        """What it is, without its sources; these, and what they hold, are ``catalog_digest``."""
        return StyleCard(self.name, self.colour, self.pattern, self.category, catalog_digest=catalog_digest)

    def content(self) -> dict[str, Any]:
        """What a training depends on: category, colour, pattern, and the sources as digests, in any order.

        Not counted: the name, licence notes, and where folders and lists lie. What these hold is theirs to say
        (`fittingroom.crawl.style_content`).
        """
        content = self.model_dump(mode="json", exclude={"name"})
        for source in content["sources"]:
            for place in ("licence", "relative_to", "path"):
                source.pop(place, None)
        return content | {"sources": sorted(digest_value(source) for source in content["sources"])}

    def digest(self) -> str:
        """SHA-256 of its `content`."""
        return digest_value(self.content())


class Catalog(_Model):
    """All styles; names are unique."""

    styles: list[Style] = Field(min_length=1, max_length=10_000)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Catalog:
        seen: set[str] = set()
        for style in self.styles:
            if style.name in seen:
                raise ValueError(f"expected each style name once, got {style.name!r} twice")
            seen.add(style.name)
        return self

    def style(self, name: str) -> Style:
        """The style of that name.

        Raises:
            CatalogError: there is none.
        """
        for style in self.styles:
            if style.name == name:
                return style
        raise CatalogError(f"style: expected one of {', '.join(s.name for s in self.styles)}, got {name!r}")


def load_catalog(path: Path) -> Catalog:
    """Read a catalog file, or a folder of such files (``*.yaml``, ``*.yml``) as one catalog.

    Raises:
        CatalogError: naming file, line and field. MissingInputError: no such file, or a folder without one.
    """
    path = Path(path)
    if not path.is_dir():
        return _load_file(path)
    files = sorted(
        file for file in path.iterdir() if file.suffix in (".yaml", ".yml") and not file.name.startswith(".")
    )
    if not files:
        raise MissingInputError("catalog files (*.yaml)", path, "the folder has none")
    found: dict[str, tuple[Path, Style]] = {}
    for file in files:
        for style in _load_file(file).styles:
            if style.name in found:
                raise CatalogError(f"{file}: expected each style name once, got {style.name!r} again "
                                   f"(first in {found[style.name][0].name})")  # fmt: skip
            found[style.name] = file, style
    return Catalog(styles=[style for _, style in found.values()])


def _load_file(path: Path) -> Catalog:
    data, lines = read_yaml(path)
    _refuse_same_name_twice(path, data, lines)
    try:
        catalog = Catalog.model_validate(data)
    except ValidationError as error:
        raise _catalog_error(path, error, lines) from None
    folder = path.absolute().parent
    return Catalog(styles=[_located(style, folder) for style in catalog.styles])


def _located(style: Style, folder: Path) -> Style:
    sources = [s.model_copy(update={"relative_to": folder}) if isinstance(s, _FileSource) else s for s in style.sources]
    return style.model_copy(update={"sources": sources})


def _refuse_same_name_twice(path: Path, data: object, lines: Lines) -> None:
    """`Catalog` refuses it too, but only here is the line of the second one known."""
    styles = data.get("styles") if isinstance(data, dict) else None
    seen: dict[str, int] = {}
    for index, style in enumerate(styles if isinstance(styles, list) else []):
        name = style.get("name") if isinstance(style, dict) else None
        if isinstance(name, str):
            line = lines.get(("styles", index, "name"), 1)
            if name in seen:
                raise CatalogError(
                    f"{path}:{line}: styles[{index}].name: expected each style name once, got {name!r} again "
                    f"(first in line {seen[name]})"
                )
            seen[name] = line


def _catalog_error(path: Path, error: ValidationError, lines: Lines) -> CatalogError:
    problems = sorted((_problem(details, lines) for details in error.errors()), key=lambda problem: problem[0])
    line, field, text = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return CatalogError(f"{path}:{line}: {field}: {text}{more}")


def _problem(details: ErrorDetails, lines: Lines) -> tuple[int, str, str]:
    """Line, field and message of one pydantic error."""
    steps: Location = details["loc"]
    field = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).lstrip(".") or "catalog"
    kind, context = details["type"], details.get("ctx", {})
    if kind == "union_tag_not_found":
        field += ".kind"
    known: Location = steps
    while known and known not in lines:
        known = known[:-1]
    return lines.get(known, 1), field, _explain(kind, context, details)


def _explain(kind: str, context: Mapping[str, Any], details: ErrorDetails) -> str:
    got = repr(details.get("input"))
    got = got if len(got) <= 80 else got[:77] + "..."
    if kind in ("missing", "union_tag_not_found"):
        return "expected a value, got none"
    if kind == "model_type":
        return f"expected {'styles:' if not details['loc'] else 'fields and their values'}, got {got}"
    if kind == "extra_forbidden":
        return "expected no such field here"
    if kind == "literal_error":
        options = ", ".join(re.findall(r"'([^']*)'", str(context["expected"])))
        return f"expected one of {options}, got {got}"
    if kind == "union_tag_invalid":
        return f"kind: expected one of {context['expected_tags']}, got {context['tag']!r}"
    message = str(context["error"]) if kind == "value_error" else details["msg"]
    message = re.sub(r"^Input should be ", "expected ", message)
    if isinstance(details.get("input"), dict | list):
        return message
    return f"{message}, got {got}"
