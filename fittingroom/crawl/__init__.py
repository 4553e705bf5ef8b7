"""Crawl: polite, safe and resumable; every address that a source offers ends as one row of a manifest.

::

    candidates = discover(style, settings)               what the sources offer; no picture is fetched
    shards = plan_fetches(candidates)                    a host's addresses together
    rows = fetch(shard, folder, settings)                one of them: pictures by digest, a row each
    manifest = crawl_style(style, folder, settings)      the whole of one style, in one go

What can become of an address is the closed list `REASONS`; `HEALABLE` are those that a later run tries again.
"""

from fittingroom.crawl.candidates import HEALABLE, REASONS, Candidate
from fittingroom.crawl.content import StyleContent, style_content
from fittingroom.crawl.run import (
    CrawlProgress,
    Listener,
    crawl_style,
    discover,
    fetch,
    mark_gone,
    refuse_damaged,
    rest_hosts,
    tidy,
)
from fittingroom.crawl.search import SearchKeys
from fittingroom.crawl.settings import CrawlSettings
from fittingroom.crawl.sharding import plan_fetches
from fittingroom.crawl.sources import check_sources, pictures_in

__all__ = [
    "HEALABLE",
    "REASONS",
    "Candidate",
    "CrawlProgress",
    "CrawlSettings",
    "Listener",
    "SearchKeys",
    "StyleContent",
    "check_sources",
    "crawl_style",
    "discover",
    "fetch",
    "mark_gone",
    "pictures_in",
    "plan_fetches",
    "refuse_damaged",
    "rest_hosts",
    "style_content",
    "tidy",
]
