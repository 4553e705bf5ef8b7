"""Try on: photos and styles -> pictures, each style by the model that serves."""

from __future__ import annotations

from typing import Any

from flows.parameters import TryOnParameters
from flows.stories import HOURS, named, story
from tasks.caching import CachedResult, Content, result_storage
from tasks.serving import ServingModel, ServingModels, models_for
from tasks.trying_on import arguments_of, find_photos, tried, try_on_style


@story(
    TryOnParameters,
    name="try-on",
    run_name=lambda parameters: f"try on {named(parameters.styles)}",
    timeout_seconds=2 * HOURS,
)
def try_on(parameters: TryOnParameters) -> dict[str, CachedResult]:
    """Show every wanted style on every photo; a photo with no garment is a row in a table."""
    place = parameters.place
    photos = find_photos(place, parameters.persons)
    models = models_for(place, parameters.styles, photos, parameters.device, **parameters.wish())
    with result_storage(place):
        return {style.name: _try_on(style, photos, models, parameters) for style in models.styles}


def _try_on(
    style: ServingModel, photos: list[Content], models: ServingModels, parameters: TryOnParameters
) -> CachedResult:
    asked = arguments_of(parameters.place, style, photos, models, parameters.look(), parameters.device)
    state: Any = try_on_style(**asked, return_state=True)
    return tried(state)
