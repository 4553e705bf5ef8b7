"""Which of a training's processes this is, as whoever started them says: torchrun and Accelerate, or MPI on CPUs."""

from __future__ import annotations

import os

_VARIABLES = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
"""The ones that Accelerate reads, in its order."""


def is_main() -> bool:
    """Whether this is the process that writes and reports, or the only one; asked before there is an accelerator."""
    return next((os.environ[name] for name in _VARIABLES if name in os.environ), "0") == "0"
