"""Convert: a DeepFashion2 folder -> a selection, pair-safely split -> COCO for training and VIA for people."""

from __future__ import annotations

from flows.parameters import ConvertParameters
from flows.stories import HOURS, story
from tasks import annotating
from tasks.caching import CachedResult, result_storage
from tasks.runners import ShardRunner


@story(
    ConvertParameters,
    name="convert-annotations",
    run_name=lambda parameters: f"convert annotations of {parameters.source.name} to {parameters.name}",
    task_runner=ShardRunner(),
    timeout_seconds=6 * HOURS,
)
def convert_annotations(parameters: ConvertParameters) -> CachedResult:
    """Select photos and write them as the dataset ``parameters.name`` of the workspace."""
    place, name = parameters.place, parameters.name
    with result_storage(place):
        source = annotating.annotation_content(place, parameters.source)
        scans = [
            annotating.scan_annotations.submit(
                workspace=str(place.root), source=source, shard=shard, conditions=parameters.conditions
            )
            for shard in annotating.plan_scans(place, parameters.source, parameters.shard_size)
        ]
        return annotating.write_dataset(
            workspace=str(place.root),
            name=name,
            source=source,
            settings=parameters.selection_settings(),
            scans=[scan.result()["value"] for scan in scans],
        )
