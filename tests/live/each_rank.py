"""``-m each_rank job.json``: a training as its own module starts it, then each process writes down its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from safetensors.torch import save_file
from torch import nn

from fittingroom.segmentation import train as segmenter
from fittingroom.segmentation.train import SegmenterTrainer
from fittingroom.training.jobs import main_of_job
from fittingroom.training.loop import TrainingLoop
from fittingroom.training.progress import Listener
from fittingroom.translation import train as style
from fittingroom.translation.train import StyleTrainer


def write_down(network: nn.Module, out: Path, rank: int) -> None:
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, str(out / f"rank-{rank}.safetensors"))


class Loop(TrainingLoop[Any]):
    """Writes down what each process learnt."""

    def _finish(self) -> None:
        trainer = self.trainer
        learnt = (
            trainer.network if isinstance(trainer, SegmenterTrainer) else cast(StyleTrainer, trainer).model.generators
        )
        write_down(learnt, self.out, self.accelerator.process_index)
        super()._finish()


style.TrainingLoop = Loop  # type: ignore[attr-defined]  # not for others, but for this
segmenter.TrainingLoop = Loop  # type: ignore[attr-defined]


def run_job(job: dict[str, Any], listener: Listener) -> Any:
    return segmenter.run_job(job, listener) if "dataset" in job else style.run_job(job, listener)


if __name__ == "__main__":
    main_of_job(run_job)
