"""Where a segmenter's weights start: torchvision's COCO or ImageNet weights, a file the user names, or from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import MobileNet_V2_Weights, MobileNet_V3_Large_Weights, ResNet50_Weights, WeightsEnum
from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights

from fittingroom.errors import MissingInputError, WeightsRejected
from fittingroom.segmentation.model import build_segmenter, is_folded
from fittingroom.segmentation.predict import KIND
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.workspace import digest_bytes, write_bytes

DOWNLOAD_TIMEOUT_SECONDS = 20.0

_IMAGENET: dict[str, WeightsEnum] = {
    "resnet50": ResNet50_Weights.DEFAULT,
    "mobilenet_v2": MobileNet_V2_Weights.DEFAULT,
    "mobilenet_v3_large": MobileNet_V3_Large_Weights.DEFAULT,
}


@dataclass(frozen=True)
class StartWeights:
    """Tensors by their name in our network (None: from scratch), and one line that says where they come from."""

    tensors: dict[str, Tensor] | None
    message: str


def find_start(settings: SegmenterSettings, file: Path | None = None) -> StartWeights:
    """The best start that can be had: a trained segmenter in ``file``, a download, a backbone in ``file``, or nothing.

    Args:
        settings: ``start`` says which weights to ask torchvision for; ``scratch`` asks for none and reads no file.
        file: safetensors of the backbone, or of a whole detector, with torchvision's names; or a segmenter of ours.

    Raises:
        MissingInputError: the file is needed and is not there.
        WeightsRejected: the file is needed, and is damaged or made for another backbone.
    """
    if settings.start == "scratch":
        return StartWeights(None, "weights start from scratch, as the settings say")
    if file is not None and _is_ours(file):
        return StartWeights(_read(file, settings), f"weights start from the segmenter {file}")
    wanted = MaskRCNN_ResNet50_FPN_V2_Weights.DEFAULT if settings.start == "coco" else _IMAGENET[settings.backbone]
    try:
        downloaded = _named_as_ours(_torchvisions(wanted), settings)
        return StartWeights(downloaded, f"weights start from torchvision's {wanted}")
    except (OSError, HTTPException, RuntimeError) as error:  # URLError is an OSError, as time-outs are
        reason = str(getattr(error, "reason", error)).splitlines()[0] if str(error) else type(error).__name__
        missing = f"torchvision's {wanted} cannot be downloaded ({reason})"
    if file is None:
        return StartWeights(None, f"{missing} and no weights file is named: weights start from scratch")
    return StartWeights(_read(file, settings), f"{missing}: weights start from {file}")


def _is_ours(file: Path) -> bool:
    """Whether ``file`` was written by a training of ours; anything wrong with it is found when it is read."""
    try:
        with safe_open(str(file), framework="pt") as opened:
            return (opened.metadata() or {}).get("kind") == KIND
    except (SafetensorError, OSError):
        return False


def _torchvisions(weights: WeightsEnum) -> dict[str, Tensor]:
    """From torch.hub's folder, fetched into it where it is missing: torch.hub's own download knows no time-out."""
    name = weights.url.rpartition("/")[2]
    file = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not file.exists():
        with urlopen(weights.url, timeout=DOWNLOAD_TIMEOUT_SECONDS) as answer:
            data = answer.read()
        if not digest_bytes(data).startswith(Path(name).stem.rpartition("-")[2]):
            raise OSError(f"the file has another hash than {name} says")
        write_bytes(file, data)
    tensors: dict[str, Tensor] = torch.load(file, weights_only=True)
    return tensors


def _read(file: Path, settings: SegmenterSettings) -> dict[str, Tensor]:
    if not file.is_file():
        raise MissingInputError("backbone weights", file)
    try:
        tensors = load_file(str(file))
    except (SafetensorError, ValueError, OSError) as error:
        raise WeightsRejected(f"{file}: not a readable safetensors file: {error}") from None
    return _named_as_ours(tensors, settings, str(file))


def _named_as_ours(
    tensors: Mapping[str, Tensor], settings: SegmenterSettings, source: str = "downloaded weights"
) -> dict[str, Tensor]:
    """Rename a backbone's tensors to their place in the detector, and check that they fit it."""
    renamed = {}
    for name, tensor in tensors.items():
        if name.startswith(("backbone.", "rpn.", "roi_heads.", "parts_head.")):
            renamed[name] = tensor
        elif name.startswith("features."):
            renamed["backbone.body." + name.removeprefix("features.")] = tensor
        else:
            renamed["backbone.body." + name] = tensor
    norm = settings.norm if is_folded(renamed) else "trained"
    plain = build_segmenter(settings.with_overrides({"norm": norm, "frozen_levels": 0})).state_dict()
    body = {k: v.shape for k, v in plain.items() if k.startswith("backbone.body.") and v.is_floating_point()}
    for name, shape in body.items():
        if name not in renamed:
            raise WeightsRejected(f"{source}: expected weights of {settings.backbone}, {name} is missing")
        if renamed[name].shape != shape:
            got = tuple(renamed[name].shape)
            raise WeightsRejected(f"{source}: tensor {name}: expected shape {tuple(shape)}, got {got}")
    return renamed
