"""Which styles are to be trained, and why: those that no registered version was trained for as they are now."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fittingroom.catalog import Style
from fittingroom.errors import InputError
from fittingroom.styles.registry import style_model
from fittingroom.styles.versions import ModelVersion
from fittingroom.workspace import Workspace
from tasks.crawling import chosen_styles
from tasks.digests import Digests
from tasks.explaining import Call, remember, what_differs
from tasks.serving import open_registry

if TYPE_CHECKING:
    from fittingroom.crawl import StyleContent

STYLE_DIGEST = "style"
"""Under this name a version's digests hold `StyleContent.digest` of what it was trained for."""


@dataclass(frozen=True)
class StyleCard:
    """What a style is, as registered with its model: ``catalog_digest`` is `StyleContent.digest`."""

    name: str
    category: str = ""
    colour: str = ""
    pattern: str = ""
    catalog_digest: str = ""

    @classmethod
    def of(cls, workspace: Workspace, style: Style) -> StyleCard:
        """Of a catalog's style, with what its folders and lists hold now; what that is is remembered, for reasons.

        Raises:
            MissingInputError, CatalogError: a folder or list that is not there, or cannot be read.
        """
        from fittingroom.crawl import style_content

        with Digests(workspace) as digests:
            content = style_content(style, digests.of)
        remember(workspace, content.digest, _call(style.name, content))
        return cls(style.name, style.category, style.colour, style.pattern, content.digest)


def _call(name: str, content: StyleContent) -> Call:
    return Call.of("style content", 1, {"name": name, **asdict(content)})


@dataclass(frozen=True)
class Pending:
    """Styles to train, by name why; and by name why it cannot be told of others."""

    styles: list[StyleCard] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)


def pending_styles(workspace: Workspace, catalog_file: Path, names: list[str]) -> Pending:
    """The catalog's styles that were not trained yet with the content they have now.

    A version that failed its gate counts as trained.
    """
    trained: dict[str, list[ModelVersion]] = {}
    for version in open_registry(workspace).all_versions():
        trained.setdefault(version.model, []).append(version)
    found = Pending()
    for style in chosen_styles(catalog_file, names):
        try:
            card = StyleCard.of(workspace, style)
        except InputError as error:
            found.unknown[style.name] = str(error)
            continue
        versions = trained.get(style_model(style.name), [])
        if card.catalog_digest not in {version.digests.get(STYLE_DIGEST) for version in versions}:
            found.styles.append(card)
            found.why[style.name] = why_pending(workspace, card, versions)
    return found


def why_pending(workspace: Workspace, card: StyleCard, versions: list[ModelVersion]) -> str:
    """Why a style is to be trained, in a sentence; ``versions`` are those registered of it."""
    if not versions:
        return f"{card.name} is new: there is no version of it yet"
    newest = max(versions, key=lambda version: version.version)
    trained_for = newest.digests.get(STYLE_DIGEST, "")
    if not trained_for:
        return f"{card.name}: version {newest.version} was trained by hand, not from a catalog"
    what = what_differs(workspace, "style content", card.name, trained_for, card.catalog_digest)
    return f"{card.name} has changed since version {newest.version}: {what or 'its entry in the catalog, or pictures'}"
