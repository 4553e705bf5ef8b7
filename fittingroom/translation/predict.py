"""Serving one style: weights in, garment pictures out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fittingroom.appearance.cloth import cloth_of
from fittingroom.appearance.repeat import Repeat, laid_waves
from fittingroom.errors import InputError, WeightsRejected
from fittingroom.garment import Painting
from fittingroom.images import RGB
from fittingroom.masks import Mask
from fittingroom.style_card import Lab
from fittingroom.training.device import choose_device, choose_precision
from fittingroom.training.weights import load_into, read_weights
from fittingroom.translation.dyeing import Slots
from fittingroom.translation.networks import WAVES, Generator, build_generator
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

    @property
    def takes_dyes(self) -> bool:
        """Whether it can paint its pattern in other colours than its own: it chooses among those of a palette."""
        return self.settings.skip == "palette"

    @cached_property
    def slots(self) -> Slots:
        """What the slots of its palette are for; where its training did not say, learnt from what it makes of grey
        cloth. Found once: some 0.1 s.

        Raises:
            InputError: it has no palette.
        """
        if not self.takes_dyes:
            raise InputError(
                f"style {self.info.get('name', '')}: its weights cannot paint other colours than their own, as they "
                "have no palette; train it with skip=palette (the presets standard, cpu and demo)"
            )
        target = self.info.get("target")
        pattern = str(target.get("pattern") or "") if isinstance(target, dict) else ""
        own = self.generator.palette.cpu().numpy()
        if self.settings.random_dyes:
            return Slots.known(own, pattern)
        image, mask = np.full((self.size, self.size, 3), 255, np.uint8), np.zeros((self.size, self.size), bool)
        middle = slice(self.size // 4, self.size - self.size // 4)
        mask[middle, middle] = True
        image[mask] = 128
        return Slots.of(own, cloth_of(self.translate(image, mask), mask, pattern))

    @property
    def takes_repeat(self) -> bool:
        """Whether how fine its pattern is, and which way it runs, can be chosen."""
        return bool(getattr(self.generator, "given_repeat", False))  # the reverse generator never does

    def translate(self, image: RGB, mask: Mask, dyes: Sequence[Lab] | None = None, repeat: Repeat | None = None) -> RGB:
        """Translate one garment.

        Args:
            image: uint8 (size, size, 3), the garment on white.
            mask: bool (size, size), True on the garment.
            dyes: colours in CIELAB to paint the style's pattern in, its ground first, as `Slots.dyed` has it; None
                for its own. They hold for this call only: a translator may be shared between threads.
            repeat: how fine its pattern is to be and which way it runs; None for its own. Weights that do not take one
                (`takes_repeat`) paint their own all the same.

        Returns:
            uint8 (size, size, 3); pixels outside the mask are the input's, byte for byte.

        Raises:
            InputError: another size, or dyes for a style that has no palette.
        """
        return self.translate_batch([image], [mask], dyes=dyes, repeat=repeat)[0]

    def translate_batch(
        self,
        images: Sequence[RGB],
        masks: Sequence[Mask],
        chunk: int = 8,
        dyes: Sequence[Lab] | None = None,
        repeat: Repeat | None = None,
    ) -> list[RGB]:
        """`translate` for many garments, ``chunk`` at a time."""
        results: list[RGB] = []
        for start in range(0, len(images), chunk):
            some, some_masks = images[start : start + chunk], masks[start : start + chunk]
            raw = self.raw(some, some_masks, dyes, repeat)
            results += [
                np.where(mask[..., None], new, old) for new, old, mask in zip(raw, some, some_masks, strict=True)
            ]
        return results

    def raw(
        self,
        images: Sequence[RGB],
        masks: Sequence[Mask],
        dyes: Sequence[Lab] | None = None,
        repeat: Repeat | None = None,
    ) -> list[RGB]:
        """What the network itself gives, surround included: for measuring how much it leaks."""
        image, mask = self._tensors(images, masks)
        palette = None if dyes is None else torch.from_numpy(self.slots.dyed(dyes)).to(self.device)
        return _pictures(self.forward(image, mask, palette, self._waves(images, masks, repeat)))

    @torch.inference_mode()
    def paint(
        self, image_rgb: RGB, mask: Mask, dyes: Sequence[Lab] | None = None, repeat: Repeat | None = None
    ) -> Painting:
        """What `translate` mixes, for a picture larger than the network's; only with a palette."""
        tensors = self._tensors([image_rgb], [mask])
        waves = self._waves([image_rgb], [mask], repeat)
        choice, shading = self.generator.choose(*tensors, waves)
        palette = self.generator.palette.cpu().numpy() if dyes is None else self.slots.dyed(dyes)
        return Painting(choice[0].permute(1, 2, 0).cpu().numpy(), shading[0, 0].cpu().numpy(), palette)

    def _waves(self, images: Sequence[RGB], masks: Sequence[Mask], repeat: Repeat | None) -> Tensor | None:
        if not self.takes_repeat:
            return None
        if repeat is None:
            vectors = [(x, y) for x, y in self.generator.repeat.tolist() if x or y]
            repeat = Repeat(tuple(vectors)) if vectors else None
        waves = np.zeros((len(masks), WAVES, self.size, self.size), np.float32)
        for place, image, mask in zip(waves, images, masks, strict=True):
            if repeat is not None and mask.any():
                laid = laid_waves(image, mask, repeat)
                place[: len(laid)] = laid
        return torch.from_numpy(waves).to(self.device)

    @torch.inference_mode()
    def forward(
        self, image: Tensor, mask: Tensor, palette: Tensor | None = None, waves: Tensor | None = None
    ) -> Tensor:
        """The generator on tensors (N, 3, S, S) in -1..1 and (N, 1, S, S), in the device's best precision."""
        bf16 = choose_precision("auto", self.device) == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            out: Tensor = self.generator(image, mask, palette=palette, **({} if waves is None else {"waves": waves}))
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
