"""Train one style: its prepared pictures and other garments -> CycleGAN -> figures -> gate -> registry."""

from __future__ import annotations

from prefect import flow

from fittingroom.cores import threads_each
from flows.parameters import TrainStyleParameters
from flows.timeouts import HOURS
from tasks import training
from tasks.caching import Record, records_in
from tasks.pictures import prepared_pictures, source_folders
from tasks.registering import StyleCard, nearest_champion, register_style


@flow(name="train-style", flow_run_name="train-style {parameters.style}", timeout_seconds=72 * HOURS)
def train_style(parameters: TrainStyleParameters) -> Record:
    """Train, evaluate and register; it serves when its gate passes."""
    place = parameters.place
    settings = training.style_settings(parameters.preset, parameters.settings, parameters.seed)
    card = StyleCard(
        parameters.style, parameters.category or "", parameters.colour, parameters.pattern, parameters.digest
    )
    with records_in(place):
        target = prepared_pictures(place, parameters.style)
        source = [
            prepared_pictures(place, name) for name in source_folders(place, parameters.style, parameters.sources)
        ]
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
        return register_style(place, trained, card, source, target, settings, parameters.preset)
