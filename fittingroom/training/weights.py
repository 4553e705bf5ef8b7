"""Weights files: safetensors that carry the settings which rebuild their network. Nothing is ever unpickled."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fittingroom.errors import MissingInputError, StorageUnavailable, WeightsRejected
from fittingroom.workspace import atomic_path, no_space

FORMAT_VERSION = "1"
MAX_HEADER_BYTES = 8_000_000
_NO_SPACE = f"os error {errno.ENOSPC}"
"""How safetensors, which is no Python, says it."""


@dataclass(frozen=True)
class WeightsFile:
    """Tensors by name, the network's settings, and free information (recipe, digests, figures)."""

    kind: str
    tensors: dict[str, torch.Tensor]
    settings: dict[str, Any]
    info: dict[str, Any]


def save_weights(
    path: Path,
    kind: str,
    tensors: Mapping[str, torch.Tensor],
    settings: Mapping[str, Any],
    info: Mapping[str, Any] | None = None,
) -> None:
    """Write atomically. ``settings`` and ``info`` are JSON values.

    Raises:
        StorageUnavailable: the disk is full.
    """
    metadata = {
        "fittingroom": FORMAT_VERSION,
        "kind": kind,
        "settings": json.dumps(settings, sort_keys=True),
        "info": json.dumps(info or {}, sort_keys=True),
    }
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(own, str(temporary), metadata)
        except SafetensorError as error:
            if _NO_SPACE in str(error):
                raise StorageUnavailable(no_space(path)) from error
            raise


def halved(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors in half precision, for files that travel; whole numbers stay. `load_into` takes either."""
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def read_weights(path: Path, kind: str) -> WeightsFile:
    """Read a file written by `save_weights`.

    Raises:
        MissingInputError: no such file.
        WeightsRejected: damaged, not ours, or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInputError("weights", path)
    try:
        with path.open("rb") as file:
            header_size = int.from_bytes(file.read(8), "little")
        if header_size > MAX_HEADER_BYTES:
            raise WeightsRejected(
                f"{path}: expected a header of at most {MAX_HEADER_BYTES:,} bytes, got {header_size:,}"
            )
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("fittingroom") != FORMAT_VERSION:
                raise WeightsRejected(f"{path}: expected a Fittingroom weights file of format {FORMAT_VERSION}")
            if metadata.get("kind") != kind:
                raise WeightsRejected(f"{path}: expected weights of a {kind}, got {metadata.get('kind')!r}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
        return WeightsFile(kind, tensors, json.loads(metadata["settings"]), json.loads(metadata["info"]))
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise WeightsRejected(f"{path}: not a readable weights file: {error}") from None


def load_into(module: torch.nn.Module, weights: WeightsFile, path: Path) -> None:
    """Strictly load ``weights`` into ``module``.

    Raises:
        WeightsRejected: names or shapes differ.
    """
    own = {name: tensor.shape for name, tensor in module.state_dict().items()}
    for name, shape in own.items():
        if name not in weights.tensors:
            raise WeightsRejected(f"{path}: expected a tensor named {name}, it is missing")
        if weights.tensors[name].shape != shape:
            raise WeightsRejected(
                f"{path}: tensor {name}: expected shape {tuple(shape)}, got {tuple(weights.tensors[name].shape)}"
            )
    if extra := sorted(set(weights.tensors) - set(own)):
        raise WeightsRejected(f"{path}: unexpected tensor {extra[0]}")
    module.load_state_dict(weights.tensors)
