"""Crawl: a catalog's styles -> pictures and a manifest for each."""

from __future__ import annotations

from prefect import flow

from flows.parameters import CrawlParameters
from flows.timeouts import HOURS
from tasks.caching import Record, records_in
from tasks.crawling import chosen_styles, crawl_of


@flow(name="crawl-garments", flow_run_name="crawl garments", log_prints=False, timeout_seconds=12 * HOURS)
def crawl_garments(parameters: CrawlParameters) -> dict[str, Record]:
    """Fetch the pictures of each style, politely, and remember what happened to every one of them."""
    with records_in(parameters.place):
        return {
            style.name: crawl_of(parameters.place, style, parameters.crawl_settings(), parameters.max_age_hours)
            for style in chosen_styles(parameters.catalog, parameters.styles)
        }
