"""A moving average of a network's weights: steadier than the last step's, and what is validated and served.

Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; as used since Tarvainen and
Valpola, "Mean teachers are better role models", NeurIPS 2017, with the decay growing over the first steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """``average = d * average + (1 - d) * weights`` after each step, with d = min(``decay``, (1 + step) / (10 + step)).

    Floating point buffers (statistics of batch norm) are averaged too, counters are copied. A decay of 0 follows the
    weights themselves. Register it with ``Accelerator.register_for_checkpointing``.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.tensors: dict[str, Tensor] = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the weights of ``module`` after a step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averages: list[Tensor] = []
        present: list[Tensor] = []
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                averages.append(self.tensors[name])
                present.append(value.detach())
            else:
                self.tensors[name].copy_(value)
        torch._foreach_lerp_(averages, present, 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        """For checkpoints."""
        return {"steps": self.steps, "tensors": self.tensors}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint; tensors stay on their device."""
        self.steps = int(state["steps"])
        for name, value in state["tensors"].items():
            self.tensors[name].copy_(value)
