"""A GPU for half an hour, used whole: train, evaluate, measure, and bring the weights home. Two commands.

    python benchmarks/gpu.py pack PACK.tar --dataset DIR --source DIR --style red-solid=DIR --style navy-striped=DIR
    python benchmarks/gpu.py train PACK.tar OUT [--minutes 25]
    python benchmarks/gpu.py join OUT/weights TO                       at home again

``pack`` makes one file of less than 60 MB of a dataset folder, of prepared garments and of each style's prepared
garments. ``train`` runs on a bare GPU image, in OUT: the steps of both models next to plain ones, the segmenter, each
style, their figures and sheets, all within the minutes given. A part that fails is named in the report, with exit code
1, and the others go on. ``OUT/report.json`` has every figure, ``OUT/log.txt`` every event, ``OUT/weights`` the weights
in half precision, in parts of at most 16 MB. ``--device cpu --minutes 1`` tries the same path with tiny networks.

Without COCO's weights (a machine without a network) the segmenter's ``standard`` would start from scratch; it is then a
MobileNetV2 on larger photos, from the backbone weights in the pack.
"""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from gpu_pack import BACKBONE, join_parts, unpack, write_parts
from gpu_pack import pack as write_pack

from fittingroom.errors import FittingroomError
from fittingroom.images import write_png
from fittingroom.segmentation.evaluate import evaluate_segmenter, worst_sheet
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.segmentation.settings import preset as segmenter_preset
from fittingroom.segmentation.start import find_start
from fittingroom.training.device import choose_device
from fittingroom.training.jobs import run_job
from fittingroom.training.progress import Listener, Progress
from fittingroom.training.weights import halved, read_weights, save_weights
from fittingroom.translation.settings import StyleSettings
from fittingroom.translation.settings import preset as style_preset
from fittingroom.workspace import write_json

SHARES = {"benchmarks": 0.12, "segmenter": 0.48, "styles": 0.32}
"""Of the time; what is left is for figures and sheets."""
HERE = Path(__file__).resolve().parent
WITHOUT_COCO = {"short_side": 480, "long_side": 768, "batch_size": 8, "epochs": 60, "fpn_channels": 128}
TINY_SEGMENTER = {"short_side": 96, "long_side": 160, "epochs": 1000, "batch_size": 2, "validate_every": 1000}
TINY_STYLE = {"image_size": 64, "crop_size": 32, "filters": 4, "blocks": 1, "discriminator_filters": 4, "held_out": 4}
app = typer.Typer(help=__doc__, no_args_is_help=True)


@app.command()
def pack(
    out: Path,
    dataset: Annotated[Path, typer.Option(help="A dataset folder: selection.json, train.json, validation.json.")],
    source: Annotated[Path, typer.Option(help="Prepared pictures of any garments.")],
    style: Annotated[list[str], typer.Option(help="NAME=FOLDER of a style's prepared pictures; repeat.")],
    backbone_weights: Annotated[Path | None, typer.Option(help="MobileNetV2's ImageNet weights.")] = None,
    side: Annotated[int, typer.Option(help="Short side of the photos, at most.")] = 448,
    quality: Annotated[int, typer.Option(help="Of JPEG and WebP.")] = 75,
    garments: Annotated[int, typer.Option(help="At most, of each folder of prepared pictures.")] = 500,
) -> None:
    """Everything a training needs, in one file."""
    styles = {}
    for each in style:
        name, equals, folder = each.partition("=")
        if not equals:
            raise typer.BadParameter(f"--style: expected NAME=FOLDER, got {each}")
        styles[name] = Path(folder)
    size = write_pack(out, dataset, source, styles, backbone_weights, side, quality, garments)
    print(json.dumps({"pack": str(out), "megabytes": round(size / 1e6, 1)}))


@app.command()
def train(
    file: Path,
    out: Path,
    minutes: Annotated[float, typer.Option(help="For everything.")] = 25.0,
    device: Annotated[str, typer.Option(help="cuda; cpu tries the path with tiny networks.")] = "cuda",
    style_preset_name: Annotated[str, typer.Option("--style-preset", help="cpu, standard or recipe.")] = "cpu",
) -> None:
    """The whole half hour."""
    begun = time.monotonic()
    choose_device(device)
    out.mkdir(parents=True, exist_ok=True)
    data = out / "data"
    unpack(file, data)
    backbone = data / BACKBONE if (data / BACKBONE).is_file() else None
    half_hour = _HalfHour(out, data, device, minutes, backbone)
    half_hour.measure_steps()
    half_hour.train_segmenter()
    styles = sorted((data / "styles").iterdir())
    for folder in styles:
        half_hour.train_style(folder, style_preset_name, len(styles))
    half_hour.report["seconds"] = round(time.monotonic() - begun, 1)
    half_hour.write()
    print(json.dumps(half_hour.report, indent=2))
    raise typer.Exit(1 if half_hour.failed else 0)


@app.command()
def join(weights: Path, to: Path) -> None:
    """Put the parts together again, checked by digest."""
    for path in join_parts(weights, to):
        print(path)


class _HalfHour:
    """The parts of `train`, their shares of the time, and the report they write into."""

    def __init__(self, out: Path, data: Path, device: str, minutes: float, backbone: Path | None) -> None:
        self.out, self.data, self.device, self.backbone = out, data, device, backbone
        self.seconds, self.tiny, self.failed = 60 * minutes, device == "cpu", False
        self.report: dict[str, Any] = {"machine": _machine(), "minutes": minutes, "failed": {}}

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A part that may fail without ending the others; its seconds and its error go into the report."""
        begun = time.monotonic()
        self.log(f"{name}: begun")
        try:
            yield
        except (FittingroomError, subprocess.SubprocessError, OSError, RuntimeError, ValueError) as error:
            self.failed = True
            self.report["failed"][name] = f"{type(error).__name__}: {error}"
        self.report.setdefault("part_seconds", {})[name] = round(time.monotonic() - begun, 1)
        self.log(f"{name}: {self.report['failed'].get(name, 'done')}")
        self.write()

    def measure_steps(self) -> None:
        """A step of both models next to plain code, and the memory that CycleGAN's takes on each side alone."""
        limit = self.seconds * SHARES["benchmarks"]
        filters = ["cyclegan", *(["--filters", "4", "--side", "64"] if self.tiny else ["--filters", "64"])]
        mask_rcnn = ["segmenter", str(self.data / "dataset"), "--preset", "demo" if self.tiny else "cpu"]
        if self.backbone and not self.tiny:
            mask_rcnn += ["--backbone-weights", str(self.backbone)]
        for name, arguments in (
            ("cyclegan", [*filters, "--rounds", "1" if self.tiny else "10"]),
            ("cyclegan-memory-plain", [*filters, "--rounds", "1", "--only", "plain"]),
            ("cyclegan-memory-ours", [*filters, "--rounds", "1", "--only", "chosen"]),
            ("mask-rcnn", [*mask_rcnn, *(["--steps", "1", "--rounds", "1"] if self.tiny else ["--steps", "10"])]),
        ):
            with self.part(name):
                self.report[name] = self._benchmark(arguments, limit)

    def _benchmark(self, arguments: list[str], limit: float) -> Any:
        command = [sys.executable, str(HERE / "training.py"), *arguments, "--device", self.device]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=600.0 if self.tiny else max(limit, 30.0), check=False
        )
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1])
        return json.loads(done.stdout)

    def train_segmenter(self) -> None:
        """Train, evaluate, draw the worst photos, cut the weights into parts."""
        with self.part("segmenter"):
            settings = self._segmenter_settings(self.seconds * SHARES["segmenter"] / 60)
            job = {"dataset": str(self.data / "dataset"), "settings": settings.to_json(), "device": self.device}
            job |= {"backbone_weights": str(self.backbone) if self.backbone else None}
            result = self._job("fittingroom.segmentation.train", "segmenter", job)
            weights = Path(result["weights"])
            self.keep("segmenter", "segmenter", weights)
            figures = evaluate_segmenter(weights, self.data / "dataset", device=self.device)
            self.report["segmenter"] = {"start": result["start"], "steps": result["metrics"].get("steps")}
            self.report["segmenter"] |= {"settings": settings.to_json(), "figures": figures.to_json()}
            write_png(self.out / "segmenter-worst.png", worst_sheet(figures, self.device))

    def _segmenter_settings(self, minutes: float) -> SegmenterSettings:
        timed = {"max_minutes": max(minutes, 0.05)}
        if self.tiny:
            return segmenter_preset("demo").with_overrides(TINY_SEGMENTER | timed)
        faster = {"workers": 8, "patience": 0, "validate_every": 3}
        standard = segmenter_preset("standard").with_overrides(timed | faster | {"score_threshold": 0.5})
        if find_start(standard).tensors is not None or self.backbone is None:
            return standard
        return segmenter_preset("cpu").with_overrides(timed | faster | WITHOUT_COCO)

    def train_style(self, folder: Path, preset: str, of: int) -> None:
        """Train one style for its share of the time, and cut its weights into parts."""
        with self.part(folder.name):
            seconds = self.seconds * SHARES["styles"] / of
            settings = self._style_settings(folder, preset, seconds)
            job = {"name": folder.name, "source": str(self.data / "source"), "target": str(folder)}
            job |= {"settings": settings.to_json(), "device": self.device}
            job |= {"kid_weights": str(self.backbone) if self.backbone else None}
            result = self._job("fittingroom.translation.train", f"style-{folder.name}", job)
            self.keep(f"style-{folder.name}", "style", Path(result["weights"]))
            shown = {"steps": result["steps"], "metrics": result["metrics"], "settings": settings.to_json()}
            self.report.setdefault("styles", {})[folder.name] = shown
            for sheet in result["sheets"][-1:]:
                shutil.copyfile(sheet, self.out / f"{folder.name}.png")

    def _style_settings(self, folder: Path, preset: str, seconds: float) -> StyleSettings:
        """As many steps as fit: what one takes is measured first, and how much of it is waiting for data reported."""
        tiny = TINY_STYLE | {"report_steps": 5} if self.tiny else {}
        settings = style_preset("demo" if self.tiny else preset).with_overrides(**tiny)
        places = [str(self.data / "source"), str(folder)]
        chosen = ["--preset", "demo" if self.tiny else preset, "--rounds", "1" if self.tiny else "20"]
        measured = self._benchmark(["waiting", *places, *chosen], seconds)
        self.report.setdefault("waiting", {})[folder.name] = measured
        a_step = measured["times"]["step"]["seconds"] + measured["times"]["data"]["seconds"]
        steps = max(int(0.8 * seconds / a_step), 10)
        epochs = settings.epochs if steps >= settings.epochs else 1
        each = max(steps // epochs, 1)
        between = {"checkpoint_steps": max(steps // 6, 1), "sample_steps": max(steps // 4, 1)}
        return settings.with_overrides(epochs=epochs, steps_per_epoch=each, **between)

    def _job(self, module: str, name: str, job: dict[str, Any]) -> dict[str, Any]:
        folder = self.out / name
        folder.mkdir(parents=True, exist_ok=True)
        return run_job(module, folder, job | {"out": str(folder)}, self._listener(name))

    def _listener(self, name: str) -> Listener:
        said = [0.0]

        def listen(progress: Progress) -> None:
            if progress.message or time.monotonic() - said[0] > 15:
                said[0] = time.monotonic()
                values = " ".join(f"{key} {value:.4g}" for key, value in progress.values.items())
                self.log(f"{name}: step {progress.step} of {progress.total_steps} {progress.message} {values}")

        return listen

    def keep(self, name: str, kind: str, weights: Path) -> None:
        """The weights in half precision, in parts."""
        read = read_weights(weights, kind)
        half = weights.with_name("half.safetensors")
        save_weights(half, kind, halved(read.tensors), read.settings, read.info)
        write_parts(self.out / "weights", f"{name}.safetensors", half.read_bytes())

    def log(self, line: str) -> None:
        """To the log and to who watches."""
        stamped = f"{time.strftime('%H:%M:%S')} {line}"
        print(stamped, file=sys.stderr, flush=True)
        with (self.out / "log.txt").open("a", encoding="utf-8") as file:
            file.write(stamped + "\n")

    def write(self) -> None:
        """The report as far as it is."""
        write_json(self.out / "report.json", self.report)


def _machine() -> dict[str, Any]:
    gpu = torch.cuda.get_device_properties(0) if torch.cuda.is_available() else None
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": gpu.name if gpu else None,
        "gpu_gigabytes": round(gpu.total_memory / 1e9, 1) if gpu else None,
    }


if __name__ == "__main__":
    app()
