"""Serving one style: weights in, garment pictures out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fittingroom.errors import InputError, WeightsRejected
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.training.device import choose_device, choose_precision
from fittingroom.training.weights import load_into, read_weights
from fittingroom.translation.networks import Generator, build_generator
from fittingroom.translation.settings import StyleSettings

KIND = "style"


class Translator:
    """generator_a_to_b of one style, ready to serve. Equal input gives equal output.

    Example::

        translator = Translator.load(Path("red-solid.safetensors"))
        red = translator.translate(garment_on_white, mask)
    """

    def __init__(
        self, generator: Generator, settings: StyleSettings, device: torch.device, info: dict[str, Any] | None = None
    ) -> None:
        self.generator = generator.to(device).eval()
        self.settings, self.device, self.info = settings, device, info or {}

    @staticmethod
    def load(weights: Path, device: str = "auto") -> Translator:
        """Rebuild the network from the settings in the file and fill it.

        Raises:
            MissingInputError: no such file. WeightsRejected: not a style's weights, or damaged.
        """
        file = read_weights(weights, KIND)
        try:
            settings = StyleSettings.from_json(file.settings)
        except (InputError, TypeError) as error:
            raise WeightsRejected(f"{weights}: its settings are not ours: {error}") from None
        generator = build_generator(settings)
        load_into(generator, file, weights)
        return Translator(generator, settings, choose_device(device), file.info)

    @property
    def size(self) -> int:
        """Side of the square pictures it takes."""
        return self.settings.image_size

    def translate(self, image: RGB, mask: Mask) -> RGB:
        """Translate one garment.

        Args:
            image: uint8 (size, size, 3), the garment on white.
            mask: bool (size, size), True on the garment.

        Returns:
            uint8 (size, size, 3); pixels outside the mask are the input's, byte for byte.

        Raises:
            InputError: another size.
        """
        return self.translate_batch([image], [mask])[0]

    def translate_batch(self, images: Sequence[RGB], masks: Sequence[Mask], chunk: int = 8) -> list[RGB]:
        """`translate` for many garments, ``chunk`` at a time."""
        results: list[RGB] = []
        for start in range(0, len(images), chunk):
            some, some_masks = images[start : start + chunk], masks[start : start + chunk]
            raw = self.raw(some, some_masks)
            results += [
                np.where(mask[..., None], new, old) for new, old, mask in zip(raw, some, some_masks, strict=True)
            ]
        return results

    def raw(self, images: Sequence[RGB], masks: Sequence[Mask]) -> list[RGB]:
        """What the network itself gives, surround included: for measuring how much it leaks."""
        image, mask = self._tensors(images, masks)
        return _pictures(self.forward(image, mask))

    @torch.inference_mode()
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """The generator on tensors (N, 3, S, S) in -1..1 and (N, 1, S, S), in the device's best precision."""
        bf16 = choose_precision("auto", self.device) == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            out: Tensor = self.generator(image, mask)
        return out.float()

    def _tensors(self, images: Sequence[RGB], masks: Sequence[Mask]) -> tuple[Tensor, Tensor]:
        size = self.size
        for image, mask in zip(images, masks, strict=True):
            if image.shape != (size, size, 3) or mask.shape != (size, size):
                raise InputError(
                    f"garment picture: expected ({size}, {size}, 3) with a mask of ({size}, {size}), "
                    f"got {image.shape} with {mask.shape}"
                )
        image_tensor = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).to(self.device).float() / 127.5 - 1.0
        mask_tensor = torch.from_numpy(np.stack(masks)).unsqueeze(1).to(self.device).float()
        return image_tensor.contiguous(), mask_tensor


def _pictures(image: Tensor) -> list[RGB]:
    """(N, 3, S, S) in -1..1 to uint8 pictures."""
    array = ((image.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return [np.ascontiguousarray(picture) for picture in array]
