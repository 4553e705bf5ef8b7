"""Crawl a style: ask its sources, fetch shard by shard, and show what became of every address."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import Task
from prefect.blocks.system import Secret
from prefect.futures import PrefectFuture, wait
from prefect.utilities.annotations import opaque

from fittingroom.catalog import Catalog, SearchSource, Style, load_catalog
from fittingroom.errors import InputError, MissingInputError, NothingProduced
from fittingroom.manifest import Manifest
from fittingroom.settings import get_settings
from fittingroom.style_card import STYLE_FILE
from fittingroom.workspace import Workspace, digest_value, write_json
from tasks.artifacts import artifact_key, show_rejected, show_table
from tasks.caching import CachedResult, StepResult, Summary, step
from tasks.digests import Digests
from tasks.fingerprints import output_paths
from tasks.telling import run_logger

if TYPE_CHECKING:
    from fittingroom.crawl import Candidate, SearchKeys
    from fittingroom.crawl.sharding import FetchShard

MANIFEST = "manifest.jsonl"
OFFERED = "offered.json"
SECRET_BLOCKS = {
    "google_api_key": "fittingroom-google-api-key",
    "google_engine_id": "fittingroom-google-engine-id",
    "bing_api_key": "fittingroom-bing-api-key",
}
"""Prefect Secret blocks that are looked for, by the key they hold."""
EXAMPLES = 20
"""Rows about pictures not kept that a record carries for each reason; the manifest has all."""


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
    """A style to crawl. ``digest`` stands for it, and for what lies in its folders and lists and where: what they offer
    is files of that place.
    """

    style: dict[str, Any]
    digest: str

    @classmethod
    def of(cls, workspace: Workspace, style: Style) -> Order:
        """Of a catalog's style.

        Raises:
            MissingInputError, CatalogError: a folder or list that is not there, or of a kind that cannot be read.
        """
        from fittingroom.crawl import local_files

        files = local_files(style)
        with Digests(workspace) as digests:
            held = [[str(file.absolute()), digests.of(file)] for file in (*files.pictures, *files.lists)]
        return cls(style.model_dump(mode="json"), digest_value([style.digest(), *sorted(held)]))


@step("offer", version=2, run_name="ask the sources of {name}")
def offer(workspace: str, name: str, order: Order, settings: dict[str, Any]) -> StepResult:
    """Ask the sources of one style what they offer; what they offered once and no longer do is marked, not deleted."""
    from fittingroom.crawl import CrawlSettings, discover, mark_gone

    place, crawling = Workspace(Path(workspace)), CrawlSettings(**settings)
    style = Style.model_validate(order.style)
    candidates = discover(style, crawling, search_keys(style))
    folder = place.crawl(name)
    mark_gone(candidates, folder, crawling)
    write_json(folder / OFFERED, [candidate.to_json() for candidate in candidates], indent=None)
    style.card().write(folder / STYLE_FILE)
    over = [candidate for candidate in candidates if candidate.reason == "limit"]
    if over:
        run_logger().warning(
            "%s: offered %d, %d of them not taken: %s", name, len(candidates), len(over), over[0].detail
        )
    return StepResult({"offered": len(candidates)}, [folder / OFFERED, folder / STYLE_FILE])


@step("fetch", version=1, run_name="fetch {name}: {shard.label}", ignore=("offered",))
def fetch_shard(
    workspace: str,
    name: str,
    shard: FetchShard,
    offered: CachedResult,
    settings: dict[str, Any],
    retryable: list[str],  # noqa: ARG001  part of the key: while something may be retried, the shard is not done
) -> StepResult:
    """Fetch the addresses of one shard; what the manifest says is settled is not asked for again."""
    from fittingroom.crawl import CrawlSettings, fetch

    place, crawling = Workspace(Path(workspace)), CrawlSettings(**settings)
    folder, names = place.crawl(name), set(shard.names)
    candidates = [candidate for candidate in offered_candidates(place, offered) if candidate.url in names]
    rows = fetch(candidates, folder, crawling)
    return StepResult({"counts": Manifest(rows).counts()}, [folder / row.path for row in rows if row.status == "kept"])


@step("crawl", version=4, run_name="crawl {name}")
def crawl(workspace: str, name: str, offered: CachedResult, fetched: list[Summary]) -> StepResult:  # noqa: ARG001  part of the key
    """What became of every address of a style, once its shards are fetched; the pictures are vouched for by them.

    Raises:
        NothingProduced: none could be kept.
    """
    from fittingroom.crawl import tidy

    folder = Workspace(Path(workspace)).crawl(name)
    tidy(folder)
    manifest = Manifest.read(folder / MANIFEST)
    rejected = [
        {"status": row.status, "reason": row.reason or row.status, "picture": row.key, "detail": row.detail}
        for row in manifest.rows
        if row.status != "kept"
    ]
    show_table(
        artifact_key("crawl", name),
        [{"what": what, "pictures": count} for what, count in manifest.counts().items()],
        f"What became of the pictures of {name}, in {folder}",
    )
    show_rejected(
        artifact_key("crawl", name, "rejected"),
        rejected,
        f"Pictures of {name} that were not kept, of {folder / MANIFEST}",
    )
    if not any(row.status == "kept" for row in manifest.rows):
        raise NothingProduced(f"style {name}: expected pictures, its sources gave none that could be kept")
    return StepResult(
        {"offered": offered["value"]["offered"], "counts": manifest.counts(), "rejected": some_of_each(rejected)}
    )


def some_of_each(rejected: list[dict[str, str]]) -> list[dict[str, str]]:
    """A few rows of each reason, in their order: a record names examples, its counts and the manifest say all."""
    seen: Counter[str] = Counter()
    kept = []
    for row in rejected:
        seen[row["reason"]] += 1
        if seen[row["reason"]] <= EXAMPLES:
            kept.append(row)
    return kept


def offers_of(
    workspace: Workspace, styles: list[Style], settings: dict[str, Any], max_age_hours: float
) -> dict[str, PrefectFuture[CachedResult]]:
    """Ask the sources of each style, or take what they said no longer than ``max_age_hours`` ago; all have ended."""
    fresh: Task[..., CachedResult] = offer.with_options(cache_expiration=datetime.timedelta(hours=max_age_hours))
    offered: dict[str, PrefectFuture[CachedResult]] = {
        style.name: fresh.submit(
            workspace=str(workspace.root), name=style.name, order=Order.of(workspace, style), settings=settings
        )
        for style in styles
    }
    wait(list(offered.values()))
    return offered


def start_fetching(
    workspace: Workspace, name: str, offered: CachedResult, settings: dict[str, Any]
) -> list[PrefectFuture[CachedResult]]:
    """One task a shard of what a style was offered, side by side in threads of this process, which share one pace for
    each host."""
    from fittingroom.crawl import RETRYABLE, plan_fetches

    candidates = offered_candidates(workspace, offered)
    with Digests(workspace) as digests:
        shards = plan_fetches(candidates, digest_of=lambda path: digests.of(path) if path.is_file() else "")
    manifest = workspace.crawl(name) / MANIFEST
    retryable = {row.key for row in Manifest.read(manifest, lambda values: values.get("reason") in RETRYABLE).rows}
    return [
        fetch_shard.submit(
            workspace=str(workspace.root),
            name=name,
            shard=shard,
            offered=offered,
            settings=settings,
            retryable=sorted(retryable.intersection(shard.names)),
        )
        for shard in shards
    ]


def crawl_of(workspace: Workspace, name: str, offered: CachedResult, fetched: list[Summary]) -> Summary:
    """`crawl`, with the seconds that the whole of it took."""
    record = crawl(workspace=str(workspace.root), name=name, offered=opaque(offered), fetched=opaque(fetched))
    seconds = record["seconds"] + offered["seconds"] + sum(part.seconds for part in fetched)
    return replace(Summary.of(record), seconds=round(seconds, 3))


def offered_candidates(workspace: Workspace, offered: CachedResult) -> list[Candidate]:
    """What `offer` found."""
    from fittingroom.crawl import Candidate

    (file,) = output_paths(workspace, offered["outputs"], suffix=OFFERED)
    return [Candidate(**values) for values in json.loads(file.read_text(encoding="utf-8"))]


def search_keys(style: Style) -> SearchKeys:
    """Keys for the style's image searches: from Prefect Secret blocks where there are any, else the installation's.

    They are read here, where they are used, so that they are in no parameter, record or log.
    """
    from fittingroom.crawl import SearchKeys

    keys = SearchKeys.from_installation(get_settings())
    if not any(isinstance(source, SearchSource) and source.provider != "openverse" for source in style.sources):
        return keys
    return replace(keys, **{name: secret for name, block in SECRET_BLOCKS.items() if (secret := _secret(block))})


def _secret(block: str) -> str:
    try:
        found = Secret.load(block)
    except ValueError:  # no such block
        return ""
    return str(found.get()) if isinstance(found, Secret) else ""


def crawled_styles(workspace: Workspace) -> list[str]:
    """Styles that have a crawl manifest.

    Raises:
        MissingInputError: none has.
    """
    found = sorted(path.parent.name for path in (workspace.root / "crawl").glob(f"*/{MANIFEST}"))
    if not found:
        raise MissingInputError("crawled styles", workspace.root / "crawl", "crawl first")
    return found


def crawled_pictures(workspace: Workspace, style: str) -> dict[str, str]:
    """Path relative to the workspace -> SHA-256 of every usable crawled picture of a style. One whose file was lost or
    damaged since is left out and gets a row that says so; the next crawl fetches it again.

    Raises:
        MissingInputError: the style was not crawled, or nothing was kept.
    """
    from fittingroom.crawl import refuse_damaged

    folder = workspace.crawl(style)
    with Digests(workspace) as digests:
        kept = refuse_damaged(folder, digests.of)
    if not kept:
        raise MissingInputError(f"crawled pictures of {style}", folder, "crawl it first")
    return {f"{workspace.relative(folder)}/{row.path}": row.sha256 for row in kept}
