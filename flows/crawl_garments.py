"""Crawl: a catalog's styles -> pictures and a manifest for each."""

from __future__ import annotations

from prefect.task_runners import ThreadPoolTaskRunner

from fittingroom.errors import NothingProduced
from flows.parameters import CrawlParameters
from flows.stories import HOURS, in_part, named, story
from tasks.caching import Summary, Unvisited, result_storage
from tasks.cards import cards_of, note_cards
from tasks.crawling import chosen_styles, crawl_of, offers_of, start_fetching


@story(
    CrawlParameters,
    name="crawl-garments",
    run_name=lambda parameters: f"crawl {named(parameters.styles)}",
    task_runner=ThreadPoolTaskRunner(max_workers=8),  # they share one pace for each host, and mostly wait for it
    timeout_seconds=12 * HOURS,
)
def crawl_garments(parameters: CrawlParameters) -> Unvisited[dict[str, Summary]]:
    """Fetch the pictures of each style, politely, and remember what happened to every one of them.

    A style whose shop is down, or that no picture of could be kept, fails after the others are done.
    """
    place, settings = parameters.place, parameters.crawl_settings()
    with result_storage(place):
        styles = chosen_styles(parameters.catalog, parameters.styles)
        cards = cards_of(place, styles)
        offered = offers_of(place, styles, settings, parameters.max_age_hours)
        fetching = {
            name: start_fetching(place, name, future.result(), settings)
            for name, future in offered.items()
            if future.state.is_completed()
        }
        crawled: dict[str, Summary] = {}
        empty: dict[str, NothingProduced] = {}
        for name, shards in fetching.items():
            done = [Summary.of(shard.result()) for shard in shards]
            try:
                crawled[name] = crawl_of(place, name, offered[name].result(), done)
            except NothingProduced as error:
                empty[name] = error
        note_cards(place, (cards[name] for name in crawled))
        for future in offered.values():
            future.result()  # raises what kept a shop from being asked
        return in_part(crawled, empty)
