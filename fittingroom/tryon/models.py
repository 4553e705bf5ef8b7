"""The models that serve, loaded when first needed and again when others serve in their place."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from fittingroom.appearance.choose import AvailableStyle
from fittingroom.registry.serving import Served, Serving

if TYPE_CHECKING:
    from fittingroom.segmentation.predict import Segmenter
    from fittingroom.translation.predict import Translator

_Key = tuple[str, int | None, str]
"""Model, version and its weights' digest: what is loaded anew when it changes, by a restored backup too."""


class Champions:
    """Segmenter and translators as they serve. Safe to share between threads.

    Args:
        serving: what serves.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        kept: how many styles' translators stay in memory.
    """

    def __init__(self, serving: Serving, device: str = "auto", kept: int = 8) -> None:
        self.serving, self.device, self._kept = serving, device, kept
        self._lock = threading.Lock()
        self._segmenter: tuple[_Key, Segmenter] | None = None
        self._translators: OrderedDict[_Key, Translator] = OrderedDict()

    def styles(self) -> list[AvailableStyle]:
        """Every style that can be tried on, by name."""
        return [served.style for served in self.serving.styles() if served.style]

    def versions(self) -> dict[str, int | None]:
        """By the styles' names, which version serves; None for a starter."""
        return {served.name: served.version for served in self.serving.styles()}

    def domains(self, style: str) -> dict[str, str]:
        """What the segmenter and a style learnt from, for `fittingroom.domain.warn_of_photo`.

        Raises:
            MissingInputError: one of them does not serve.
        """
        return {served.title: served.domain for served in self._both(style)}

    def weights_of(self, style: str) -> dict[str, str]:
        """Which weights the segmenter and a style are (`fittingroom.registry.serving.Serving.version`), by their names.

        Raises:
            MissingInputError: one of them does not serve.
        """
        return {served.title: self.serving.version(served) for served in self._both(style)}

    def _both(self, style: str) -> tuple[Served, Served]:
        return self.serving.segmenter(), self.serving.style(style)

    def segmenter(self) -> Segmenter:
        """The segmenter.

        Raises:
            MissingInputError: there is none.
        """
        from fittingroom.segmentation.torchvision_import import import_torchvision_light

        import_torchvision_light()
        from fittingroom.segmentation.predict import Segmenter

        served = self.serving.segmenter()
        with self._lock:
            if self._segmenter is None or self._segmenter[0] != _key(served):
                self._segmenter = (_key(served), Segmenter.load(self.serving.weights(served), self.device))
            return self._segmenter[1]

    def translator(self, style: str) -> Translator:
        """The model of a style.

        Raises:
            MissingInputError: there is none; the message lists what serves.
        """
        from fittingroom.translation.predict import Translator

        served = self.serving.style(style)
        key = _key(served)
        with self._lock:
            if key not in self._translators:
                self._translators[key] = Translator.load(self.serving.weights(served), self.device)
                while len(self._translators) > self._kept:
                    self._translators.popitem(last=False)
            self._translators.move_to_end(key)
            return self._translators[key]


def _key(served: Served) -> _Key:
    return served.model, served.version, served.champion.weights_sha256 if served.champion else ""
