"""What the catalog's styles are now, remembered for reasons; and which of them are to be trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fittingroom.catalog import Style
from fittingroom.errors import InputError
from fittingroom.lineage.withdraw import mark_versions
from fittingroom.registry.registry import Registry, style_model
from fittingroom.registry.style_cards import newest, why_pending
from fittingroom.registry.versions import ModelVersion
from fittingroom.style_card import CARD_FILE, StyleCard
from fittingroom.workspace import Workspace
from tasks.crawling import chosen_styles
from tasks.digests import Digests
from tasks.explaining import Call, remember, what_differs

_CONTENT = "style content"


def cards_of(workspace: Workspace, styles: Iterable[Style]) -> dict[str, StyleCard]:
    """What styles of a catalog are now, by name.

    Raises:
        MissingInputError, CatalogError: a folder or list that is not there, or cannot be read.
    """
    cards, errors = read_cards(workspace, styles)
    for error in errors.values():
        raise error
    return cards


def read_cards(workspace: Workspace, styles: Iterable[Style]) -> tuple[dict[str, StyleCard], dict[str, InputError]]:
    """Of a catalog's styles, by name, with what their folders and lists hold now; what that is is remembered, for
    reasons. And by name the error of each whose folder or list is not there, or cannot be read.
    """
    from fittingroom.crawl import Withdrawals, style_content

    cards: dict[str, StyleCard] = {}
    errors: dict[str, InputError] = {}
    done: list[tuple[str, Call]] = []
    withdrawn = Withdrawals.read(workspace).digests
    with Digests(workspace) as digests:
        for style in styles:
            try:
                content = style_content(style, digests.of, withdrawn)
            except InputError as error:
                errors[style.name] = error
                continue
            cards[style.name] = style.card(content.digest)
            done.append((content.digest, Call.of(_CONTENT, 1, {"name": style.name, **vars(content)})))
    remember(workspace, *done)
    return cards, errors


def note_cards(workspace: Workspace, cards: Iterable[StyleCard]) -> None:
    """Write down what styles were when they were crawled: their pictures are of that content, not of a later one."""
    for card in cards:
        card.write(workspace.crawl(card.name) / CARD_FILE)


@dataclass(frozen=True)
class Pending:
    """Styles to train, by name why; and by name why it cannot be told of others."""

    why: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)


def pending_styles(workspace: Workspace, catalog_file: Path, names: list[str]) -> Pending:
    """The catalog's styles that were not trained yet with the content they have now, or only from pictures that were
    withdrawn since."""
    trained: dict[str, list[ModelVersion]] = {}
    registry = Registry.from_settings(workspace)
    mark_versions(workspace, registry)
    for version in registry.all_versions():
        trained.setdefault(version.model, []).append(version)
    cards, errors = read_cards(workspace, chosen_styles(catalog_file, names))
    found = Pending(unknown={name: str(error) for name, error in errors.items()})
    before = {name: newest(versions) for name in cards if (versions := trained.get(style_model(name)))}
    pairs = {name: (version.card.catalog_digest, cards[name].catalog_digest) for name, version in before.items()}
    differs = what_differs(workspace, _CONTENT, pairs)
    for name, card in cards.items():
        if why := why_pending(card, trained.get(style_model(name), []), differs.get(name, "")):
            found.why[name] = why
    return found
