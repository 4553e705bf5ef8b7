"""Retrain: styles that are new in the catalog, or changed -> crawl -> prepare -> train, each once per content."""

from __future__ import annotations

from prefect.client.schemas.objects import State

from fittingroom.errors import FittingroomError
from flows.crawl_garments import crawl_garments
from flows.parameters import CrawlParameters, PrepareParameters, RetrainParameters, TrainStyleParameters
from flows.prepare_garments import prepare_garments
from flows.reports import report_retraining
from flows.stories import HOURS, named, story
from flows.train_style import train_style
from tasks.caching import CachedResult, Summary
from tasks.cards import pending_styles
from tasks.checking import Checking
from tasks.clock import Clock
from tasks.concurrency import exclusive
from tasks.pictures import PreparedStyle
from tasks.registering import settle_catalog
from tasks.telling import nothing_to_do, say


@story(
    RetrainParameters,
    name="retrain-styles",
    run_name=lambda parameters: f"retrain {named(parameters.styles)}",
    timeout_seconds=168 * HOURS,
)
def retrain_styles(parameters: RetrainParameters) -> dict[str, CachedResult] | State[dict[str, CachedResult]]:
    """Train every style the registry has no version of, judged by content.

    A lost event, a killed worker and a double run are harmless: what is pending is asked of the registry while no other
    retraining is under way. A style that fails, or that a check blocks, does not keep the others from being trained;
    the run fails at its end.
    """
    if not parameters.catalog.exists():
        return nothing_to_do(f"there is no catalog at {parameters.catalog}", {})
    trained: dict[str, CachedResult] = {}
    failed: dict[str, str] = {}
    clock = Clock()
    with exclusive(parameters.place, "retrain-styles"):
        settle_catalog(parameters.place, parameters.catalog, parameters.left_catalog == "retire")
        pending = pending_styles(parameters.place, parameters.catalog, parameters.styles)
        failed |= pending.unknown
        checks = Checking(parameters.place, parameters.catalog, pending.why, parameters.check_settings())
        why = checks.reminded(pending.why)
        for words in why.values():
            say("%s", words)
        crawled: dict[str, Summary] = {}
        prepared: dict[str, PreparedStyle] = {}
        with clock.stage("crawl, cut out, prepare"):
            for style in checks.going_on():
                try:
                    crawled |= crawl_garments(parameters.part(CrawlParameters, styles=[style])).content
                    checks.crawled([style], crawled)
                    if style not in checks.blocked:
                        prepared |= prepare_garments(parameters.part(PrepareParameters, styles=[style])).content
                        checks.cut_out([style], prepared)
                except FittingroomError as error:
                    failed[style] = str(error)
        failed |= {style: f"blocked by {words}" for style, words in checks.blocked.items()}
        with clock.stage("train, judge, register"):
            for style in (style for style in pending.why if style in prepared and style not in failed):
                try:
                    trained[style] = train_style(parameters.part(TrainStyleParameters, style=style))
                except FittingroomError as error:
                    failed[style] = str(error)
        checks.judged(trained.values())
        checks.show("retrain-styles")
        report = report_retraining(parameters, why, crawled, prepared, trained, failed, checks, clock)
    for path in report["value"]["files"].values():
        say("report: %s", parameters.place.root / path)
    if failed:
        reasons = "; ".join(f"{name}: {message}" for name, message in failed.items())
        raise FittingroomError(f"{len(failed)} of {len(failed) + len(trained)} pending styles failed: {reasons}")
    if not trained:
        return nothing_to_do("every style of the catalog was trained with the content it has now", trained)
    return trained
