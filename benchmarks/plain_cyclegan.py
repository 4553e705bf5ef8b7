"""CycleGAN in plain PyTorch after the paper (Zhu et al. 2017), the side that `benchmarks/training.py` compares with.

The same networks, losses, pool and optimizers as the preset ``recipe``, written the straight way: float32, contiguous,
a generator update and then one update for each discriminator, reals and fakes judged one after the other.
"""

from __future__ import annotations

import itertools
import random

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def generator(filters: int, blocks: int) -> nn.Sequential:
    """c7s1-f, d2f, d4f, residual blocks, u2f, uf, c7s1-3."""
    parts: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, filters, 7), *_norm(filters)]
    for channels in (filters, 2 * filters):
        parts += [nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), *_norm(2 * channels)]
    parts += [Block(4 * filters) for _ in range(blocks)]
    for channels in (4 * filters, 2 * filters):
        parts.append(nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1))
        parts += _norm(channels // 2)
    return nn.Sequential(*parts, nn.ReflectionPad2d(3), nn.Conv2d(filters, 3, 7), nn.Tanh())


def _norm(channels: int) -> list[nn.Module]:
    return [nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)]


class Block(nn.Module):
    """A residual block with reflected borders."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
        again = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
        self.inner = nn.Sequential(*half, nn.ReLU(inplace=True), *again)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.inner(features)


def discriminator(filters: int) -> nn.Sequential:
    """The 70 x 70 PatchGAN."""
    parts: list[nn.Module] = [nn.Conv2d(3, filters, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    for channels, out, stride in (
        (filters, 2 * filters, 2),
        (2 * filters, 4 * filters, 2),
        (4 * filters, 8 * filters, 1),
    ):
        parts += [nn.Conv2d(channels, out, 4, stride=stride, padding=1), nn.InstanceNorm2d(out)]
        parts.append(nn.LeakyReLU(0.2, inplace=True))
    return nn.Sequential(*parts, nn.Conv2d(8 * filters, 1, 4, padding=1))


class Pool:
    """The last 50 fakes."""

    def __init__(self) -> None:
        self.pictures: list[Tensor] = []

    def query(self, batch: Tensor) -> Tensor:
        chosen = []
        for picture in batch.detach():
            if len(self.pictures) < 50:
                self.pictures.append(picture)
            elif random.random() < 0.5:
                index = random.randrange(50)
                self.pictures[index], picture = picture, self.pictures[index]
            chosen.append(picture)
        return torch.stack(chosen)


class PlainCycleGan:
    """Four networks and a step."""

    def __init__(self, filters: int, discriminator_filters: int, blocks: int, device: torch.device) -> None:
        self.a_to_b, self.b_to_a = (generator(filters, blocks).to(device) for _ in range(2))
        self.judge_a, self.judge_b = (discriminator(discriminator_filters).to(device) for _ in range(2))
        generators = itertools.chain(self.a_to_b.parameters(), self.b_to_a.parameters())
        judges = itertools.chain(self.judge_a.parameters(), self.judge_b.parameters())
        self.optimizer_g = torch.optim.Adam(generators, lr=2e-4, betas=(0.5, 0.999))
        self.optimizer_d = torch.optim.Adam(judges, lr=2e-4, betas=(0.5, 0.999))
        self.pool_a, self.pool_b = Pool(), Pool()

    def step(self, real_a: Tensor, real_b: Tensor) -> float:
        """Update all; returns the generators' loss (and so waits for the device, as plain loops do)."""
        fake_b, fake_a = self.a_to_b(real_a), self.b_to_a(real_b)
        again_a, again_b = self.b_to_a(fake_b), self.a_to_b(fake_a)
        self._judges_learn(False)
        self.optimizer_g.zero_grad()
        adversarial = _to(self.judge_b(fake_b), 1.0) + _to(self.judge_a(fake_a), 1.0)
        loss = adversarial + 10.0 * (F.smooth_l1_loss(again_a, real_a) + F.smooth_l1_loss(again_b, real_b))
        loss.backward()
        self.optimizer_g.step()
        self._judges_learn(True)
        self.optimizer_d.zero_grad()
        for judge, real, fake in (
            (self.judge_a, real_a, self.pool_a.query(fake_a)),
            (self.judge_b, real_b, self.pool_b.query(fake_b)),
        ):
            (0.5 * (_to(judge(real), 1.0) + _to(judge(fake), 0.0))).backward()
        self.optimizer_d.step()
        return float(loss.detach())

    def _judges_learn(self, learn: bool) -> None:
        self.judge_a.requires_grad_(learn)
        self.judge_b.requires_grad_(learn)


def _to(scores: Tensor, value: float) -> Tensor:
    return F.smooth_l1_loss(scores, torch.full_like(scores, value))
