"""A trial: challenger and incumbent measured on the same held-out pictures, and how much of it is chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

ROUNDS = 400
"""Draws of the bootstrap."""
CERTAIN = 1.96
"""Standard deviations: 95 of 100 chance differences are smaller."""


class Measurement(Protocol):
    """One model's figures on held-out pictures, of all or of some of them."""

    @property
    def pictures(self) -> int:
        """How many there are."""
        ...

    def figures(self, picked: Sequence[int] | None = None) -> dict[str, float]:
        """Over the pictures at these places (some may come twice), by default over all."""
        ...


Measure = Callable[[Path], Measurement]
"""Measures a weights file, on the same pictures each time."""


@dataclass(frozen=True)
class Trial:
    """Figures of both sides on the same pictures.

    ``noise`` is what the difference of the two would vary by with other pictures of the kind: half the width of its
    95 % interval, by drawing the held-out pictures anew (paired bootstrap; Efron and Tibshirani, "An Introduction to
    the Bootstrap", 1993). It is infinite for a single picture, and missing for figures of all pictures together.
    """

    incumbent: str
    """In a sentence: ``champion (version 3)`` or ``starter``."""
    pictures: int
    challenger: dict[str, float]
    defended: dict[str, float]
    """The incumbent's figures."""
    noise: dict[str, float]
    must_be_better: bool = False
    """Whether being as good does not do."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return asdict(self) | {"noise": {name: value for name, value in self.noise.items() if math.isfinite(value)}}


def hold_trial(
    measure: Measure, challenger: Path, defender: Path, incumbent: str, must_be_better: bool = False
) -> Trial:
    """Measure both weights files now and set their difference next to its noise.

    Raises:
        ValueError: not the same pictures; and what ``measure`` raises.
    """
    new, old = measure(challenger), measure(defender)
    if new.pictures != old.pictures:
        raise ValueError(f"expected the same pictures for both, got {new.pictures} and {old.pictures}")
    return Trial(incumbent, new.pictures, new.figures(), old.figures(), noise_of(new, old), must_be_better)


def noise_of(new: Measurement, old: Measurement) -> dict[str, float]:
    """Of each figure, half the width of the 95 % interval of the difference between two models on the same pictures."""
    count = new.pictures
    chance = np.random.default_rng(0)
    differences: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        picked = chance.integers(0, count, count).tolist()
        first, second = new.figures(picked), old.figures(picked)
        for name in first.keys() & second.keys():
            differences.setdefault(name, []).append(first[name] - second[name])
    if count < 2:
        return dict.fromkeys(differences, math.inf)
    few = math.sqrt(count / (count - 1))  # a drawn set varies less than a new one would
    return {name: CERTAIN * few * float(np.std(values)) for name, values in differences.items()}
