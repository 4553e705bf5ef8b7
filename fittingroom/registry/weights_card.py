"""What a weights file says of itself, read without its tensors and without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from fittingroom.errors import InputError, MissingInputError, WeightsRejected


@dataclass(frozen=True)
class WeightsCard:
    """``settings`` rebuild the network; ``info`` is free (figures, name, ``domain``, a starter's tags)."""

    settings: dict[str, Any]
    info: dict[str, Any]

    @property
    def domain(self) -> str:
        """What the model learnt from (`fittingroom.domain`); empty where the file does not say."""
        return str(self.info.get("domain", ""))


def check_weights(path: Path, what: str, kind: str = "") -> Path:
    """``path``, if it can be a weights file: for one that a person named, before any work; ``what`` is how.

    Args:
        kind: what model of ours it is to be of, ``segmenter`` or ``style``; empty takes any safetensors file.

    Raises:
        MissingInputError: no such file. InputError: not safetensors, or of another model.
    """
    if not path.is_file():
        raise MissingInputError(what, path)
    try:
        with safe_open(str(path), framework="np") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{what} {path}: expected weights (safetensors), got another file: {error}") from None
    if kind and metadata.get("kind") != kind:
        got = f"those of a {metadata['kind']}" if "kind" in metadata else "some that Fittingroom did not write"
        raise InputError(f"{what} {path}: expected weights of a {kind}, got {got}")
    return path


def read_card(path: Path) -> WeightsCard:
    """The card of a file that `fittingroom.training.weights.save_weights` wrote.

    Raises:
        WeightsRejected: damaged, or not ours.
    """
    try:
        with safe_open(str(path), framework="np") as file:
            metadata = file.metadata() or {}
        settings, info = json.loads(metadata["settings"]), json.loads(metadata["info"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise WeightsRejected(f"{path}: not a readable weights file: {error}") from None
    if not isinstance(settings, dict) or not isinstance(info, dict):
        raise WeightsRejected(f"{path}: expected settings and info to be objects")
    return WeightsCard(settings, info)
