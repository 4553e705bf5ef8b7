"""An Accelerate accelerator made for one training, whatever this process trained before.

All that is used of Accelerate's insides: ``_reset_state`` of its states. `tests/base/test_library_versions.py` says
which versions it was seen to hold for.
"""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from accelerate.utils import DataLoaderConfiguration


def new_accelerator(device: torch.device, precision: str) -> Accelerator:
    """An accelerator on ``device`` with mixed ``precision`` (``no`` or ``bf16``).

    Accelerate keeps device and precision for the whole process. A second training in it, as tests and notebooks make,
    may choose otherwise; only the process group of ``accelerate launch`` has to stay.
    """
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    AcceleratorState._reset_state(reset_partial_state=not distributed)
    GradientState._reset_state()
    return Accelerator(
        cpu=device.type == "cpu",
        mixed_precision=precision,
        dataloader_config=DataLoaderConfiguration(use_seedable_sampler=False),
    )
