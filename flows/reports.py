"""What a lifecycle and a retraining tell their reports: the same report, made by the same task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from prefect.utilities.annotations import opaque

from fittingroom import __version__
from fittingroom.registry.registry import style_model
from fittingroom.workspace import Workspace
from flows.parameters import LifecycleParameters, RetrainParameters
from flows.trainings import Trainings
from tasks.caching import CachedResult, Content, Summary, result_storage
from tasks.checking import Checking
from tasks.clock import Clock
from tasks.pictures import PEOPLE, PreparedStyle
from tasks.reporting import (
    PictureSet,
    Work,
    build_report,
    command_of,
    counted,
    counted_together,
    prepared_set,
    stages_of,
)
from tasks.training import chosen_preset
from tasks.trying_on import rows_of

RETRAINING = "retraining"
"""The folder of a retraining's report, under the workspace's reports."""


class Done(NamedTuple):
    """What the stages of a lifecycle gave."""

    crawled: Mapping[str, Summary]
    prepared: Mapping[str, PreparedStyle]
    converted: CachedResult
    dataset: Content
    worn: list[Summary]
    trainings: Trainings
    tried_on: Mapping[str, CachedResult]
    checks: Checking


def report_lifecycle(parameters: LifecycleParameters, done: Done, clock: Clock) -> CachedResult:
    """Write the report of a lifecycle."""
    place, trainings = parameters.place, done.trainings
    names, judged = list(done.prepared), trainings.segmenter.judged
    work: dict[str, Work] = {
        "crawl the shop": {"crawl": done.crawled.values()},
        "cut out and prepare": {
            "cut out": [summary for result in done.prepared.values() for summary in result.cut],
            "prepare": [summary for result in done.prepared.values() for summary in result.prepared],
        },
        "convert annotations": {"write the dataset": [done.converted]},
        "cut out what people wear": {"cut out": done.worn},
        "train, judge, register": {
            **{f"train {model}": [record] for model, record in trainings.trained.items()},
            "evaluate the segmenter": [judged] if judged else [],
            "register": list(trainings.registered.values()),
        },
        "try on": {f"try on {style}": [record] for style, record in done.tried_on.items()},
    }
    with result_storage(place):
        return build_report(
            workspace=str(place.root),
            folder="",
            title="Fittingroom: from a shop's pages to a try-on",
            facts={
                "fittingroom": __version__,
                "flow": "lifecycle",
                "preset": trainings.preset,
                "styles": ", ".join(names),
            },
            about={"date": clock.date, "command": command_of("lifecycle", parameters)},
            stages=stages_of(clock, work),
            data=[*_annotated(parameters, done), *_prepared(parameters, names, done.crawled, done.worn)],
            preset=trainings.preset,
            models=trainings.registered,
            pending=[],
            problems=[f"{model}: {message}" for model, message in trainings.failed.items()],
            overlays=judged["value"]["overlays"] if judged else [],
            tried_on={style: rows_of(record) for style, record in done.tried_on.items()},
            rejected=_rejected(done.crawled, done.prepared),
            checks=opaque(done.checks.rows()),
        )


def _rejected(crawled: Mapping[str, Summary], prepared: Mapping[str, PreparedStyle]) -> Any:
    """By stage; unlooked into by Prefect."""
    return opaque(
        {f"crawl {name}": [summary] for name, summary in crawled.items()}
        | {f"cut out {name}": result.cut for name, result in prepared.items()}
    )


def _annotated(parameters: LifecycleParameters, done: Done) -> list[PictureSet]:
    counts = done.converted["value"]["counts"]
    detail = f"from {parameters.dataset}, drawn with seed {parameters.seed}"
    asked = {"train": parameters.train, "validation": parameters.validation}
    uses = {"train": "the segmenter learnt from them", "validation": "the segmenter was judged on them"}
    return [
        PictureSet(
            name=f"annotated photos, {side}",
            use=use,
            pictures=int(counts[side]),
            digest=done.dataset.digest,
            detail=detail + (f"; {asked[side]:,} were asked for" if counts[side] < asked[side] else ""),
        )
        for side, use in uses.items()
    ]


def _prepared(
    parameters: LifecycleParameters, names: list[str], crawled: Mapping[str, Summary], worn: list[Summary]
) -> list[PictureSet]:
    place, use = parameters.place, "garments people wear, which every style learnt to change"
    people = [prepared_set(place, PEOPLE, use, counted_together(worn))] if worn else []
    return [*(_style_set(place, name, crawled) for name in names), *people]


def _style_set(place: Workspace, name: str, crawled: Mapping[str, Summary]) -> PictureSet:
    return prepared_set(place, name, "what the style looks like", counted(crawled[name].value))


def report_retraining(
    parameters: RetrainParameters,
    why: Mapping[str, str],
    crawled: Mapping[str, Summary],
    prepared: Mapping[str, PreparedStyle],
    trained: Mapping[str, CachedResult],
    failed: Mapping[str, str],
    checks: Checking,
    clock: Clock,
) -> CachedResult:
    """Write the report of a retraining: ``why`` says by style why it was pending."""
    place, preset = parameters.place, chosen_preset(parameters.preset, parameters.device)
    nothing = (
        "Nothing was pending: the registry has a version of every style of the catalog, trained with what its sources "
        "hold now."
    )
    with result_storage(place):
        return build_report(
            workspace=str(place.root),
            folder=RETRAINING,
            title="Fittingroom: styles trained anew",
            subtitle="" if why or failed else nothing,
            facts={"fittingroom": __version__, "flow": "retrain-styles", "preset": preset},
            about={"date": clock.date, "command": command_of("retrain-styles", parameters)},
            stages=stages_of(clock, {"register": {}}),
            data=[_style_set(place, name, crawled) for name in trained],
            rejected=_rejected(crawled, prepared),
            preset=preset,
            models={style_model(name): record for name, record in trained.items()},
            pending=list(why.values()),
            problems=[f"{name}: {message}" for name, message in failed.items()],
            checks=opaque(checks.rows()),
        )
