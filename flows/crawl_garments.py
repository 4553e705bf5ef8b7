"""Crawl: a catalog's styles -> pictures and a manifest for each."""

from __future__ import annotations

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows.parameters import CrawlParameters
from flows.timeouts import HOURS
from tasks.caching import Record, records_in
from tasks.crawling import chosen_styles, crawl_of, fetches_of, offer_of


@flow(
    name="crawl-garments",
    flow_run_name="crawl garments",
    log_prints=False,
    # Always threads of this process, whatever other flows run on: they share one pace for each host.
    task_runner=ThreadPoolTaskRunner(max_workers=8),  # type: ignore[arg-type]
    timeout_seconds=12 * HOURS,
)
def crawl_garments(parameters: CrawlParameters) -> dict[str, Record]:
    """Fetch the pictures of each style, politely, and remember what happened to every one of them.

    A style whose shop is down fails after the others are done.
    """
    place, settings = parameters.place, parameters.crawl_settings()
    with records_in(place):
        styles = chosen_styles(parameters.catalog, parameters.styles)
        offered = {style.name: offer_of(place, style, settings, parameters.max_age_hours) for style in styles}
        for future in offered.values():
            future.wait()
        fetching = {
            name: fetches_of(place, name, future.result(), settings)
            for name, future in offered.items()
            if future.state.is_completed()
        }
        crawled = {
            name: crawl_of(place, name, offered[name].result(), [shard.result() for shard in shards])
            for name, shards in fetching.items()
        }
        return {name: crawled[name] for name, future in offered.items() if future.result()}
