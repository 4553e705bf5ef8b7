"""Try on: photos and styles -> pictures, each style by its champion."""

from __future__ import annotations

from pathlib import Path

from fittingroom.styles.registry import SEGMENTER, style_model
from flows.parameters import TryOnParameters
from flows.stories import named, story
from flows.timeouts import HOURS
from tasks.caching import Record, records_in
from tasks.registering import champion_of, champion_styles
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
    _, segmenter = champion_of(place, SEGMENTER)
    found: dict[str, Record] = {}
    with records_in(place):
        for style in parameters.styles or champion_styles(place):
            version, weights = champion_of(place, style_model(style))
            found[style] = try_on_style(
                workspace=str(place.root),
                style=style,
                category=version.tags.get("category") or None,
                persons=photos,
                names=[Path(photo.path).name for photo in photos],
                segmenter=segmenter,
                translator=weights,
                settings={"detail": parameters.detail},
                device=parameters.device,
            )
    return found
