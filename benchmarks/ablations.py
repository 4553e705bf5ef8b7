"""What each setting is worth: one training per toggled setting, all else alike, measured on the same held-out pictures.

    python benchmarks/ablations.py style OUT --source DIR --target DIR [--only NAME]... [--set name=value]...
    python benchmarks/ablations.py warm-start OUT --source DIR --target DIR --weights OTHER_STYLE.safetensors
    python benchmarks/ablations.py segmenter OUT --dataset DIR [--steps 400] [--backbone-weights FILE] [--only NAME]...

Each variant is a preset with one difference. Its line (difference, seconds, steps, figures) is appended to
``OUT/results.jsonl`` and its before/after sheet written to ``OUT/<variant>.png``; variants with a line are skipped, and
one that was killed resumes from its checkpoint. Every variant trains in a process of its own with one thread, so that
two machines' cores or two runs do not change the figures. Pictures: `benchmarks/style_pictures.py`.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fittingroom.cli.output import parse_settings
from fittingroom.segmentation.settings import preset as segmenter_preset
from fittingroom.training.jobs import run_job
from fittingroom.training.progress import Progress, history
from fittingroom.translation.settings import preset as style_preset
from fittingroom.workspace import digest_value

app = typer.Typer(help=__doc__, no_args_is_help=True)

UNTOLD = {"mask_channel": False, "masked_norm": False, "composite": False}
STYLE_VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "mask-untold": UNTOLD,
    "mask-untold-grey-surround": UNTOLD | {"surround": "grey"},
    "mask-untold-green-surround": UNTOLD | {"surround": "green"},
    "mask-channel-only": UNTOLD | {"mask_channel": True},
    "mask-norm-only": UNTOLD | {"masked_norm": True},
    "mask-without-composite": {"composite": False},
    "losses-not-masked": {"masked_losses": False},
    "no-luminance-term": {"luminance_weight": 0.0, "luminance_fine": 0.0},
    "no-fine-luminance": {"luminance_fine": 0.0},
    "patterns-not-structure": {"luminance_patterns": False},
    "transposed-convolution": {"resize_convolution": False},
    "no-ema": {"ema_decay": 0.0},
    "augmented-discriminators": {"augment_discriminators": True},
    "target-not-grouped": {"target_spread": 0.0},
    "slivers-kept": {"min_cover": 0.0, "min_solidity": 0.0},
    "palette-of-many-hues": {"one_hue": False},
    "skip-none": {"skip": "none"},
    "skip-image": {"skip": "image"},
    "skip-recolour": {"skip": "recolour"},
    "skip-palette": {"skip": "palette", "one_hue": True},
    "identity-every-step": {"identity_every": 1},
}
SEGMENTER_VARIANTS: dict[str, dict[str, Any]] = {
    "extra-0": {"extra_mask_convolutions": 0},
    "extra-3": {"extra_mask_convolutions": 3},
    "no-scale-jitter": {"scale_jitter": 0.0},
    "no-colour-jitter": {"colour_jitter": 0.0},
    "no-average": {"average_decay": 0.0},
    "class-specific": {"class_agnostic": False},
}

OutArgument = Annotated[Path, typer.Argument(help="Gets results.jsonl, a sheet a variant, and the trainings.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="name=value", help="One setting of every variant; may be repeated.")
]
OnlyOption = Annotated[list[str] | None, typer.Option(help="Train this variant; may be repeated. All if left out.")]


@app.command()
def style(
    out: OutArgument,
    source: Annotated[Path, typer.Option(help="Prepared pictures of any garments.")],
    target: Annotated[Path, typer.Option(help="Prepared pictures of the style.")],
    steps: Annotated[int, typer.Option(help="Steps of each training.")] = 600,
    preset: Annotated[str, typer.Option(help="What the variants differ from.")] = "cpu",
    only: OnlyOption = None,
    settings_of_all: SetOption = None,
) -> None:
    """The translator's settings."""
    base = style_preset(preset).with_overrides(**parse_settings(settings_of_all or []))
    length = _style_length(base.steps_per_epoch or 100, steps)
    for name in _chosen(STYLE_VARIANTS, only):
        settings = base.with_overrides(**length | STYLE_VARIANTS[name])
        job = {"name": "ablation", "source": str(source), "target": str(target), "settings": settings.to_json()}
        _train("fittingroom.translation.train", out, name, STYLE_VARIANTS[name], job, steps)


@app.command()
def warm_start(
    out: OutArgument,
    source: Annotated[Path, typer.Option(help="Prepared pictures of any garments.")],
    target: Annotated[Path, typer.Option(help="Prepared pictures of the style.")],
    weights: Annotated[Path, typer.Option(help="Trained weights of another style of the same preset.")],
    steps: Annotated[int, typer.Option(help="Steps of each training.")] = 1200,
    every: Annotated[int, typer.Option(help="Steps between measurements.")] = 50,
    preset: Annotated[str, typer.Option(help="The preset of both.")] = "cpu",
) -> None:
    """Steps to the same gate score from random weights and from another style's."""
    base = style_preset(preset)
    settings = base.with_overrides(**_style_length(base.steps_per_epoch or 100, steps) | {"sample_steps": every})
    job = {"name": "ablation", "source": str(source), "target": str(target), "settings": settings.to_json()}
    curves = {}
    for name, start in (("cold-start", None), ("warm-start", str(weights))):
        _train("fittingroom.translation.train", out, name, {"warm_start": start}, job | {"warm_start": start}, steps)
        events = history(out / name / "progress.jsonl")
        curves[name] = [(event.step, event.values["score"]) for event in events if "score" in event.values]
    print(json.dumps(_steps_saved(curves["cold-start"], curves["warm-start"])))


def _steps_saved(cold: list[tuple[int, float]], warm: list[tuple[int, float]]) -> dict[str, Any]:
    """When the warm start first had each score the cold start had first reached at its own quarters and end."""
    rows = []
    for share in (0.25, 0.5, 0.75, 1.0):
        reached = [score for step, score in cold if step <= share * cold[-1][0]]
        if not reached:
            continue
        score = max(reached)
        first = {
            name: next((step for step, value in curve if value >= score), None)
            for name, curve in (("cold", cold), ("warm", warm))
        }
        ratio = first["cold"] / first["warm"] if first["cold"] and first["warm"] else None
        rows.append({"score": round(score, 4)} | first | {"times_fewer": ratio and round(ratio, 2)})
    return {"steps_to_the_same_score": rows}


@app.command()
def segmenter(
    out: OutArgument,
    dataset: Annotated[Path, typer.Option(help="A dataset folder with train.json and validation.json.")],
    steps: Annotated[int, typer.Option(help="Steps of each training, rounded up to whole epochs.")] = 400,
    preset: Annotated[str, typer.Option(help="What the variants differ from.")] = "cpu",
    backbone_weights: Annotated[Path | None, typer.Option(help="Where weights start from.")] = None,
    only: OnlyOption = None,
) -> None:
    """The segmenter's settings."""
    photos = len(json.loads((dataset / "train.json").read_text(encoding="utf-8"))["images"])
    base = segmenter_preset(preset)
    epochs = max(1, -(-steps * base.batch_size // photos))
    for name in _chosen(SEGMENTER_VARIANTS, only):
        length = {"epochs": epochs, "validate_every": epochs, "max_minutes": 0.0}
        settings = base.with_overrides(length | SEGMENTER_VARIANTS[name])
        start = str(backbone_weights) if backbone_weights else None
        job = {"dataset": str(dataset), "settings": settings.to_json(), "backbone_weights": start}
        _train("fittingroom.segmentation.train", out, name, SEGMENTER_VARIANTS[name], job, steps)


def _style_length(steps_per_epoch: int, steps: int) -> dict[str, Any]:
    """``steps`` in all, with the preset's decay, and a sheet and figures at their end."""
    epochs = max(1, round(steps / steps_per_epoch))
    return {"epochs": epochs, "steps_per_epoch": -(-steps // epochs), "sample_steps": steps}


def _chosen(variants: Mapping[str, Any], only: list[str] | None) -> list[str]:
    if unknown := sorted(set(only or ()) - set(variants)):
        raise typer.BadParameter(f"--only {unknown[0]}: expected one of {', '.join(variants)}")
    return [name for name in variants if not only or name in only]


def _train(module: str, out: Path, name: str, difference: Mapping[str, Any], job: dict[str, Any], steps: int) -> None:
    """One training to its end, its line and its sheet; nothing when the same one has its line."""
    results, folder = out / "results.jsonl", out / name
    key = digest_value(job)
    if any(line["key"] == key for line in _lines(results)):
        print(f"{name}: done before")
        return
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    result = run_job(module, folder, job | {"out": str(folder), "device": "cpu"}, _show(name), threads=1)
    line = {
        "variant": name,
        "difference": dict(difference),
        "steps": result.get("steps") or result["metrics"].get("steps", steps),
        "seconds": round(time.monotonic() - begun, 1),
        "metrics": result["metrics"],
        "key": key,
    }
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    sheets = sorted((folder / "samples").glob("*.png")) or [folder / "samples.png"]
    shutil.copyfile(sheets[-1], out / f"{name}.png")
    print(json.dumps({key: value for key, value in line.items() if key != "key"}))


def _lines(results: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()] if results.is_file() else []


def _show(name: str) -> Any:
    shown = [0.0]

    def show(progress: Progress) -> None:
        if time.monotonic() - shown[0] > 30:
            shown[0] = time.monotonic()
            print(f"{name}: step {progress.step} of {progress.total_steps}", flush=True)

    return show


if __name__ == "__main__":
    app()
