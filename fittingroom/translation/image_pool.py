"""The history of fakes a discriminator is shown (Shrivastava et al. 2017, arXiv:1612.07828; 50 in CycleGAN)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


class ImagePool:
    """Holds up to ``size`` past pictures and returns, for each new one, itself or an older one with equal chance.

    While the pool fills, pictures come back as they are. After that, with probability one half a random past picture
    is returned and the new one takes its place. The choices follow from ``seed`` and the count of pictures seen, so
    the state is the pictures and one number; nothing is asked of the device.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size, self.seed = size, seed
        self.seen = 0
        self.pictures: list[Tensor] = []

    def query(self, batch: Tensor) -> Tensor:
        """``batch`` (N, C, H, W), detached, with about half of its pictures exchanged for older ones."""
        if self.size == 0:
            return batch.detach()
        return torch.stack([self._exchange(picture) for picture in batch.detach()])

    def _exchange(self, picture: Tensor) -> Tensor:
        self.seen += 1
        if len(self.pictures) < self.size:
            self.pictures.append(picture.clone())
            return picture
        chance = np.random.default_rng([self.seed, self.seen])
        if chance.random() < 0.5:
            return picture
        index = int(chance.integers(self.size))
        older, self.pictures[index] = self.pictures[index], picture.clone()
        return older.to(picture.device)  # a restored pool lies on the CPU

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints."""
        return {"seen": self.seen, "pictures": [picture.cpu() for picture in self.pictures]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.seen = int(state["seen"])
        self.pictures = list(state["pictures"])
