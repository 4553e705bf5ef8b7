"""Try-on batch: a folder of photos and the wanted styles -> a picture for each pair, and a manifest of them all."""

from __future__ import annotations

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture

from flows.parameters import TryOnBatchParameters
from flows.stories import HOURS, named, story
from tasks.caching import CachedResult, Content, result_storage
from tasks.runners import ShardRunner
from tasks.serving import ServingModel, ServingModels, models_for
from tasks.telling import nothing_to_do
from tasks.trying_on import (
    arguments_of,
    find_waiting_photos,
    photo_shards,
    repeated,
    rows_of,
    tried,
    try_on_style,
    write_manifest,
)


@story(
    TryOnBatchParameters,
    name="try-on-batch",
    run_name=lambda parameters: f"try on {parameters.name}: {named(parameters.styles)}",
    task_runner=ShardRunner(),
    timeout_seconds=12 * HOURS,
)
def try_on_batch(parameters: TryOnBatchParameters) -> dict[str, CachedResult] | State[dict[str, CachedResult]]:
    """Every wanted style on every photo of the folder, a shard at a time; an empty folder is no error."""
    place = parameters.place
    folder = parameters.persons or place.persons
    photos = find_waiting_photos(place, folder)
    if not photos:
        return nothing_to_do(f"no photos in {folder}", {})
    models = models_for(place, parameters.styles, photos, parameters.device, **parameters.wish())
    with result_storage(place):
        trying = {
            f"{style.name}, shard {number}": _submit(parameters, style, shard, models)
            for style in models.styles
            for number, shard in enumerate(photo_shards(photos, parameters.shard_size), 1)
        }
        for future in trying.values():
            future.wait()
        records = {name: tried(future.state) for name, future in trying.items()}
        manifest = write_manifest(
            workspace=str(place.root),
            name=parameters.name,
            rows=[row for record in records.values() for row in rows_of(record)],
            repeats=repeated(place, photos),
        )
    return {**records, "manifest": manifest}


def _submit(
    parameters: TryOnBatchParameters, style: ServingModel, shard: list[Content], models: ServingModels
) -> PrefectFuture[CachedResult]:
    asked = arguments_of(parameters.place, style, shard, models, parameters.look(), parameters.device)
    future: PrefectFuture[CachedResult] = try_on_style.submit(**asked)
    return future
