"""What a style's training gives, and what an earlier call left in its folder: the same one's result, or another's."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fittingroom.errors import InputError, MissingInputError, WeightsRejected
from fittingroom.training.weights import read_weights
from fittingroom.translation.predict import KIND
from fittingroom.translation.selection import Chosen
from fittingroom.translation.settings import StyleSettings
from fittingroom.workspace import write_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StyleTraining:
    """What a training produced.

    Attributes:
        weights: the file to serve. metrics: figures on held-out source pictures. sheets: before/after PNGs, oldest
        first. already_done: nothing was trained, the same settings and data had been trained before.
    """

    name: str
    weights: Path
    metrics: dict[str, float]
    settings: StyleSettings
    identity: str
    steps: int
    sheets: list[Path] = field(default_factory=list)
    already_done: bool = False

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return {
            "name": self.name,
            "weights": str(self.weights),
            "metrics": self.metrics,
            "settings": self.settings.to_json(),
            "identity": self.identity,
            "steps": self.steps,
            "sheets": [str(path) for path in self.sheets],
            "already_done": self.already_done,
        }


def finished(out: Path, name: str, settings: StyleSettings, identity: str) -> StyleTraining | None:
    """The result of the same training when it had ended before, else None."""
    weights = out / "weights.safetensors"
    if not weights.is_file():
        return None
    try:
        info = read_weights(weights, KIND).info
    except WeightsRejected:
        return None
    if info.get("identity") != identity:
        return None
    return StyleTraining(
        name, weights, info["metrics"], settings, identity, info["steps"], sheets_in(out), already_done=True
    )


def clear_other_training(out: Path, identity: str) -> None:
    """Remove what a training with other settings or pictures left in ``out``."""
    marker = out / "run.json"
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))["identity"]
    except (OSError, ValueError, KeyError):
        found = None
    if found != identity:
        if (out / "checkpoints").exists() or found is not None:
            log.warning("%s holds a training with other settings or pictures; starting anew", out)
        for folder in ("checkpoints", "samples"):
            shutil.rmtree(out / folder, ignore_errors=True)
        for file in ("weights.safetensors", "best.safetensors", "progress.jsonl", PICTURES):
            (out / file).unlink(missing_ok=True)
        write_json(marker, {"identity": identity})


PICTURES = "pictures.json"
"""In a training's folder: which pictures it learnt from, kept back and left out."""


def write_pictures(out: Path, chosen: Chosen) -> None:
    """Write `PICTURES`: by domain (``source``, ``target``) the file names ``learnt_from`` and ``held_out``, and what
    was ``left_out`` as ``{"picture", "reason"}``.
    """
    write_json(out / PICTURES, pictures_of(chosen))


def pictures_of(chosen: Chosen) -> dict[str, Any]:
    """What `write_pictures` writes."""
    return {
        "source": {
            "learnt_from": [picture.path.name for picture in chosen.source],
            "held_out": [picture.path.name for picture in chosen.held_out],
            "left_out": [left.to_json() for left in chosen.left_out if left.domain == "source"],
        },
        "target": {
            "learnt_from": [picture.path.name for picture in chosen.target],
            "held_out": [],
            "left_out": [left.to_json() for left in chosen.left_out if left.domain == "target"],
        },
    }


def read_pictures(out: Path) -> dict[str, Any]:
    """What `write_pictures` wrote.

    Raises:
        MissingInputError: there is none. InputError: it is damaged.
    """
    path = out / PICTURES
    try:
        pictures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(pictures["source"]["held_out"], list):
            raise TypeError
    except FileNotFoundError:
        raise MissingInputError("list of a training's pictures", path, "train the style again") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path}: expected the list of a training's pictures; train the style again") from None
    return pictures


def sheets_in(out: Path) -> list[Path]:
    return sorted((out / "samples").glob("step-*.png"))
