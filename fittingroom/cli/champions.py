"""Finding the models that serve: a file the user names, or the registry's champion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fittingroom.errors import MissingInputError

if TYPE_CHECKING:
    from fittingroom.segmentation.predict import Segmenter
    from fittingroom.styles.registry import Registry


def open_registry() -> Registry:
    """The registry of this installation."""
    from fittingroom.settings import get_settings
    from fittingroom.styles.registry import Registry
    from fittingroom.workspace import Workspace

    settings = get_settings()
    return Registry(settings.tracking_uri or Workspace(settings.workspace))


def segmenter_weights(weights: Path | None) -> Path | None:
    """The file named, or the champion's, or None.

    Raises:
        MissingInputError: the file named is not there.
    """
    if weights is not None:
        if not weights.is_file():
            raise MissingInputError("segmenter weights", weights)
        return weights
    registry = open_registry()
    champion = registry.champion("segmenter")
    return registry.weights_path(champion) if champion else None


def find_segmenter_if_any(weights: Path | None) -> Segmenter | None:
    """The segmenter to use, or None when no file is named and no champion serves."""
    path = segmenter_weights(weights)
    if path is None:
        return None
    from fittingroom.segmentation.predict import Segmenter
    from fittingroom.settings import get_settings

    return Segmenter.load(path, device=get_settings().device)
