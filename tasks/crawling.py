"""Crawl one style: pictures by digest and a manifest, and a table of what was not kept."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import Task

from fittingroom.catalog import Catalog, FolderSource, Style, UrlsSource, load_catalog
from fittingroom.errors import InputError, MissingInputError, NothingProduced
from fittingroom.manifest import Manifest
from fittingroom.workspace import Workspace, digest_value
from tasks.artifacts import artifact_key, show_rejected, show_table
from tasks.caching import Made, Record, step
from tasks.contents import file_content, folder_content

REJECTED_KEPT = 200
"""Rows about pictures not kept that a record carries; the manifest has all."""


def chosen_styles(catalog_file: Path, names: list[str]) -> list[Style]:
    """The catalog's styles of these names, in the catalog's order; all of them for no names.

    Raises:
        CatalogError, MissingInputError: the file. InputError: a name that is not in it.
    """
    catalog: Catalog = load_catalog(catalog_file)
    known = [style.name for style in catalog.styles]
    for name in names:
        if name not in known:
            raise InputError(f"styles: expected names out of {', '.join(known)}, got {name!r}")
    return [style for style in catalog.styles if not names or style.name in names]


@dataclass(frozen=True)
class Order:
    """A style to crawl. ``digest`` stands for it and for what lies in its folders and lists."""

    style: dict[str, Any]
    digest: str


def order_of(workspace: Workspace, style: Style) -> Order:
    """What to crawl for ``style``: a new file in one of its folders makes another order of it.

    Raises:
        MissingInputError: a folder or list that is not there.
    """
    contents = []
    for source in style.sources:
        if isinstance(source, FolderSource):
            contents.append(folder_content(workspace, source.location).digest)
        elif isinstance(source, UrlsSource):
            contents.append(file_content(workspace, source.location).digest)
    return Order(style.model_dump(mode="json"), digest_value([style.digest(), *contents]))


@step("crawl", version=1, run_name="crawl {name}")
def crawl(workspace: str, name: str, order: Order, settings: dict[str, Any]) -> Made:
    """Fetch the pictures of one style.

    Raises:
        NothingProduced: none could be kept.
    """
    from fittingroom.crawl import CrawlSettings, crawl_style

    folder = Workspace(Path(workspace)).crawl(name)
    manifest = crawl_style(Style.model_validate(order.style), folder, CrawlSettings(**settings))
    kept = manifest.kept()
    rejected = [
        {"status": row.status, "reason": row.reason or row.status, "picture": row.key, "detail": row.detail}
        for row in manifest.rows
        if row.status != "kept"
    ]
    show_table(
        artifact_key("crawl", name),
        [{"what": what, "pictures": count} for what, count in manifest.counts().items()],
        f"What became of the pictures of {name}",
    )
    show_rejected(artifact_key("crawl", name, "rejected"), rejected, f"Pictures of {name} that were not kept")
    if not kept:
        raise NothingProduced(f"style {name}: expected pictures, its sources gave none that could be kept")
    value = {"counts": manifest.counts(), "rejected": rejected[:REJECTED_KEPT]}
    return Made(value, [folder / row.path for row in kept])


def crawl_of(workspace: Workspace, style: Style, settings: dict[str, Any], max_age_hours: float) -> Record:
    """Crawl ``style``, or take what was found no longer than ``max_age_hours`` ago."""
    fresh: Task[..., Record] = crawl.with_options(cache_expiration=datetime.timedelta(hours=max_age_hours))
    return fresh(
        workspace=str(workspace.root),
        name=style.name,
        order=order_of(workspace, style),
        settings=settings,
    )


def crawled_styles(workspace: Workspace) -> list[str]:
    """Styles that have a crawl manifest.

    Raises:
        MissingInputError: none has.
    """
    found = sorted(path.parent.name for path in (workspace.root / "crawl").glob("*/manifest.jsonl"))
    if not found:
        raise MissingInputError("crawled styles", workspace.root / "crawl", "crawl first")
    return found


def crawled_pictures(workspace: Workspace, style: str) -> dict[str, str]:
    """Path relative to the workspace -> SHA-256 of every usable crawled picture of a style.

    Raises:
        MissingInputError: the style was not crawled, or nothing was kept.
    """
    folder = workspace.crawl(style)
    kept = Manifest.read(folder / "manifest.jsonl").kept()
    if not kept:
        raise MissingInputError(f"crawled pictures of {style}", folder, "crawl it first")
    return {workspace.relative(folder / row.path): row.sha256 for row in kept}
