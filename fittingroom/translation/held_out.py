"""A style's held-out garments, to measure any style's weights on: the same pictures, towards the same colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fittingroom.errors import MissingInputError
from fittingroom.training.weights import read_weights
from fittingroom.translation.evaluate import StyleTarget, evaluate_translator, summary_of
from fittingroom.translation.predict import KIND, Translator
from fittingroom.translation.result import read_pictures


@dataclass(frozen=True)
class StyleMeasurement:
    """One translator's figures, picture by picture."""

    rows: list[dict[str, Any]]

    @property
    def pictures(self) -> int:
        """How many there are."""
        return len(self.rows)

    def figures(self, picked: Sequence[int] | None = None) -> dict[str, float]:
        """As `fittingroom.translation.evaluate` gives them, over some pictures or all."""
        return summary_of(self.rows if picked is None else [self.rows[i] for i in picked])


def measure_style_on(images: Sequence[Path], target: StyleTarget, device: str) -> Callable[[Path], StyleMeasurement]:
    """Measures a weights file on ``images`` (prepared pictures) by its distance to ``target``."""

    def measure(weights: Path) -> StyleMeasurement:
        return StyleMeasurement(evaluate_translator(Translator.load(weights, device), images, target).rows)

    return measure


def held_out_of(training: Path, folders: Sequence[Path], device: str) -> Callable[[Path], StyleMeasurement]:
    """Measures on the garments that the training in the folder ``training`` kept back, sought in ``folders``.

    Measuring raises MissingInputError when the weights, the list of pictures, or one of these is not there any more.
    """

    def measure(weights: Path) -> StyleMeasurement:
        info = read_weights(training / "weights.safetensors", KIND).info
        images = [_found(name, folders) for name in read_pictures(training)["source"]["held_out"]]
        return measure_style_on(images, StyleTarget.from_json(info["target"]), device)(weights)

    return measure


def _found(name: str, folders: Sequence[Path]) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise MissingInputError("held-out picture", name, "prepare the pictures again")
