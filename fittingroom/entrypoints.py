"""Where a served run finds its flow: ``fittingroom.entrypoints.try_on``, whatever packages the current folder holds.

Prefect imports a run's flow with the current folder first on the path, and ``flows`` and ``tasks`` are names that other
projects have too. The name of this package is ours alone, and what it hands out comes from the folder it lies in.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from fittingroom.workers import quiet_decoders


def __getattr__(name: str) -> Any:
    """The flow of that name, as a Python identifier."""
    if name.startswith("_"):
        raise AttributeError(name)
    quiet_decoders()
    path, ours = sys.path[:], str(Path(__file__).resolve().parents[1])
    sys.path.insert(0, ours)
    try:
        return getattr(import_module(f"flows.{name}"), name)
    finally:
        sys.path[:] = path
