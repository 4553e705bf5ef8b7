"""What a style's training gives: its result, and the list of the pictures it learnt from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fittingroom.datasets import PICTURES
from fittingroom.errors import InputError, MissingInputError
from fittingroom.translation.data_filter import Chosen, Picture
from fittingroom.translation.settings import StyleSettings
from fittingroom.workspace import write_json


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
        paths = {"weights": str(self.weights), "sheets": [str(path) for path in self.sheets]}
        return vars(self) | paths | {"settings": self.settings.to_json()}


def write_pictures(out: Path, chosen: Chosen, digests: Mapping[str, Mapping[str, str]]) -> None:
    """Write `PICTURES`: by domain (``source``, ``target``) the file names ``learnt_from`` and ``held_out``, what was
    ``left_out`` as ``{"picture", "reason"}``, and by name the ``folders`` and the SHA-256 (``digests``) of the former.
    """
    write_json(out / PICTURES, pictures_of(chosen, digests))


def pictures_of(chosen: Chosen, digests: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """What `write_pictures` writes."""

    def identified(domain: str, pictures: Sequence[Picture]) -> dict[str, dict[str, str]]:
        paths = [picture.path for picture in pictures]
        return {
            "folders": {path.name: path.parent.name for path in paths},
            "digests": {path.name: digests[domain][path.name] for path in paths},
        }

    return {
        "source": {
            "learnt_from": [picture.path.name for picture in chosen.source],
            "held_out": [picture.path.name for picture in chosen.held_out],
            "left_out": [left.to_json() for left in chosen.left_out if left.domain == "source"],
            **identified("source", [*chosen.source, *chosen.held_out]),
        },
        "target": {
            "learnt_from": [picture.path.name for picture in chosen.target],
            "held_out": [],
            "left_out": [left.to_json() for left in chosen.left_out if left.domain == "target"],
            **identified("target", chosen.target),
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
