"""Finding the models to use: a file the user names, or what serves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fittingroom.registry.registry import Registry
    from fittingroom.registry.serving import Serving
    from fittingroom.segmentation.predict import Segmenter


def open_registry() -> Registry:
    """The registry of this installation."""
    from fittingroom.registry.registry import Registry

    return Registry.from_settings()


def open_marked_registry() -> Registry:
    """The same, each version marked that learnt from a withdrawn picture, where it was brought back from a backup
    too."""
    from fittingroom.lineage.withdraw import mark_versions
    from fittingroom.settings import get_settings
    from fittingroom.workspace import Workspace

    registry = open_registry()
    mark_versions(Workspace(get_settings().workspace), registry)
    return registry


def open_serving() -> Serving:
    """What serves in this installation."""
    from fittingroom.registry.serving import Serving

    return Serving.from_settings()


def segmenter_weights(weights: Path | None) -> Path:
    """The file named, or that of the segmenter that serves.

    Raises:
        MissingInputError: the file named is not there, or none serves. InputError: it is not a segmenter's.
    """
    if weights is not None:
        from fittingroom.registry.weights_card import check_weights

        return check_weights(weights, "segmenter weights", "segmenter")
    serving = open_serving()
    return serving.weights(serving.segmenter())


def load_segmenter(weights: Path | None) -> Segmenter:
    """The segmenter in the file named, or the one that serves.

    Raises:
        MissingInputError, InputError: as `segmenter_weights`.
    """
    path = segmenter_weights(weights)
    from fittingroom.segmentation.torchvision_import import import_torchvision_light

    import_torchvision_light()
    from fittingroom.segmentation.predict import Segmenter
    from fittingroom.settings import get_settings

    return Segmenter.load(path, device=get_settings().device)
