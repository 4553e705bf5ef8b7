"""Try on: photos and styles -> pictures, each style by the model that serves."""

from __future__ import annotations

from pathlib import Path

from flows.parameters import TryOnParameters
from flows.stories import named, story
from flows.timeouts import HOURS
from tasks.caching import Record, records_in
from tasks.serving import models_for
from tasks.trying_on import find_photos, try_on_style


@story(
    TryOnParameters,
    name="try-on",
    run_name=lambda parameters: f"try on {named(parameters.styles)}",
    timeout_seconds=2 * HOURS,
)
def try_on(parameters: TryOnParameters) -> dict[str, Record]:
    """Show every wanted style on every photo; a photo with no garment is a row in a table."""
    place = parameters.place
    photos = find_photos(place, parameters.persons)
    models = models_for(place, parameters.styles, photos, parameters.device, **parameters.wish())
    with records_in(place):
        return {
            style.name: try_on_style(
                workspace=str(place.root),
                style=style.name,
                category=style.category,
                persons=photos,
                names=[Path(photo.path).name for photo in photos],
                segmenter=models.segmenter.weights,
                translator=style.weights,
                domains=models.domains(style),
                settings={"detail": parameters.detail, **style.painting},
                device=parameters.device,
            )
            for style in models.styles
        }
