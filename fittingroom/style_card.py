"""What a style is: the same few facts in a catalog, a crawl folder, a registered version's tags and a run's form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from fittingroom.workspace import write_json

Pattern = Literal["solid", "striped", "checked", "dotted", "floral", "graphic"]
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
"""The patterns a style may have."""

Lab = tuple[float, float, float]
"""A colour in CIELAB (D65)."""

STYLE_FILE, CARD_FILE = "style.json", "card.json"
"""In a style's crawl folder: its card as its sources were asked, and once it was crawled."""
_IN_FILES = ("name", "category", "colour", "pattern", "catalog_digest")

Card = TypeVar("Card", bound="StyleCard")


@dataclass(frozen=True)
class StyleCard:
    """What is known of a style; what is not is empty.

    Attributes:
        colour, pattern: in words.
        category: one of DeepFashion2's.
        lab: the colour that its pictures were measured to have; None where they were not.
        catalog_digest: `fittingroom.crawl.StyleContent.digest` of what was crawled, or trained.
    """

    name: str
    colour: str = ""
    pattern: str = ""
    category: str = ""
    lab: Lab | None = None
    catalog_digest: str = field(default="", kw_only=True)

    @classmethod
    def from_tags(cls: type[Card], name: str, tags: Mapping[str, str], catalog_digest: str = "") -> Card:
        """From the tags of a registered version; missing ones are empty."""
        lab: Lab | None = None
        try:
            first, second, third = json.loads(tags.get("lab", ""))
            lab = (float(first), float(second), float(third))
        except (ValueError, TypeError):
            pass
        colour, pattern, category = (tags.get(fact, "") for fact in ("colour", "pattern", "category"))
        return cls(name, colour, pattern, category, lab, catalog_digest=catalog_digest)

    def to_tags(self) -> dict[str, str]:
        """As tags of a registered version."""
        tags = {"style": self.name, "colour": self.colour, "pattern": self.pattern, "category": self.category}
        return tags | ({"lab": json.dumps([round(v, 2) for v in self.lab])} if self.lab else {})

    @classmethod
    def read(cls: type[Card], name: str, file: Path) -> Card | None:
        """What a file in a style's crawl folder says of it; None where there is none, or one that says nothing."""
        try:
            said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            facts: dict[str, Any] = {fact: str(said.get(fact, "")) for fact in _IN_FILES}
        except (OSError, ValueError, AttributeError):
            return None
        return cls(**facts | {"name": name})

    def write(self, file: Path) -> None:
        """Write it down, for `read`."""
        write_json(file, {fact: value for fact in _IN_FILES if (value := getattr(self, fact))})

    def completed(self: Card, other: StyleCard) -> Card:
        """What is not known here as ``other`` says it."""
        return replace(self, **{fact: value for fact, value in vars(other).items() if not getattr(self, fact)})

    @property
    def any_colour(self) -> bool:
        """Whether a catalog gives it a pattern and no colour: it is to be painted in whatever colours are wanted."""
        return bool(self.catalog_digest and self.pattern and not self.colour)

    def words(self) -> str:
        """For a message: ``navy-striped (blue, striped)``."""
        details = ", ".join(part for part in (self.colour, self.pattern) if part)
        return f"{self.name} ({details})" if details else self.name
