"""What a style is (category, colour, pattern, digest of its content), for whatever trains it: noted by its crawl."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fittingroom.catalog import Style, load_catalog
from fittingroom.errors import InputError
from fittingroom.settings import get_settings
from fittingroom.workspace import Workspace, write_json
from tasks.crawling import STYLE
from tasks.pending import StyleCard
from tasks.registering import registered_card

CARD = "card.json"
"""In a style's crawl folder: its `StyleCard` at the time of the crawl."""


def cards_of(workspace: Workspace, styles: Iterable[Style]) -> dict[str, StyleCard]:
    """What styles of a catalog are now, by name."""
    return {style.name: StyleCard.of(workspace, style) for style in styles}


def note_cards(workspace: Workspace, cards: Iterable[StyleCard]) -> None:
    """Write down what styles were when they were crawled: their pictures are of that content, not of a later one."""
    for card in cards:
        write_json(workspace.crawl(card.name) / CARD, asdict(card))


def known_card(workspace: Workspace, name: str, **given: str | None) -> StyleCard:
    """What is known of a style: as it was crawled, else as its catalog says, else as its last version.

    Without a crawl there is no digest of its content: what was trained then is no reason not to train the style when it
    is crawled.

    Args:
        workspace: where it is trained.
        name: the style's.
        given: fields that a person gave, which hold; empty ones are looked up.
    """
    card = _crawled(workspace, name) or _catalogued(workspace, name)
    card = card or replace(registered_card(workspace, name), catalog_digest="")
    return replace(card, **{field: value for field, value in given.items() if value})


def _crawled(workspace: Workspace, name: str) -> StyleCard | None:
    for file in (CARD, STYLE):  # the second also stands where an earlier version crawled
        with contextlib.suppress(OSError, ValueError, TypeError):
            said: dict[str, Any] = json.loads((workspace.crawl(name) / file).read_text(encoding="utf-8"))
            return StyleCard(**said | {"name": name})
    return None


def _catalogued(workspace: Workspace, name: str) -> StyleCard | None:
    path: Path = get_settings().catalog or workspace.root / "catalog.yaml"
    with contextlib.suppress(InputError):  # none, or one that cannot be used: that is not asked for here
        style = load_catalog(path).style(name)
        return StyleCard(name, style.category, style.colour, style.pattern)
    return None
