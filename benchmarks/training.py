"""How quick training is next to plain PyTorch: both sides in one run, in turns, same maths, same sizes. Prints JSON.

    python benchmarks/training.py cyclegan [--filters 32] [--rounds 5] [--device cpu] [--threads 2]
    python benchmarks/training.py waiting SOURCE TARGET [--preset cpu]
    python benchmarks/training.py segmenter DATASET [--preset cpu] [--steps 4] [--backbone-weights FILE]
    python benchmarks/training.py segmenter-evaluation WEIGHTS DATASET [--photos 40]

``cyclegan``: a step at 256, batch 1, 9 blocks, without identity loss, against `benchmarks/plain_cyclegan.py`; ours in
float32 and in the precision it chooses by itself, on a GPU also compiled. ``segmenter``: steps of Mask R-CNN with their
loading, against torchvision's reference loop (`benchmarks/plain_segmenter.py`). Seconds are wall clock, ``cpu_seconds``
what all threads used, which other work on the machine disturbs less; ratios are plain over ours, of medians.
"""

from __future__ import annotations

import functools
import itertools
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import plain_segmenter
import torch
import typer
from plain_cyclegan import PlainCycleGan
from plain_segmenter import PlainTraining, load_batches, plain_evaluation

from fittingroom.images import read_rgb
from fittingroom.segmentation import evaluate
from fittingroom.segmentation.compare import compare_photos
from fittingroom.segmentation.dataset import epoch_batches, read_split
from fittingroom.segmentation.predict import Segmenter
from fittingroom.segmentation.scores import average_precisions
from fittingroom.segmentation.settings import preset as segmenter_preset
from fittingroom.segmentation.train import SegmenterTrainer
from fittingroom.training.accelerators import new_accelerator
from fittingroom.training.device import choose_device, choose_precision
from fittingroom.training.loop import Moment, TrainingLoop
from fittingroom.translation.data_filter import read_whole_garments
from fittingroom.translation.dataset import Batch, Domain, Unpaired, list_pictures
from fittingroom.translation.settings import preset as style_preset
from fittingroom.translation.step import CycleGan

app = typer.Typer(help=__doc__, no_args_is_help=True)


def in_turns(sides: dict[str, Callable[[], Any]], rounds: int, device: torch.device) -> dict[str, dict[str, float]]:
    """Median wall and CPU seconds of each side; a first, uncounted call each."""
    wall: dict[str, list[float]] = {name: [] for name in sides}
    cpu: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            wall_begun, cpu_begun = time.perf_counter(), time.process_time()
            side()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if number:
                wall[name].append(time.perf_counter() - wall_begun)
                cpu[name].append(time.process_time() - cpu_begun)
    return {
        name: {
            "seconds": round(statistics.median(wall[name]), 4),
            "cpu_seconds": round(statistics.median(cpu[name]), 4),
        }
        for name in sides
    }


def ratios(times: dict[str, dict[str, float]], plain: str) -> dict[str, dict[str, float]]:
    """Plain over each other side."""
    return {
        name: {kind: round(times[plain][kind] / value, 3) for kind, value in figures.items()}
        for name, figures in times.items()
        if name != plain
    }


@app.command()
def cyclegan(
    filters: Annotated[int, typer.Option(help="Of generators; discriminators have 64.")] = 64,
    side: Annotated[int, typer.Option(help="Pixels of the pictures' side.")] = 256,
    rounds: Annotated[int, typer.Option(help="Counted steps of each side.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
    only: Annotated[str, typer.Option(help="plain, float32, chosen, compiled: one side, for its memory.")] = "",
) -> None:
    """A step of CycleGAN."""
    torch.set_num_threads(threads)
    place = choose_device(device)
    batch = Batch(
        torch.rand(1, 3, side, side, device=place) * 2 - 1,
        torch.ones(1, 1, side, side, device=place),
        torch.zeros(1, 2, device=place),
    )
    settings = style_preset("recipe").with_overrides(filters=filters, channels_last=place.type == "cuda")
    sides: dict[str, Callable[[], Any]] = {}
    if only in ("", "plain"):
        plain = PlainCycleGan(filters, settings.discriminator_filters, settings.blocks, place)
        sides["plain"] = lambda: plain.step(batch.image, batch.image)
    for name, precision in (("float32", "no"), ("chosen", choose_precision("auto", place))):
        if only in ("", name):
            model = CycleGan(settings, new_accelerator(place, precision))
            sides[name] = lambda model=model: model.step(batch, batch, 1, False)
    if place.type == "cuda" and only in ("", "compiled"):
        compiled = CycleGan(settings, new_accelerator(place, choose_precision("auto", place)))
        for network in (*compiled.generators, *compiled.discriminators):
            network.compile()
        sides["compiled"] = lambda: compiled.step(batch, batch, 1, False)
    report: dict[str, Any] = {
        "filters": filters,
        "side": side,
        "threads": threads,
        "chosen": choose_precision("auto", place),
    }
    times = in_turns(sides, rounds, place)
    report |= {"times": times, "peak_gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)}
    if "plain" in sides and len(sides) > 1:
        report["times_as_fast"] = ratios(times, "plain")
    if place.type == "cuda":
        report["gpu_peak_gigabytes"] = round(torch.cuda.max_memory_allocated(place) / 1e9, 2)
    print(json.dumps(report, indent=2))


@app.command()
def waiting(
    source: Path,
    target: Path,
    preset: Annotated[str, typer.Option(help="Sizes.")] = "cpu",
    rounds: Annotated[int, typer.Option(help="Steps.")] = 20,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
    at_most: Annotated[int, typer.Option(help="Pictures of each domain.")] = 200,
) -> None:
    """The share of a step of the translator that is spent making its batches."""
    torch.set_num_threads(threads)
    place = choose_device(device)
    settings = style_preset(preset)
    domains = []
    for folder in (source, target):
        pictures, _ = read_whole_garments(list_pictures(folder, "pictures", 1)[:at_most], settings.image_size)
        shown = [(picture.image, picture.mask) for picture in pictures]
        domains.append(Domain(shown, settings.crop_size, settings.crop_cover, place))
    data = Unpaired(domains[0], domains[1], settings.batch_size, 0)
    model = CycleGan(settings, new_accelerator(place, choose_precision("auto", place)))
    numbers = iter(range(10**9))
    made = [data.batches(0, 0)]

    def make() -> None:
        made[0] = data.batches(0, next(numbers))

    times = in_turns({"data": make, "step": lambda: model.step(*made[0], 1, False)}, rounds, place)
    share = times["data"]["seconds"] / (times["data"]["seconds"] + times["step"]["seconds"])
    print(json.dumps({"preset": preset, "times": times, "waiting_share": round(share, 4)}, indent=2))


@app.command()
def segmenter(
    dataset: Path,
    preset: Annotated[str, typer.Option(help="Sizes.")] = "cpu",
    steps: Annotated[int, typer.Option(help="Steps of each side in a round.")] = 4,
    rounds: Annotated[int, typer.Option(help="Counted rounds.")] = 3,
    backbone_weights: Annotated[Path | None, typer.Option(help="Where weights start from.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
) -> None:
    """A step of Mask R-CNN with its loading; figures are of one step."""
    torch.set_num_threads(threads)
    place = choose_device(device)
    with tempfile.TemporaryDirectory(prefix="fittingroom-") as folder:
        runs = {
            name: _prepared(dataset, Path(folder) / name, preset, precision, backbone_weights, device)
            for name, precision in (("float32", "no"), ("chosen", "auto"))
        }
        ours = runs["float32"]
        data, settings = ours.data, ours.settings
        start = {name: tensor.clone() for name, tensor in ours.network.state_dict().items()}
        runs["chosen"].network.load_state_dict(start)
        plain = PlainTraining(settings, start, place)
        epochs = dict.fromkeys(("plain", "float32", "chosen", "data"), -1)

        def turn(name: str) -> None:
            """The last steps of an epoch: the same photos for every side in a round."""
            epochs[name] += 1
            batches = epoch_batches(data.photos, settings.batch_size, settings.seed, epochs[name])
            done = max(len(batches) - steps, 0)
            if name == "plain":
                plain.steps(data, batches[done:])
            elif name == "data":
                for _ in load_batches(data, batches[done:], settings):
                    pass
            else:
                trainer = runs[name]
                for number, batch in enumerate(trainer.batches(epochs[name], done)):
                    trainer.step(batch, Moment(epochs[name] * len(batches) + done + number, epochs[name], 0.0, 1.0))

        turns = in_turns({name: lambda name=name: turn(name) for name in epochs}, rounds, place)
    times = {name: {kind: round(value / steps, 4) for kind, value in row.items()} for name, row in turns.items()}
    loading = times.pop("data")
    report = {"preset": preset, "batch_size": settings.batch_size, "threads": threads, "times": times}
    report |= {"loading": loading, "times_as_fast": ratios(times, "plain")}
    report["waiting_share_at_most"] = round(loading["seconds"] / times["chosen"]["seconds"], 4)
    if place.type == "cuda":
        report["gpu_peak_gigabytes"] = round(torch.cuda.max_memory_allocated(place) / 1e9, 2)
    print(json.dumps(report, indent=2))


def _prepared(
    dataset: Path, out: Path, preset: str, precision: str, start: Path | None, device: str
) -> SegmenterTrainer:
    """A training of ours before its first step."""
    settings = segmenter_preset(preset).with_overrides({"precision": precision, "max_minutes": 0.0, "epochs": 1000})
    splits = [read_split(dataset, split) for split in ("train", "validation")]
    trainer = SegmenterTrainer(dataset, settings, *splits, start)
    TrainingLoop(trainer, out, device=device).prepare()
    return trainer


@app.command()
def segmenter_evaluation(
    weights: Path,
    dataset: Path,
    photos: Annotated[int, typer.Option(help="Of the validation split.")] = 40,
    rounds: Annotated[int, typer.Option(help="Counted rounds.")] = 3,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
) -> None:
    """The evaluation, against torchvision's way: masks pasted whole, encoded one by one, COCOeval for each kind.

    Both get the same photos and the same network's answers, which are made once and are no part of ``times``.
    """
    torch.set_num_threads(threads)
    segmenter = Segmenter.load(weights, "cpu")
    # Refining masks is ours alone: the same maths is without.
    segmenter.settings = segmenter.settings.with_overrides({"refine_masks": False})
    some = read_split(dataset, "validation")[:photos]
    read = functools.cache(read_rgb)
    evaluate.read_rgb = plain_segmenter.read_rgb = read
    begun = time.perf_counter()
    answers = [segmenter.detect([read(photo.path)])[0] for photo in some]
    network = round(time.perf_counter() - begun, 2)
    replayed = itertools.cycle(answers)
    segmenter.detect = lambda _: [next(replayed)]  # type: ignore[method-assign]

    def ours() -> float:
        compared = list(compare_photos(segmenter, some))
        for kind in ("mask_ious", "box_ious"):
            figures = average_precisions([each.match(kind) for each in compared])
        return float(figures.mean())

    times = in_turns({"plain": lambda: plain_evaluation(segmenter, some), "ours": ours}, rounds, torch.device("cpu"))
    report = {"photos": len(some), "times": times, "times_as_fast": ratios(times, "plain")["ours"]}
    print(json.dumps(report | {"network_seconds": network}, indent=2))


if __name__ == "__main__":
    app()
