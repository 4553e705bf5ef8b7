"""Names the pattern of a garment: a small neural network over the features of `pattern_features`.

The network (one hidden layer of rectified units, softmax out) was fitted by ``benchmarks/describe.py``, which also
says how often it is right on garments it has not seen; its numbers lie beside this file as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fittingroom.errors import WeightsRejected
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.styles.pattern_features import pattern_features

PatternName = Literal["solid", "striped", "checked", "dotted", "floral", "graphic"]
PATTERN_NAMES: tuple[PatternName, ...] = get_args(PatternName)

LIMIT = 4.0
"""Standardised features are kept within this many standard deviations."""
_FILE = "pattern_model.json"

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PatternModel:
    """mean, scale (N,); hidden (N, M), hidden_bias (M,); output (M, 6), output_bias (6,) in `PATTERN_NAMES`' order."""

    mean: Floats
    scale: Floats
    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats

    def probabilities(self, features: NDArray[np.floating]) -> Floats:
        """Of each class in `PATTERN_NAMES`, (6,), summing to 1."""
        standard = np.clip((features - self.mean) / self.scale, -LIMIT, LIMIT)
        logits = np.maximum(standard @ self.hidden + self.hidden_bias, 0) @ self.output + self.output_bias
        raised = np.exp(logits - logits.max())
        return np.asarray(raised / raised.sum())


@lru_cache(maxsize=1)
def load_model() -> PatternModel:
    """The network that ships with the package.

    Raises:
        WeightsRejected: the file is damaged.
    """
    try:
        values = json.loads((files("fittingroom.styles") / _FILE).read_text(encoding="utf-8"))
        if tuple(values.pop("classes")) != PATTERN_NAMES:
            raise ValueError("other classes")
        arrays = {name: np.asarray(numbers, np.float64) for name, numbers in values.items()}
        model = PatternModel(**arrays)
        model.probabilities(np.zeros(model.mean.shape))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsRejected(f"{_FILE}: expected the pattern network, got something else: {error}") from None
    return model


def pattern_of(image: RGB, mask: Mask) -> tuple[PatternName, float]:
    """Pattern and its probability (0 to 1) of the garment at ``mask`` (H, W), not empty, of ``image`` (H, W, 3)."""
    probabilities = pattern_probabilities(image, mask)
    best = max(PATTERN_NAMES, key=lambda name: probabilities[name])
    return best, round(probabilities[best], 4)


def pattern_probabilities(image: RGB, mask: Mask) -> dict[PatternName, float]:
    """Of each pattern, its probability (0 to 1) for the garment at ``mask`` (H, W), not empty, of ``image``."""
    values = load_model().probabilities(pattern_features(image, mask))
    return dict(zip(PATTERN_NAMES, values.tolist(), strict=True))
