"""Train one style: its prepared pictures and other garments -> CycleGAN -> figures -> gate -> registry."""

from __future__ import annotations

from fittingroom.cores import threads_each
from flows.parameters import TrainStyleParameters
from flows.stories import story
from flows.timeouts import HOURS
from tasks import training
from tasks.caching import Record, records_in
from tasks.cards import known_card
from tasks.pictures import prepared_pictures, source_folders
from tasks.registering import nearest_champion, register_style


@story(
    TrainStyleParameters,
    name="train-style",
    run_name=lambda parameters: f"train style {parameters.style} ({parameters.preset})",
    timeout_seconds=72 * HOURS,
)
def train_style(parameters: TrainStyleParameters) -> Record:
    """Train, evaluate and register; it serves when its gate passes."""
    place = parameters.place
    preset = training.chosen_preset(parameters.preset, parameters.device)
    settings = training.style_settings(preset, parameters.settings, parameters.seed)
    card = known_card(
        place,
        parameters.style,
        category=parameters.category,
        colour=parameters.colour,
        pattern=parameters.pattern,
        catalog_digest=parameters.digest,
    )
    with records_in(place):
        target = prepared_pictures(place, parameters.style)
        sources = parameters.sources or source_folders(
            place, parameters.style, parameters.domain_a, settings["min_pictures"]
        )
        source = [prepared_pictures(place, name) for name in sources]
        trained = training.train_style(
            workspace=str(place.root),
            name=parameters.style,
            source=source,
            target=target,
            settings=settings,
            device=parameters.device,
            threads=threads_each(1),
            warm_start=nearest_champion(place, card, target, settings) if parameters.from_nearest else None,
        )
        return register_style(
            place, trained, card, source, target, settings, preset, parameters.device, parameters.force
        )
