"""Retrain: styles that are new in the catalog, or changed -> crawl -> prepare -> train, each once per content."""

from __future__ import annotations

from prefect.client.schemas.objects import State

from fittingroom.errors import FittingroomError
from flows.crawl_garments import crawl_garments
from flows.parameters import CrawlParameters, PrepareParameters, RetrainParameters, TrainStyleParameters
from flows.prepare_garments import prepare_garments
from flows.reports import report_retraining
from flows.stories import named, story
from flows.timeouts import HOURS
from flows.train_style import train_style
from tasks.caching import Record, Summary
from tasks.clock import Clock
from tasks.endings import nothing_to_do
from tasks.pending import StyleCard, pending_styles
from tasks.pictures import PreparedStyle
from tasks.registering import settle_catalog
from tasks.telling import say
from tasks.turns import alone


@story(
    RetrainParameters,
    name="retrain-styles",
    run_name=lambda parameters: f"retrain {named(parameters.styles)}",
    timeout_seconds=168 * HOURS,
)
def retrain_styles(parameters: RetrainParameters) -> dict[str, Record] | State[dict[str, Record]]:
    """Train every style the registry has no version of, judged by content.

    A lost event, a killed worker and a double run are harmless: what is pending is asked of the registry while no other
    retraining is under way. A style that fails does not keep the others from being trained; the run fails at its end.
    """
    if not parameters.catalog.exists():
        return nothing_to_do(f"there is no catalog at {parameters.catalog}", {})
    trained: dict[str, Record] = {}
    failed: dict[str, str] = {}
    clock = Clock()
    with alone(parameters.place, "retrain-styles"):
        settle_catalog(parameters.place, parameters.catalog, parameters.left_catalog == "retire")
        pending = pending_styles(parameters.place, parameters.catalog, parameters.styles)
        failed |= pending.unknown
        for why in pending.why.values():
            say("%s", why)
        crawled: dict[str, Summary] = {}
        prepared: dict[str, PreparedStyle] = {}
        with clock.stage("crawl, cut out, prepare"):
            for style in pending.styles:
                try:
                    crawled |= crawl_garments(_crawling(style, parameters)).content
                    prepared |= prepare_garments(
                        PrepareParameters(workspace=parameters.workspace, styles=[style.name])
                    ).content
                except FittingroomError as error:
                    failed[style.name] = str(error)
        with clock.stage("train, judge, register"):
            for style in (style for style in pending.styles if style.name in prepared):
                try:
                    trained[style.name] = train_style(_training(style, parameters))
                except FittingroomError as error:
                    failed[style.name] = str(error)
        report = report_retraining(parameters, pending.why, crawled, prepared, trained, failed, clock)
    for path in report["value"]["files"].values():
        say("report: %s", parameters.place.root / path)
    if failed:
        reasons = "; ".join(f"{name}: {message}" for name, message in failed.items())
        raise FittingroomError(f"{len(failed)} of {len(failed) + len(trained)} pending styles failed: {reasons}")
    if not trained:
        return nothing_to_do("every style of the catalog was trained with the content it has now", trained)
    return trained


def _crawling(style: StyleCard, parameters: RetrainParameters) -> CrawlParameters:
    return CrawlParameters(
        workspace=parameters.workspace,
        catalog=parameters.catalog,
        styles=[style.name],
        per_host_delay=parameters.per_host_delay,
        max_images=parameters.max_images,
        max_age_hours=parameters.max_age_hours,
        allow_loopback=parameters.allow_loopback,
    )


def _training(style: StyleCard, parameters: RetrainParameters) -> TrainStyleParameters:
    return TrainStyleParameters(
        workspace=parameters.workspace,
        style=style.name,
        preset=parameters.preset,
        settings=parameters.settings,
        domain_a=parameters.domain_a,
        from_nearest=parameters.from_nearest,
        seed=parameters.seed,
        device=parameters.device,
    )
