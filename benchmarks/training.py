"""How quick training is beside plain PyTorch: both sides in one run, in turns, same maths, same sizes. Prints JSON.

    python benchmarks/training.py cyclegan [--filters 32] [--rounds 5] [--device cpu] [--threads 2]
    python benchmarks/training.py waiting SOURCE TARGET [--preset cpu]
    python benchmarks/training.py segmenter-evaluation WEIGHTS DATASET [--photos 40]

``cyclegan``: a step at 256, batch 1, 9 blocks, without identity loss, against `benchmarks/plain_cyclegan.py`; ours in
float32 and in the precision it chooses by itself. Seconds are wall clock, ``cpu_seconds`` what all threads used, which
other work on the machine disturbs less; ratios are plain over ours, of medians.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from plain_cyclegan import PlainCycleGan

from fittingroom.training.accelerators import new_accelerator
from fittingroom.training.device import choose_device, choose_precision
from fittingroom.translation.dataset import Batch, Domain, Unpaired, list_pictures
from fittingroom.translation.selection import read_whole_garments
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
    rounds: Annotated[int, typer.Option(help="Counted steps of each side.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
    only: Annotated[str, typer.Option(help="plain, float32 or chosen: this side alone, for its peak memory.")] = "",
) -> None:
    """A step of CycleGAN."""
    torch.set_num_threads(threads)
    place = choose_device(device)
    batch = Batch(
        torch.rand(1, 3, 256, 256, device=place) * 2 - 1,
        torch.ones(1, 1, 256, 256, device=place),
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
    times = in_turns(sides, rounds, place)
    report: dict[str, Any] = {"filters": filters, "threads": threads, "chosen": choose_precision("auto", place)}
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
def segmenter_evaluation(
    weights: Path,
    dataset: Path,
    photos: Annotated[int, typer.Option(help="Of the validation split.")] = 40,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
) -> None:
    """The evaluation, against torchvision's way: masks pasted whole, encoded one by one, COCOeval for each kind."""
    from fittingroom.segmentation.dataset import read_split
    from fittingroom.segmentation.evaluate import compare_photos
    from fittingroom.segmentation.predict import Segmenter
    from fittingroom.segmentation.scores import average_precisions

    torch.set_num_threads(threads)
    segmenter = Segmenter.load(weights, "cpu")
    # Refining masks is ours alone: the same maths is without.
    segmenter.settings = segmenter.settings.with_overrides({"refine_masks": False})
    some = read_split(dataset, "validation")[:photos]

    def ours() -> float:
        compared = list(compare_photos(segmenter, some))
        for kind in ("mask_ious", "box_ious"):
            figures = average_precisions([each.match(kind) for each in compared])
        return float(figures.mean())

    times = in_turns({"plain": lambda: plain_evaluation(segmenter, some), "ours": ours}, 1, torch.device("cpu"))
    print(json.dumps({"photos": len(some), "times": times, "times_as_fast": ratios(times, "plain")}, indent=2))


def plain_evaluation(segmenter: Any, photos: list[Any]) -> float:
    """What torchvision's references/detection do in ``evaluate`` and ``CocoEvaluator``, for boxes and masks."""
    from pycocotools import mask as coder
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    from torchvision.models.detection.image_list import ImageList
    from torchvision.models.detection.roi_heads import paste_masks_in_image

    from fittingroom import masks
    from fittingroom.boxes import xyxy_to_xywh
    from fittingroom.images import read_rgb

    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for photo in photos:
        for garment in photo.garments:
            drawn = masks.from_polygons(garment.polygons, photo.height, photo.width)
            box = masks.bounding_box(drawn)
            if box is None:
                continue
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": photo.image_id,
                    "category_id": 1,
                    "segmentation": coder.encode(np.asfortranarray(drawn.astype(np.uint8))),
                    "bbox": list(xyxy_to_xywh(box)),
                    "area": int(drawn.sum()),
                    "iscrowd": 0,
                }
            )
        image = read_rgb(photo.path)
        with torch.inference_mode():
            tensor = segmenter._tensor(image)
            size = (tensor.shape[1], tensor.shape[2])
            normal = segmenter.model.transform.normalize(tensor)
            batch = ImageList(segmenter.model.transform.batch_images([normal], size_divisible=32), [size])
            features = segmenter.model.backbone(batch.tensors)
            proposals, _ = segmenter.model.rpn(batch, features)
            detection = segmenter.model.roi_heads(features, proposals, batch.image_sizes)[0][0]
            ratio = torch.tensor([image.shape[1] / size[1], image.shape[0] / size[0]] * 2)
            boxes = detection["boxes"] * ratio
            pasted = paste_masks_in_image(detection["masks"], boxes, (image.shape[0], image.shape[1])) > 0.5
        for mask, box, score in zip(pasted, boxes.tolist(), detection["scores"].tolist(), strict=True):
            encoded = coder.encode(np.asfortranarray(mask[0].numpy().astype(np.uint8)))
            result = {"image_id": photo.image_id, "category_id": 1, "score": score}
            results.append(result | {"bbox": list(xyxy_to_xywh(tuple(box))), "segmentation": encoded})
    coco = COCO()
    images = [{"id": photo.image_id, "height": photo.height, "width": photo.width} for photo in photos]
    coco.dataset = {"images": images, "annotations": annotations, "categories": [{"id": 1}]}
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        for kind, other in (("bbox", "segmentation"), ("segm", "bbox")):
            shown = [{key: value for key, value in result.items() if key != other} for result in results]
            evaluation = COCOeval(coco, coco.loadRes(shown), kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
    return float(evaluation.stats[0])


if __name__ == "__main__":
    app()
