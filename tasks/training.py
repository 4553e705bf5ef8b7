"""Train a model in a process of its own, watched live; then its figures on held-out pictures."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from prefect.logging import get_run_logger

from fittingroom import train_and_admit
from fittingroom.datasets import PICTURES
from fittingroom.registry.registry import SEGMENTER
from fittingroom.training.progress import Listener, Progress
from fittingroom.workspace import Workspace
from tasks import callbacks
from tasks.artifacts import (
    SHEET_SIDE,
    ProgressBar,
    artifact_key,
    picture_rows,
    show_figures,
    show_markdown,
    show_rejected,
    show_table,
)
from tasks.caching import Content, StepResult, step

OVERLAYS = 6
"""Held-out photos shown with the garments found on them."""
LEFT_OUT_SHOWN = 200
"""Pictures left out that a record names; the training's ``pictures.json`` names all."""
OVERLAY_SIDE = 640
"""Pixels of such a pair's longer side in the UI."""


def chosen_preset(preset: str, device: str) -> str:
    """The preset to train with on this machine; which one ``auto`` is here stands in the run's log."""
    from fittingroom.training.device import choose_preset

    chosen = choose_preset(preset, device)
    if chosen != preset:
        get_run_logger().info("preset %s: the machine has %s GPU to train on", chosen, "no" if chosen == "cpu" else "a")
    return chosen


def checked_settings(presets: ModuleType, preset: str, overrides: dict[str, Any], seed: int) -> dict[str, Any]:
    """A preset with overrides, checked, as JSON; ``presets`` is the module of the model's settings.

    Raises:
        SettingError: an unknown name or a value outside what is allowed.
    """
    settings: dict[str, Any] = presets.preset(preset).with_overrides({"seed": seed, **overrides}).to_json()
    return settings


def settings_for_any_colour(settings: dict[str, Any], pattern: str) -> dict[str, Any]:
    """`fittingroom.translation.settings.for_any_colour`, JSON to JSON."""
    from fittingroom.translation.settings import StyleSettings, for_any_colour

    return for_any_colour(StyleSettings.from_json(settings), pattern).to_json()


def _listener(name: str) -> Listener:
    """Shows progress to Prefect and to whoever watches."""
    bar = ProgressBar(artifact_key("training", name), name)

    def tell(progress: Progress) -> None:
        bar(progress)
        callbacks.trainings.tell(name, progress)

    return tell


@step("train segmenter", version=1, run_name="train segmenter", ignore=("device", "threads"))
def train_segmenter(
    workspace: str,
    dataset: Content,
    settings: dict[str, Any],
    backbone: Content | None,
    device: str,
    threads: int,
) -> StepResult:
    """Train Mask R-CNN on a dataset folder."""
    place = Workspace(Path(workspace))
    result = train_and_admit.train_segmenter(
        place,
        Path(dataset.path),
        settings,
        listener=_listener(SEGMENTER),
        backbone_weights=Path(backbone.path) if backbone else None,
        device=device,
        threads=threads,
    )
    weights = Path(result["weights"])
    figures = {name: value for name, value in result.get("metrics", {}).items() if isinstance(value, int | float)}
    show_figures(
        artifact_key("training", SEGMENTER, "figures"), figures, f"Segmenter: figures of its training; {weights}"
    )
    return StepResult(
        {"weights": place.relative(weights), "figures": figures, "folder": place.relative(weights.parent)}, [weights]
    )


@step("evaluate segmenter", version=2, run_name="evaluate segmenter", ignore=("device",))
def evaluate_segmenter(workspace: str, weights: Content, dataset: Content, device: str) -> StepResult:
    """Figures on the validation photos."""
    from fittingroom.segmentation.evaluate import evaluate_segmenter as evaluate
    from fittingroom.segmentation.overlays import draw_held_out

    place = Workspace(Path(workspace))
    report = evaluate(Path(weights.path), Path(dataset.path), device=device)
    metrics = {name: float(value) for name, value in report.metrics().items()}
    show_figures(artifact_key("figures", SEGMENTER), metrics, "Segmenter on held-out photos")
    folder = place.training(SEGMENTER) / "held-out"
    overlays = draw_held_out(Path(weights.path), Path(dataset.path), folder, OVERLAYS, device)
    pictures = picture_rows([" "], [[path] for path in overlays], OVERLAY_SIDE)
    show_markdown(artifact_key("masks", SEGMENTER), pictures, f"Held-out photos: annotated and found; {folder}")
    return StepResult({"metrics": metrics, "overlays": [place.relative(path) for path in overlays]}, overlays)


@step("train style", version=2, run_name="train style {name}", ignore=("device", "threads"))
def train_style(
    workspace: str,
    name: str,
    source: list[Content],
    target: Content,
    settings: dict[str, Any],
    device: str,
    threads: int,
    warm_start: Content | None = None,
) -> StepResult:
    """Train one style's CycleGAN from folders of prepared pictures."""
    place = Workspace(Path(workspace))
    from fittingroom.translation.result import read_pictures

    result = train_and_admit.train_style(
        place,
        name,
        [Path(folder.path) for folder in source],
        Path(target.path),
        settings,
        listener=_listener(name),
        warm_start=Path(warm_start.path) if warm_start else None,
        device=device,
        threads=threads,
    )
    weights, out = Path(result["weights"]), Path(result["weights"]).parent
    metrics = {key: float(value) for key, value in result["metrics"].items()}
    counted = _counted(read_pictures(out))
    value = {
        "weights": place.relative(weights),
        "metrics": metrics,
        "folder": place.relative(out),
        "pictures": counted,
    }
    _show_samples(name, out)
    show_figures(artifact_key("figures", name), metrics, f"{name} on held-out garments; {weights}")
    _show_pictures(name, counted)
    return StepResult(value, [weights, out / PICTURES])


def _counted(pictures: dict[str, Any]) -> dict[str, Any]:
    """How many pictures of each domain were learnt from and held out, and which were left out and why."""
    return {
        domain: {
            "learnt_from": len(listed["learnt_from"]),
            "held_out": len(listed["held_out"]),
            "left_out": len(listed["left_out"]),
            "rejected": listed["left_out"][:LEFT_OUT_SHOWN],
        }
        for domain, listed in pictures.items()
    }


def _show_pictures(name: str, pictures: dict[str, Any]) -> None:
    """What was learnt from in numbers, and each picture that was left out with its reason."""
    words = {"source": "garments to change", "target": f"pictures of {name}"}
    counts = [
        {
            "pictures": words[domain],
            "learnt from": of["learnt_from"],
            "held out": of["held_out"],
            "left out": of["left_out"],
        }
        for domain, of in pictures.items()
    ]
    show_table(artifact_key("learnt-from", name), counts, f"What {name} learnt from")
    rows = [
        {"status": "left out", "reason": words[domain], "picture": each["picture"], "detail": each["reason"]}
        for domain, of in pictures.items()
        for each in of["rejected"]
    ]
    if rows:
        show_rejected(artifact_key("left-out", name), rows, f"Pictures that {name} did not learn from")


def _show_samples(name: str, out: Path) -> None:
    sheets = sorted((out / "samples").glob("*.png"))
    if sheets:
        picked = sheets if len(sheets) <= 3 else [sheets[0], sheets[len(sheets) // 2], sheets[-1]]
        lines = [picture_rows([sheet.stem], [[sheet]], SHEET_SIDE) for sheet in picked]
        show_markdown(artifact_key("samples", name), "\n\n".join(lines), f"{name}: before and after while it learnt")
