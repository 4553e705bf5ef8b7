"""Retrain: styles that are new in the catalog, or changed -> crawl -> prepare -> train, each once per content."""

from __future__ import annotations

from prefect import flow

from flows.crawl_garments import crawl_garments
from flows.parameters import CrawlParameters, PrepareParameters, RetrainParameters, TrainStyleParameters
from flows.prepare_garments import prepare_garments
from flows.train_style import train_style
from tasks.caching import Record
from tasks.registering import pending_styles


@flow(name="retrain-styles", flow_run_name="retrain styles")
def retrain_styles(parameters: RetrainParameters) -> dict[str, Record]:
    """Train every style the registry has no version of, judged by content: a lost event or a double run is harmless."""
    styles = pending_styles(parameters.place, parameters.catalog, parameters.styles)
    if not styles:
        return {}
    names = [style.name for style in styles]
    shared = {"workspace": parameters.workspace}
    crawl_garments(
        CrawlParameters(
            **shared,
            catalog=parameters.catalog,
            styles=names,
            per_host_delay=parameters.per_host_delay,
            max_age_hours=parameters.max_age_hours,
            allow_loopback=parameters.allow_loopback,
        )
    )
    prepare_garments(PrepareParameters(**shared, styles=names))
    return {
        style.name: train_style(
            TrainStyleParameters(
                **shared,
                style=style.name,
                category=style.category,
                colour=style.colour,
                pattern=style.pattern,
                digest=style.digest(),
                preset=parameters.preset,
                settings=parameters.settings,
                seed=parameters.seed,
                device=parameters.device,
            )
        )
        for style in styles
    }
