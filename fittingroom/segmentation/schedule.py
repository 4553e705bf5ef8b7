"""The optimizer and the learning rate: linear warm-up, then a cosine (Loshchilov and Hutter, "SGDR", ICLR 2017)."""

from __future__ import annotations

import math

import torch
from torch import nn

from fittingroom.segmentation.settings import SegmenterSettings

FINAL_RATE = 0.01
"""The last learning rate as a share of the highest."""


def learning_rate(settings: SegmenterSettings, step: int, progress: float) -> float:
    """The rate of the step after ``step`` steps; ``progress``, 0 to 1, is how much of the training is over."""
    warm = min(1.0, (step + 1) / (settings.warmup_steps + 1))
    cosine = FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * progress)) / 2
    return settings.learning_rate * warm * cosine


def make_optimizer(network: nn.Module, settings: SegmenterSettings) -> torch.optim.Optimizer:
    """Weight decay on weights only: factors and offsets of one dimension are left alone."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, fused=True)
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(settings.momentum, 0.999), fused=True)
