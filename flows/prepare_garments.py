"""Prepare: crawled photos -> garment-only cut-outs -> square, mirrored training pictures, a shard at a time."""

from __future__ import annotations

from prefect.futures import PrefectFuture

from fittingroom.errors import NothingProduced
from fittingroom.shards import plan_shards
from flows.parameters import PrepareParameters
from flows.stories import HOURS, in_part, named, story
from tasks.caching import CachedResult, Unvisited, result_storage
from tasks.crawling import crawled_pictures, crawled_styles
from tasks.pictures import (
    PreparedStyle,
    cut_out_shard,
    manual_overrides,
    prepare_shard,
    prune_folder,
    show_before_after,
    show_contact_sheet,
    wanted_look,
)
from tasks.runners import ShardRunner
from tasks.serving import finder_if_wanted


@story(
    PrepareParameters,
    name="prepare-garments",
    run_name=lambda parameters: f"prepare {named(parameters.styles)}",
    task_runner=ShardRunner(),
    timeout_seconds=12 * HOURS,
)
def prepare_garments(parameters: PrepareParameters) -> Unvisited[dict[str, PreparedStyle]]:
    """Cut the garments out of every crawled style's photos and make training pictures of them.

    A style of which no picture can be used fails after the others are done.
    """
    place = parameters.place
    with result_storage(place):
        styles = parameters.styles or crawled_styles(place)
        cutting = {style: _cut_out(style, parameters) for style in styles}
        preparing = {style: _prepare(style, cuts, parameters) for style, cuts in cutting.items()}
        settled: dict[str, PreparedStyle] = {}
        empty: dict[str, NothingProduced] = {}
        for style in styles:
            try:
                settled[style] = _settle(style, cutting[style], preparing[style], parameters)
            except NothingProduced as error:
                empty[style] = error
        return in_part(settled, empty)


def _cut_out(style: str, parameters: PrepareParameters) -> list[PrefectFuture[CachedResult]]:
    place = parameters.place
    finder = finder_if_wanted(place, parameters.use_segmenter)
    digests = crawled_pictures(place, style)
    colour, pattern = wanted_look(place, style)
    return [
        cut_out_shard.submit(
            workspace=str(place.root),
            style=style,
            shard=shard,
            settings={"method": parameters.method, "people": parameters.people},
            finder=finder,
            colour=colour if parameters.check_colour else "",
            pattern=pattern if parameters.check_pattern else "",
            by_hand=manual_overrides(place, style, {name: digests[name] for name in shard.names}),
        )
        for shard in plan_shards(digests, parameters.shard_size)
    ]


def _prepare(
    style: str, cuts: list[PrefectFuture[CachedResult]], parameters: PrepareParameters
) -> list[PrefectFuture[CachedResult]]:
    return [
        prepare_shard.submit(
            workspace=str(parameters.place.root),
            style=style,
            cut=cut,  # a shard stays a shard: what was cut together is prepared together
            size=parameters.size,
            flip=parameters.flip,
        )
        for cut in cuts
    ]


def _settle(
    style: str,
    cuts: list[PrefectFuture[CachedResult]],
    prepared: list[PrefectFuture[CachedResult]],
    parameters: PrepareParameters,
) -> PreparedStyle:
    place = parameters.place
    done = PreparedStyle(
        prune_folder(place.cutouts(style), (cut.result() for cut in cuts), f"cutting out {style}"),
        prune_folder(place.prepared(style), (each.result() for each in prepared), f"preparing {style}"),
    )
    show_before_after(place, style, done.cut)
    show_contact_sheet(place, style, crawled_pictures(place, style))
    return done
