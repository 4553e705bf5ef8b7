"""Crawl: polite, safe and resumable; every address that a source offers ends as one row of a manifest.

::

    candidates = discover(style, settings)               what the sources offer; no picture is fetched
    shards = plan_fetches(candidates)                    a host's addresses together
    rows = fetch(shard, folder, settings)                one of them: pictures by digest, a row each
    manifest = crawl_style(style, folder, settings)      the whole of one style, in one go

What can become of an address is the closed list `REASONS`; `RETRYABLE` are those that a later run tries again.
"""

from fittingroom.crawl.candidates import REASONS, RETRYABLE, Candidate
from fittingroom.crawl.run import (
    CrawlProgress,
    Listener,
    crawl_style,
    discover,
    fetch,
    mark_gone,
    refuse_damaged,
    tidy,
)
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.crawl.sharding import plan_fetches
from fittingroom.crawl.sources import StyleContent, local_files, style_content
from fittingroom.crawl.sources.source import SearchKeys
from fittingroom.crawl.withdrawn import Withdrawals

__all__ = [
    "REASONS",
    "RETRYABLE",
    "Candidate",
    "CrawlProgress",
    "CrawlSettings",
    "Listener",
    "SearchKeys",
    "StyleContent",
    "Withdrawals",
    "crawl_style",
    "discover",
    "fetch",
    "local_files",
    "mark_gone",
    "plan_fetches",
    "refuse_damaged",
    "style_content",
    "tidy",
]
