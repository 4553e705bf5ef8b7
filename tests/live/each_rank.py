"""``-m each_rank job.json``: a training as its own module starts it, then each process writes down its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from fittingroom.segmentation import train as segmenter
from fittingroom.training.jobs import main_of_job
from fittingroom.training.progress import Listener
from fittingroom.translation import train as style


def write_down(network: nn.Module, out: Path, rank: int) -> None:
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, str(out / f"rank-{rank}.safetensors"))


class Style(style._Training):
    """A style's training."""

    def run(self) -> None:
        """To the end, and the generators are written down."""
        super().run()
        write_down(self.model.generators, self.out, self.accelerator.process_index)


class Segmenter(segmenter._Training):
    """A segmenter's training."""

    def _finish(self) -> segmenter.SegmenterTraining:
        write_down(self.network, self.out, self.accelerator.process_index)
        return super()._finish()


style._Training = Style  # type: ignore[misc]
segmenter._Training = Segmenter  # type: ignore[misc]


def run_job(job: dict[str, Any], listener: Listener) -> Any:
    return segmenter.run_job(job, listener) if "dataset" in job else style.run_job(job, listener)


if __name__ == "__main__":
    main_of_job(run_job)
