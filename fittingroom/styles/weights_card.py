"""What a weights file says of itself, read without its tensors and without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from fittingroom.errors import WeightsRejected


@dataclass(frozen=True)
class WeightsCard:
    """``settings`` rebuild the network; ``info`` is free (figures, name, ``domain``, a starter's tags)."""

    settings: dict[str, Any]
    info: dict[str, Any]

    @property
    def domain(self) -> str:
        """What the model learnt from (`fittingroom.domain`); empty where the file does not say."""
        return str(self.info.get("domain", ""))


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
