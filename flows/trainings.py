"""Trainings: what each learns from, how it is started, judged and registered; alone, or all of a lifecycle in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from prefect.futures import PrefectFuture

from fittingroom.catalog import Style
from fittingroom.cores import threads_each
from fittingroom.errors import FittingroomError
from fittingroom.registry.registry import SEGMENTER, style_model
from fittingroom.registry.style_cards import known_card
from fittingroom.segmentation import settings as segmenter_settings
from fittingroom.train_and_admit import style_digests
from fittingroom.translation import settings as style_settings
from flows.parameters import LifecycleParameters, TrainSegmenterParameters, TrainStyleParameters
from tasks import training
from tasks.caching import CachedResult, Content
from tasks.concurrency import run_bounded
from tasks.fingerprints import file_content
from tasks.pictures import prepared_pictures, source_folders
from tasks.registering import nearest_champion, register_result, weights_of
from tasks.summing_up import verdict_of
from tasks.telling import say


class SegmenterTraining:
    """The segmenter's; its settings are checked when it is made."""

    judged: CachedResult | None = None
    """Figures on held-out photos, once it is registered."""

    def __init__(self, parameters: TrainSegmenterParameters) -> None:
        self.asked = parameters
        self.preset = training.chosen_preset(parameters.preset, parameters.device)
        self.settings = training.checked_settings(segmenter_settings, self.preset, parameters.settings, parameters.seed)
        backbone = parameters.backbone_weights
        self.backbone = file_content(parameters.place, backbone) if backbone else None

    def arguments(self, dataset: Content, at_once: int = 1) -> dict[str, Any]:
        """Of `tasks.training.train_segmenter`, for one of ``at_once`` trainings that share the machine."""
        return {
            "workspace": str(self.asked.place.root),
            "dataset": dataset,
            "settings": self.settings,
            "backbone": self.backbone,
            "device": self.asked.device,
            "threads": threads_each(at_once),
        }

    def register(self, trained: CachedResult, dataset: Content) -> CachedResult:
        """Judge it, and let its gate decide whether it serves."""
        place, device = self.asked.place, self.asked.device
        weights = weights_of(place, trained)
        judged: CachedResult = training.evaluate_segmenter(
            workspace=str(place.root), weights=weights, dataset=dataset, device=device
        )
        self.judged = judged
        return register_result(
            place,
            SEGMENTER,
            trained,
            metrics=judged["value"]["metrics"],
            preset=self.preset,
            digests={"dataset": dataset.digest},
            recipe=self.settings,
            style=None,
            dataset=dataset.path,
            device=device,
            force=self.asked.force,
        )


class StyleTraining:
    """A style's; its settings are checked when it is made, and what it learns from is what is there when it begins."""

    def __init__(self, parameters: TrainStyleParameters) -> None:
        self.asked = parameters
        self.preset = training.chosen_preset(parameters.preset, parameters.device)
        self.settings = training.checked_settings(style_settings, self.preset, parameters.settings, parameters.seed)

    def arguments(self, at_once: int = 1, others: Sequence[str] | None = None) -> dict[str, Any]:
        """Of `tasks.training.train_style`; ``others`` are the styles to learn from where asked for, None for all."""
        place, asked = self.asked.place, self.asked
        self.card = known_card(place, asked.card)
        if self.card.any_colour:
            self.settings = training.settings_for_any_colour(self.settings, self.card.pattern)
        self.target = prepared_pictures(place, asked.style)
        names = asked.sources or source_folders(
            place, asked.style, asked.domain_a, self.settings["min_pictures"], others
        )
        self.source = [prepared_pictures(place, name) for name in names]
        nearest = nearest_champion(place, self.card, self.target, self.settings) if asked.from_nearest else None
        return {
            "workspace": str(place.root),
            "name": asked.style,
            "source": self.source,
            "target": self.target,
            "settings": self.settings,
            "device": asked.device,
            "threads": threads_each(at_once),
            "warm_start": nearest,
        }

    def register(self, trained: CachedResult) -> CachedResult:
        """Let its gate decide whether it serves."""
        return register_result(
            self.asked.place,
            style_model(self.card.name),
            trained,
            metrics=trained["value"]["metrics"],
            preset=self.preset,
            digests=style_digests(self.card, [folder.digest for folder in self.source], self.target.digest),
            recipe=self.settings,
            style=self.card,
            pictures=self.target.path,
            device=self.asked.device,
            force=self.asked.force,
        )


class Trainings:
    """All of a lifecycle: the segmenter first, the styles in turn next to it. Settings are checked when it is made."""

    def __init__(self, parameters: LifecycleParameters, styles: list[Style]) -> None:
        self.at_once = parameters.trainings_at_once
        self.preset = preset = training.chosen_preset(parameters.preset, parameters.device)
        self.segmenter = SegmenterTraining(
            parameters.part(TrainSegmenterParameters, preset=preset, settings=parameters.segmenter)
        )
        self.styles = {
            style_model(style.name): StyleTraining(
                parameters.part(TrainStyleParameters, preset=preset, settings=parameters.style, style=style.name)
            )
            for style in styles
        }
        self.trained: dict[str, CachedResult] = {}
        self.registered: dict[str, CachedResult] = {}
        self.failed: dict[str, str] = {}

    def carry_out(self, dataset: Content, left_out: Mapping[str, str]) -> None:
        """Train everything but what is ``left_out`` (by model, why), in turn. That, and a style that fails, is named in
        ``failed``; a segmenter that fails ends it all."""
        self.failed |= left_out
        models = [model for model in (SEGMENTER, *self.styles) if model not in left_out]
        starts = {model: partial(self._start, model, dataset) for model in models}
        for model, future in run_bounded(starts, self.at_once):
            try:
                self.trained[model] = future.result()
                self.registered[model] = self._register(model, dataset)
                say("%s: %s", model, verdict_of(self.registered[model]["value"]))
            except FittingroomError as error:
                if model == SEGMENTER:
                    raise
                self.failed[model] = str(error)

    def _start(self, model: str, dataset: Content) -> PrefectFuture[CachedResult]:
        future: PrefectFuture[CachedResult]
        if model == SEGMENTER:
            future = training.train_segmenter.submit(**self.segmenter.arguments(dataset, self.at_once))
        else:
            names = [style.asked.style for style in self.styles.values()]
            future = training.train_style.submit(**self.styles[model].arguments(self.at_once, names))
        return future

    def _register(self, model: str, dataset: Content) -> CachedResult:
        trained = self.trained[model]
        if model == SEGMENTER:
            return self.segmenter.register(trained, dataset)
        return self.styles[model].register(trained)
