"""The models that serve, loaded when first needed and again when another version becomes champion."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from fittingroom.errors import MissingInputError
from fittingroom.styles.choose import AvailableStyle, available_styles
from fittingroom.styles.registry import SEGMENTER, Registry, style_model

if TYPE_CHECKING:
    from fittingroom.segmentation.predict import Segmenter
    from fittingroom.starter import StarterModels
    from fittingroom.translation.predict import Translator


class Champions:
    """Segmenter and translators by their champions. Safe to share between threads.

    Args:
        registry: where the champions are.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        kept: how many styles' translators stay in memory.
        starter: what answers while the registry has no style's champion, and no segmenter's; None for nothing.
    """

    def __init__(
        self, registry: Registry, device: str = "auto", kept: int = 8, starter: StarterModels | None = None
    ) -> None:
        self.registry, self.device, self._kept, self._starter = registry, device, kept, starter
        self._lock = threading.Lock()
        self._segmenter: tuple[int, Segmenter] | None = None
        self._translators: OrderedDict[tuple[str, int], Translator] = OrderedDict()

    def styles(self) -> list[AvailableStyle]:
        """Every style that can be tried on, by name."""
        return available_styles(self.registry) or (self._starter.styles() if self._starter else [])

    def uses_starter(self) -> bool:
        """Whether the styles are the starter's."""
        return self._starter is not None and not available_styles(self.registry)

    def segmenter(self) -> Segmenter:
        """The champion segmenter.

        Raises:
            MissingInputError: there is none.
        """
        from fittingroom.segmentation.predict import Segmenter

        champion = self.registry.champion(SEGMENTER)
        version = champion.version if champion else 0
        with self._lock:
            if self._segmenter is None or self._segmenter[0] != version:
                starter = self._starter.segmenter() if self._starter else None
                weights = self.registry.weights_path(champion) if champion else starter
                if weights is None:
                    raise MissingInputError(
                        "segmenter", "no champion in the registry", "train one: fittingroom train segmenter"
                    )
                self._segmenter = (version, Segmenter.load(weights, self.device))
            return self._segmenter[1]

    def translator(self, style: str) -> Translator:
        """The champion of a style.

        Raises:
            MissingInputError: there is none.
        """
        from fittingroom.translation.predict import Translator

        champion = self.registry.champion(style_model(style))
        starter = self._starter.style(style) if self._starter and champion is None and self.uses_starter() else None
        if champion is None and starter is None:
            known = ", ".join(found.name for found in self.styles()) or "none yet"
            raise MissingInputError("style", style, f"there is {known}")
        key = (style, champion.version if champion else 0)
        with self._lock:
            if key not in self._translators:
                weights = self.registry.weights_path(champion) if champion else starter
                assert weights is not None
                self._translators[key] = Translator.load(weights, self.device)
                while len(self._translators) > self._kept:
                    self._translators.popitem(last=False)
            self._translators.move_to_end(key)
            return self._translators[key]
