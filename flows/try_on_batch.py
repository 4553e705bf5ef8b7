"""Try-on batch: a folder of photos and the wanted styles -> a picture for each pair, and a manifest of them all."""

from __future__ import annotations

from pathlib import Path

from prefect.futures import PrefectFuture

from fittingroom.styles.registry import SEGMENTER, style_model
from flows.parameters import TryOnBatchParameters
from flows.stories import NothingToDo, named, story
from flows.timeouts import HOURS
from tasks.caching import Content, Record, records_in
from tasks.registering import champion_of, champion_styles
from tasks.runners import shard_runner
from tasks.trying_on import find_waiting_photos, photo_shards, try_on_style, write_manifest


@story(
    TryOnBatchParameters,
    name="try-on-batch",
    run_name=lambda parameters: f"try on {parameters.name}: {named(parameters.styles)}",
    task_runner=shard_runner(),
    timeout_seconds=12 * HOURS,
)
def try_on_batch(parameters: TryOnBatchParameters) -> dict[str, Record] | NothingToDo[dict[str, Record]]:
    """Every wanted style on every photo of the folder, a shard at a time; an empty folder is no error."""
    place = parameters.place
    folder = parameters.persons or place.persons
    photos = find_waiting_photos(place, folder)
    if not photos:
        return NothingToDo(f"no photo in {folder}", {})
    _, segmenter = champion_of(place, SEGMENTER)
    with records_in(place):
        tried = {
            f"{style}, shard {number}": _submit(parameters, style, shard, segmenter)
            for style in parameters.styles or champion_styles(place)
            for number, shard in enumerate(photo_shards(photos, parameters.shard_size), 1)
        }
        records = {name: future.result() for name, future in tried.items()}
        manifest = write_manifest(workspace=str(place.root), name=parameters.name, tried_on=list(records.values()))
    return {**records, "manifest": manifest}


def _submit(
    parameters: TryOnBatchParameters, style: str, shard: list[Content], segmenter: Content
) -> PrefectFuture[Record]:
    version, weights = champion_of(parameters.place, style_model(style))
    future: PrefectFuture[Record] = try_on_style.submit(
        workspace=str(parameters.place.root),
        style=style,
        category=version.tags.get("category") or None,
        persons=shard,
        names=[Path(photo.path).name for photo in shard],
        segmenter=segmenter,
        translator=weights,
        settings={"detail": parameters.detail},
        device=parameters.device,
    )
    return future
