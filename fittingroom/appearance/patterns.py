"""Names the pattern of a garment: a small convolutional network over the views of `pattern_features`.

Five convolutions that all views share; the mean and the peak of each channel, over the whole and over the windows of
each scale; one hidden layer; softmax. It was fitted by ``benchmarks/describe.py``, which also says how often it is
right on garments it has not seen; its numbers lie next to this file.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from fittingroom.appearance.pattern_features import CHANNELS, SCALES, SIDE, WHOLE, channels, middle_of, pattern_views
from fittingroom.errors import WeightsRejected
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.style_card import PATTERNS, Pattern

STRIDES = (2, 2, 1, 2, 1)
"""Of the convolutions, 3 x 3 each."""
PRINTS: tuple[Pattern, ...] = ("floral", "graphic")
"""All over the cloth or in one place: two names for what is not regular."""
_FILE = "pattern_model.npz"

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PatternModel:
    """``kernels`` (3, 3, channels in, channels out) and ``shifts`` (channels out,) of each convolution; hidden (E, M),
    hidden_bias (M,); output (M, 6), output_bias (6,) in `PATTERNS`' order."""

    kernels: tuple[Floats, ...]
    shifts: tuple[Floats, ...]
    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats

    def probabilities(self, whole: Floats, windows: Floats) -> Floats:
        """Of each class in `PATTERNS`, (6,), summing to 1, of what `channels` says of both kinds of views."""
        parts = [self._embedded(whole), *self._embedded(windows).reshape(len(SCALES), -1, self._width).mean(axis=1)]
        hidden = np.maximum(np.concatenate([part.ravel() for part in parts]) @ self.hidden + self.hidden_bias, 0)
        logits = hidden @ self.output + self.output_bias
        raised = np.exp(logits - logits.max())
        return np.asarray(raised / raised.sum(), np.float32)

    @property
    def _width(self) -> int:
        return 2 * len(self.shifts[-1])

    def _embedded(self, views: Floats) -> Floats:
        """Mean and peak of each channel of the last convolution, (N, 2 C)."""
        for kernel, shift, stride in zip(self.kernels, self.shifts, STRIDES, strict=True):
            views = _convolved(views, kernel, shift, stride)
        return np.concatenate([views.mean(axis=(1, 2)), views.max(axis=(1, 2))], axis=1)


def _convolved(views: Floats, kernel: Floats, shift: Floats, stride: int) -> Floats:
    """3 x 3 convolution of ``views`` (N, H, W, C) with zeros around them, then rectified."""
    padded = np.pad(views, ((0, 0), (1, 1), (1, 1), (0, 0)))
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::stride, ::stride]
    rows = around.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kernel[..., 0].size)
    found = rows @ kernel.reshape(-1, kernel.shape[-1])
    found += shift
    return np.asarray(np.maximum(found, 0).reshape(*around.shape[:3], -1), np.float32)


@lru_cache(maxsize=1)
def load_model() -> PatternModel:
    """The network that ships with the package.

    Raises:
        WeightsRejected: the file is damaged.
    """
    try:
        with (files("fittingroom.appearance") / _FILE).open("rb") as file, np.load(file, allow_pickle=False) as values:
            if tuple(values["classes"].tolist()) != PATTERNS:
                raise ValueError("other classes")
            arrays = {name: values[name].astype(np.float32) for name in values.files if name != "classes"}
        kernels = tuple(arrays.pop(f"kernel{number}") for number in range(len(STRIDES)))
        shifts = tuple(arrays.pop(f"shift{number}") for number in range(len(STRIDES)))
        model = PatternModel(kernels, shifts, **arrays)
        model.probabilities(
            np.zeros((1, WHOLE, WHOLE, CHANNELS), np.float32), np.zeros((len(SCALES), SIDE, SIDE, CHANNELS), np.float32)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsRejected(f"{_FILE}: expected the pattern network, got something else: {error}") from None
    return model


def pattern_of(image: RGB, mask: Mask) -> tuple[Pattern, float]:
    """Pattern and its probability (0 to 1) of the garment at ``mask`` (H, W), not empty, of ``image`` (H, W, 3).

    Where a print is likelier than anything else it is the likelier of the two prints.
    """
    probabilities = pattern_probabilities(image, mask)
    printed = sum(probabilities[name] for name in PRINTS)
    best = max(PATTERNS, key=lambda name: (printed if name in PRINTS else probabilities[name], probabilities[name]))
    return best, round(probabilities[best], 4)


def pattern_probabilities(image: RGB, mask: Mask) -> dict[Pattern, float]:
    """Of each pattern, its probability (0 to 1) for the garment at ``mask`` (H, W), not empty, of ``image``."""
    whole, windows = pattern_views(image, mask)
    middle = middle_of(whole)
    values = load_model().probabilities(channels(whole, middle), channels(windows, middle))
    return dict(zip(PATTERNS, values.tolist(), strict=True))
