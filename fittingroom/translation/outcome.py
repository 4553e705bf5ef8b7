"""What a style's training gives, and what an earlier call left in its folder: the same one's result, or another's."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fittingroom.errors import WeightsRejected
from fittingroom.training.weights import read_weights
from fittingroom.translation.predict import KIND
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
        for file in ("weights.safetensors", "best.safetensors", "progress.jsonl"):
            (out / file).unlink(missing_ok=True)
        write_json(marker, {"identity": identity})


def sheets_in(out: Path) -> list[Path]:
    return sorted((out / "samples").glob("step-*.png"))
