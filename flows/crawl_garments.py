"""Crawl: a catalog's styles -> pictures and a manifest for each."""

from __future__ import annotations

from flows.parameters import CrawlParameters
from flows.stories import named, story
from flows.timeouts import HOURS
from tasks.caching import Sealed, Summary, records_in
from tasks.cards import cards_of, note_cards
from tasks.crawling import Fetches, chosen_styles, crawl_of, offers_of
from tasks.runners import ShardRunner


@story(
    CrawlParameters,
    name="crawl-garments",
    run_name=lambda parameters: f"crawl {named(parameters.styles)}",
    task_runner=ShardRunner(threads=8),  # most of them wait for their hosts
    timeout_seconds=12 * HOURS,
)
def crawl_garments(parameters: CrawlParameters) -> Sealed[dict[str, Summary]]:
    """Fetch the pictures of each style, politely, and remember what happened to every one of them.

    A style whose shop is down fails after the others are done.
    """
    place, settings = parameters.place, parameters.crawl_settings()
    with records_in(place):
        styles = chosen_styles(parameters.catalog, parameters.styles)
        cards = cards_of(place, styles)
        offered = offers_of(place, styles, settings, parameters.max_age_hours)
        fetches = Fetches(place, settings)
        fetching = {
            name: fetches.start(name, future.result())
            for name, future in offered.items()
            if future.state.is_completed()
        }
        crawled = {
            name: crawl_of(place, name, offered[name].result(), [Summary.of(shard.result()) for shard in shards])
            for name, shards in fetching.items()
        }
        note_cards(place, (cards[name] for name in crawled))
        return Sealed({name: crawled[name] for name, future in offered.items() if future.result()})
