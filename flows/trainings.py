"""All trainings of a lifecycle: the segmenter first, the styles in turn beside it, each judged at its end."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from prefect.futures import PrefectFuture

from fittingroom.catalog import Style
from fittingroom.cores import threads_each
from fittingroom.errors import FittingroomError
from fittingroom.styles.registry import SEGMENTER, style_model
from flows.parameters import LifecycleParameters
from tasks import training
from tasks.caching import Content, Record
from tasks.cards import known_card
from tasks.contents import file_content
from tasks.pictures import prepared_pictures, source_folders
from tasks.registering import judge_segmenter, register_segmenter, register_style
from tasks.summing_up import verdict_of
from tasks.telling import say
from tasks.turns import in_turn


class StylePictures(NamedTuple):
    """What a style is trained on, as the folders were when its training began."""

    source: list[Content]
    target: Content


class Trainings:
    """What will be trained, its settings checked when it is made; `carry_out` trains, judges and registers."""

    def __init__(self, parameters: LifecycleParameters, styles: list[Style]) -> None:
        self.parameters, self.styles = parameters, {style_model(style.name): style for style in styles}
        self.preset = training.chosen_preset(parameters.preset, parameters.device)
        seed, preset = parameters.seed, self.preset
        self.segmenter_settings = training.segmenter_settings(preset, parameters.segmenter, seed)
        self.style_settings = training.style_settings(preset, parameters.style, seed)
        backbone = parameters.backbone_weights
        self.backbone = file_content(parameters.place, backbone) if backbone else None
        self.pictures: dict[str, StylePictures] = {}
        self.trained: dict[str, Record] = {}
        self.registered: dict[str, Record] = {}
        self.failed: dict[str, str] = {}
        self.evaluated: Record  # the segmenter on held-out photos, once `carry_out` has come so far

    def carry_out(self, dataset: Content) -> None:
        """Train everything, in turn. A style that fails is named in ``failed``; a segmenter that fails ends it all."""
        starts = {SEGMENTER: partial(self._start_segmenter, dataset)}
        starts |= {model: partial(self._start_style, style) for model, style in self.styles.items()}
        for model, future in in_turn(starts, self.parameters.trainings_at_once):
            try:
                self.trained[model] = future.result()
                self.registered[model] = self._register(model, dataset)
                say("%s: %s", model, verdict_of(self.registered[model]["value"]))
            except FittingroomError as error:
                if model == SEGMENTER:
                    raise
                self.failed[model] = str(error)

    def _start_segmenter(self, dataset: Content) -> PrefectFuture[Record]:
        future: PrefectFuture[Record] = training.train_segmenter.submit(
            dataset=dataset, settings=self.segmenter_settings, backbone=self.backbone, **self._where()
        )
        return future

    def _start_style(self, style: Style) -> PrefectFuture[Record]:
        pictures = self.pictures[style.name] = StylePictures(self._source(style), self._target(style))
        future: PrefectFuture[Record] = training.train_style.submit(
            name=style.name,
            source=pictures.source,
            target=pictures.target,
            settings=self.style_settings,
            **self._where(),
        )
        return future

    def _register(self, model: str, dataset: Content) -> Record:
        place, preset, trained, device = self.parameters.place, self.preset, self.trained[model], self.parameters.device
        if model == SEGMENTER:
            self.evaluated = judge_segmenter(place, trained, dataset, device)
            return register_segmenter(place, trained, self.evaluated, dataset, self.segmenter_settings, preset, device)
        card = known_card(place, self.styles[model].name)
        source, target = self.pictures[card.name]
        return register_style(place, trained, card, source, target, self.style_settings, preset, device)

    def _where(self) -> dict[str, Any]:
        return {
            "workspace": str(self.parameters.place.root),
            "device": self.parameters.device,
            "threads": threads_each(self.parameters.trainings_at_once),
        }

    def _target(self, style: Style) -> Content:
        return prepared_pictures(self.parameters.place, style.name)

    def _source(self, style: Style) -> list[Content]:
        """What people wear and, where asked for, the other styles' garments."""
        place, others = self.parameters.place, [other.name for other in self.styles.values()]
        least = self.style_settings["min_pictures"]
        names = source_folders(place, style.name, self.parameters.domain_a, least, others)
        return [prepared_pictures(place, name) for name in names]
