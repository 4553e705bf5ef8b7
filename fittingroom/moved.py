"""Modules that moved in 0.2.0 answer under their old names until 0.3.0, with a `DeprecationWarning`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

_ROOMS = {
    "registry": "admission database figures gates history mlflow_store records registry serving stored_files trial "
    "versions weights_card intact",
    "appearance": "choose ciede2000 cloth colours describe measured pattern_features patterns",
    "annotations.formats": "coco deepfashion2 via",
    "crawl.http": "addresses fetcher pace robots",
    "crawl.html": "attributes charsets decoration page_data pages structured variants",
}
"""Where the modules of these names are now."""
_FROM = {"registry": "styles", "appearance": "styles", "annotations.formats": "annotations"}
_RENAMED = {
    "styles": "registry",
    "styles.suits": "appearance.colour_filter",
    "tracking": "registry.tracking",
    "starter": "registry.starters",
    "prepare": "preparing.square",
    "annotations.selection": "annotations.select",
    "crawl.elements": "crawl.html.parser",
    "crawl.written": "crawl.html.urls",
    "crawl.check": "crawl.images.check",
    "crawl.clean": "crawl.images.metadata",
    "tryon.pipeline": "tryon.steps",
    "tryon.champions": "tryon.models",
    "tryon.worn": "preparing.from_people",
    "tryon.sheet": "sheets",
    "translation.selection": "translation.data_filter",
    "translation.outcome": "translation.result",
    "training.turns": "training.locks",
}
MOVED = {f"fittingroom.{old}": f"fittingroom.{new}" for old, new in _RENAMED.items()} | {
    f"fittingroom.{_FROM.get(room, room.split('.')[0])}.{name}": f"fittingroom.{room}.{name}"
    for room, names in _ROOMS.items()
    for name in names.split()
}


class _Moved:
    """Finds and loads a module that moved: the very one, so that there are not two of its classes."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        return ModuleSpec(name, self, is_package=name == "fittingroom.styles") if name in MOVED else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        warnings.warn(f"{spec.name} is {MOVED[spec.name]} now", DeprecationWarning, stacklevel=2)
        module = import_module(MOVED[spec.name])
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own  # importing it under the old name has set another


def install() -> None:
    """Look for old names first: the folder of a room that was renamed would give a second copy of its modules."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Moved())
