"""Convert: a DeepFashion2 folder -> a selection, pair-safely split -> COCO for training and VIA for people."""

from __future__ import annotations

from prefect import flow

from flows.parameters import ConvertParameters
from flows.timeouts import HOURS
from tasks import annotating
from tasks.caching import Record, records_in


@flow(name="convert-annotations", flow_run_name="convert annotations to {parameters.name}", timeout_seconds=6 * HOURS)
def convert_annotations(parameters: ConvertParameters) -> Record:
    """Select photos and write them as the dataset ``parameters.name`` of the workspace."""
    place = parameters.place
    with records_in(place):
        return annotating.convert_annotations(
            workspace=str(place.root),
            name=parameters.name,
            source=annotating.annotation_content(place, parameters.source),
            settings={"train": parameters.train, "validation": parameters.validation, "seed": parameters.seed},
        )
