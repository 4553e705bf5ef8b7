"""KID: how far translated garments are from the style's own pictures, as a pretrained network sees both.

Kernel Inception Distance (Binkowski et al. 2018, arXiv:1801.01401), by torchmetrics. Inception's weights are taken
where they were downloaded before; else ImageNet features of a MobileNetV2 file stand in. The figures of two feature
networks are not comparable, so the figure's name says which one saw the pictures.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchmetrics.image.kid import poly_mmd
from torchvision.models import mobilenet_v2

from fittingroom.errors import MissingInputError, WeightsRejected
from fittingroom.images import RGB

INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
"""torch-fidelity's, in torch.hub's folder once any program here has downloaded it."""
SUBSETS, SUBSET_SIZE = 50, 10
"""Of the pictures drawn at random; sets here are of some ten held-out garments and some fifty of a style."""
FEWEST = 4
"""Pictures a side below which the distance would be chance."""
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET_SIZE = 224
CHUNK = 16


class MobileNetFeatures(nn.Module):
    """Pooled features (N, 1280) of uint8 pictures (N, 3, H, W), by ImageNet weights of torchvision's MobileNetV2.

    Raises:
        WeightsRejected: not these weights.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, file: Path) -> None:
        super().__init__()
        network = mobilenet_v2()
        _fill(network, file)
        self.features = network.features
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(IMAGENET_DEVIATION).view(1, 3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        size = (IMAGENET_SIZE, IMAGENET_SIZE)
        resized = F.interpolate(pictures.float() / 255, size, mode="bilinear", antialias=True)
        features: Tensor = self.features((resized - self.mean) / self.deviation)
        return features.mean((2, 3))


class InceptionFeatures(nn.Module):
    """Pooled features (N, 2048) of uint8 pictures, by torch-fidelity's Inception: those of published KIDs.

    Raises:
        WeightsRejected: not its weights, or torch-fidelity is not installed.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

            # Given a file, it reads tensors only; nothing is unpickled.
            self.network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(file))
        except (ImportError, RuntimeError, OSError, KeyError, AttributeError, pickle.UnpicklingError) as error:
            raise WeightsRejected(
                f"{file}: expected torch-fidelity's Inception weights: {_first_line(error)}"
            ) from None

    def forward(self, pictures: Tensor) -> Tensor:
        (features,) = self.network(pictures)
        return torch.as_tensor(features)


@dataclass(frozen=True, eq=False)
class KernelDistance:
    """KID to ``pictures`` of a style (RGB on white), by the features of one network; ``name`` is the figure's."""

    name: str
    features: nn.Module
    pictures: Sequence[RGB]

    @torch.inference_mode()
    def __call__(self, outputs: Sequence[RGB]) -> float | None:
        """KID of translated garments (RGB on white), about 0 where they could be the style's own; None for too few.

        The same for the same pictures, whatever the process drew at random before, and leaves its draws alone.
        """
        fewest = min(len(outputs), len(self.pictures))
        if fewest < FEWEST:
            return None
        draw, size = torch.Generator().manual_seed(0), min(SUBSET_SIZE, fewest)
        both = [self._features(pictures) for pictures in (self.pictures, outputs)]
        estimates = []
        for _ in range(SUBSETS):
            real, output = (seen[torch.randperm(len(seen), generator=draw)[:size]] for seen in both)
            estimates.append(poly_mmd(real, output))
        return float(torch.stack(estimates).mean())

    def _features(self, pictures: Sequence[RGB]) -> Tensor:
        """(N, features) of N pictures."""
        network = self.features.eval()
        chunks = (np.stack(pictures[start : start + CHUNK]) for start in range(0, len(pictures), CHUNK))
        return torch.cat([network(torch.from_numpy(chunk).permute(0, 3, 1, 2)) for chunk in chunks])


def kernel_distance(
    pictures: Sequence[RGB], file: Path | None = None, backbone: Path | None = None
) -> tuple[KernelDistance | None, str]:
    """KID to ``pictures`` by the best features at hand, and one line that says which, or why there are none.

    Args:
        pictures: the style's own.
        file: the user's choice: MobileNetV2's ImageNet weights (safetensors), or torch-fidelity's Inception (.pth).
        backbone: MobileNetV2's ImageNet weights, where neither a file is named nor Inception was downloaded before.

    Raises:
        MissingInputError, WeightsRejected: the file named is not there, or other weights.
    """
    if file is not None:
        return _by(file, pictures)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE
    found = cached if cached.is_file() else backbone
    if found is None:
        return None, (
            "KID is left out: Inception's weights were not downloaded here; name them, or MobileNetV2's ImageNet "
            "weights (safetensors), to have it"
        )
    try:
        return _by(found, pictures)
    except (MissingInputError, WeightsRejected) as error:
        return None, f"KID is left out: {error}"


def _by(file: Path, pictures: Sequence[RGB]) -> tuple[KernelDistance, str]:
    if not file.is_file():
        raise MissingInputError("weights for KID", file)
    if file.suffix == ".pth":
        return KernelDistance("kid_inception", InceptionFeatures(file), pictures), f"KID by Inception, {file}"
    return KernelDistance("kid_mobilenet_v2", MobileNetFeatures(file), pictures), (
        f"KID by features of MobileNetV2, {file}: not comparable with Inception's"
    )


def _fill(network: nn.Module, file: Path) -> None:
    try:
        network.load_state_dict(load_file(str(file)))
    except (SafetensorError, ValueError, OSError, RuntimeError) as error:
        raise WeightsRejected(f"{file}: expected MobileNetV2's ImageNet weights: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
