"""A moving average of a network's weights: steadier than the last step's, and what is validated and served.

Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; as used since Tarvainen and
Valpola, "Mean teachers are better role models", NeurIPS 2017, with the decay growing over the first steps.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

_Tensors = tuple[Tensor, ...] | list[Tensor]


def moving_average(
    network: nn.Module, decay: float, young: Callable[[int], float], use_buffers: bool = False
) -> AveragedModel:
    """``average = d * average + (1 - d) * weights`` at each `update_parameters`, with d = min(``decay``, young(n)).

    What is averaged is its ``module``, in evaluation mode, whose weights bear the network's own names. A decay of 0
    follows the weights themselves.

    Args:
        network: what is averaged, with the weights the average begins with.
        decay: 0 to 1.
        young: the decay after n steps, counted from 1: few steps are forgotten faster.
        use_buffers: whether floating point buffers (statistics of batch norm) are averaged too; else they are copied,
            as counters always are.
    """

    def blend(averages: _Tensors, weights: _Tensors, n: Tensor | int) -> None:
        kept = min(decay, young(int(n))) if averages[0].is_floating_point() else 0  # whole, as counters are
        get_ema_multi_avg_fn(kept)(averages, weights, n)  # type: ignore[no-untyped-call]

    average = AveragedModel(network, multi_avg_fn=blend, use_buffers=use_buffers)
    average.update_parameters(network)  # the first one is taken as it is
    return average.requires_grad_(False).eval()
