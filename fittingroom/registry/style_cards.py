"""What a style is by all that is known of it, and whether it is to be trained: judged by content, never by name."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from fittingroom.catalog import load_catalog
from fittingroom.errors import InputError
from fittingroom.registry.registry import Registry, style_model
from fittingroom.registry.versions import ModelVersion
from fittingroom.settings import get_settings
from fittingroom.style_card import CARD_FILE, STYLE_FILE, StyleCard
from fittingroom.workspace import Workspace


def known_card(workspace: Workspace, given: StyleCard) -> StyleCard:
    """What is known of a style: as it was crawled, else as its catalog says, else as its last version.

    Without a crawl there is no digest of its content: what was trained then is no reason not to train the style when it
    is crawled.

    Args:
        workspace: where it is trained.
        given: its name, and what a person said of it, which holds.
    """
    name, folder = given.name, workspace.crawl(given.name)
    crawled = StyleCard.read(name, folder / CARD_FILE) or StyleCard.read(name, folder / STYLE_FILE)
    card = crawled or _catalogued(workspace, name)
    return given.completed(card or replace(registered_card(workspace, name), catalog_digest=""))


def registered_card(workspace: Workspace, name: str) -> StyleCard:
    """What the last version of a style says it is; its name alone when there is none."""
    versions = Registry.from_settings(workspace).versions(style_model(name))
    return versions[0].card if versions else StyleCard(name)


def _catalogued(workspace: Workspace, name: str) -> StyleCard | None:
    with contextlib.suppress(InputError):  # none, or one that cannot be used: that is not asked for here
        return load_catalog(get_settings().catalog or workspace.catalog).style(name).card()
    return None


def newest(versions: Sequence[ModelVersion]) -> ModelVersion:
    """The one registered last."""
    return max(versions, key=lambda version: version.version)


def why_pending(card: StyleCard, versions: Sequence[ModelVersion], what_differs: str = "") -> str:
    """Why a style is to be trained, in a sentence; empty where a version was trained for what it is now. A version that
    failed its gate counts as trained; one that learnt from a picture that was withdrawn since does not.

    Args:
        card: what the style is now.
        versions: those that are registered of it.
        what_differs: in words, between the content of the newest of them and that of ``card``.
    """
    if card.catalog_digest in {version.card.catalog_digest for version in versions if not version.withdrawn}:
        return ""
    if not versions:
        return f"{card.name} is new: there is no version of it yet"
    last = newest(versions)
    if last.withdrawn:
        return f"{card.name}: version {last.version} learnt from a picture that was withdrawn at {last.withdrawn}"
    if not last.card.catalog_digest:
        return f"{card.name}: version {last.version} was trained by hand, not from a catalog"
    what = what_differs or "its entry in the catalog, or pictures"
    return f"{card.name} has changed since version {last.version}: {what}"


def follow_catalog(registry: Registry, styles: Sequence[str], retire: bool) -> list[str]:
    """Retire styles that were trained from a catalog and are not among ``styles`` any more, if asked to; and let serve
    again what was retired in this way and is back. Styles trained by hand, and those a person retired, are left alone.

    Returns:
        what changed, in sentences.
    """
    named, changes = {style_model(style) for style in styles}, []
    if retire:
        for version in registry.champions():
            if version.style and version.card.catalog_digest and version.model not in named:
                registry.retire(version.model, by="catalog")
                changes.append(f"{version.style} left the catalog: it does not serve any more")
    for model, by in registry.retired().items():
        if by == "catalog" and model in named:
            back = registry.reinstate(model)
            changes.append(f"{back.style} is back in the catalog: version {back.version} serves again")
    return changes
