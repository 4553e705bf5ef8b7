"""Train a model in a process of its own, watched live; then its figures on held-out pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fittingroom.settings import get_settings
from fittingroom.styles.registry import SEGMENTER, Registry, style_model
from fittingroom.tracking import tracked
from fittingroom.training.jobs import run_job
from fittingroom.workspace import Workspace
from tasks import watching
from tasks.artifacts import SHEET_SIDE, ProgressBar, artifact_key, picture_rows, show_figures, show_markdown, to_all
from tasks.caching import Content, Made, step

OVERLAYS = 6
"""Held-out photos shown with the garments found on them."""
OVERLAY_SIDE = 640
"""Pixels of such a pair's longer side in the UI."""


def segmenter_settings(preset: str, overrides: dict[str, Any], seed: int) -> dict[str, Any]:
    """A preset with overrides, checked, as JSON.

    Raises:
        SettingError: an unknown name or a value outside what is allowed.
    """
    from fittingroom.segmentation.settings import preset as load

    return load(preset).with_overrides({"seed": seed, **overrides}).to_json()


def style_settings(preset: str, overrides: dict[str, Any], seed: int) -> dict[str, Any]:
    """A preset with overrides, checked, as JSON.

    Raises:
        SettingError: an unknown name or a value outside what is allowed.
    """
    from fittingroom.translation.settings import preset as load

    return load(preset).with_overrides(**{"seed": seed, **overrides}).to_json()


def _run(module: str, place: Workspace, model: str, name: str, job: dict[str, Any], threads: int) -> dict[str, Any]:
    """The job's result; its progress goes to Prefect, to MLflow and to whoever watches."""
    out, installation = place.training(model), get_settings()
    registry = Registry(installation.tracking_uri or place) if installation.track_trainings else None
    with tracked(model, out, job["settings"], registry) as curves:
        bar = ProgressBar(artifact_key("training", name), name)
        return run_job(module, out, job, to_all(bar, watching.listener(name), curves), threads)


@step("train segmenter", version=1, run_name="train segmenter", beside=("device", "threads"))
def train_segmenter(
    workspace: str,
    dataset: Content,
    settings: dict[str, Any],
    backbone: Content | None,
    device: str,
    threads: int,
) -> Made:
    """Train Mask R-CNN on a dataset folder."""
    place = Workspace(Path(workspace))
    out = place.training(SEGMENTER)
    job = {
        "dataset": dataset.path,
        "out": str(out),
        "settings": settings,
        "backbone_weights": backbone.path if backbone else None,
        "device": device,
    }
    result = _run("fittingroom.segmentation.train", place, SEGMENTER, SEGMENTER, job, threads)
    weights = Path(result["weights"])
    figures = {name: value for name, value in result.get("metrics", {}).items() if isinstance(value, int | float)}
    show_figures(artifact_key("training", SEGMENTER, "figures"), figures, "Segmenter: figures of its training")
    return Made({"weights": place.relative(weights), "figures": figures, "folder": place.relative(out)}, [weights])


@step("evaluate segmenter", version=2, run_name="evaluate segmenter", beside=("device",))
def evaluate_segmenter(workspace: str, weights: Content, dataset: Content, device: str) -> Made:
    """Figures on the validation photos."""
    from fittingroom.segmentation.evaluate import evaluate_segmenter as evaluate
    from fittingroom.tryon.held_out import draw_held_out

    place = Workspace(Path(workspace))
    report = evaluate(Path(weights.path), Path(dataset.path), device=device)
    metrics = {name: float(value) for name, value in report.metrics().items()}
    show_figures(artifact_key("figures", SEGMENTER), metrics, "Segmenter on held-out photos")
    folder = place.training(SEGMENTER) / "held-out"
    overlays = draw_held_out(Path(weights.path), Path(dataset.path), folder, OVERLAYS, device)
    pictures = picture_rows([" "], [[path] for path in overlays], OVERLAY_SIDE)
    show_markdown(artifact_key("masks", SEGMENTER), pictures, "Held-out photos: annotated and found")
    return Made({"metrics": metrics, "overlays": [place.relative(path) for path in overlays]}, overlays)


@step("train style", version=1, run_name="train style {name}", beside=("device", "threads"))
def train_style(
    workspace: str,
    name: str,
    source: list[Content],
    target: Content,
    settings: dict[str, Any],
    device: str,
    threads: int,
    warm_start: Content | None = None,
) -> Made:
    """Train one style's CycleGAN from folders of prepared pictures."""
    place = Workspace(Path(workspace))
    out = place.training(style_model(name))
    kid_weights = get_settings().backbone_weights
    job = {
        "name": name,
        "source": [folder.path for folder in source],
        "target": target.path,
        "out": str(out),
        "settings": settings,
        "device": device,
        "warm_start": warm_start.path if warm_start else None,
        "kid_weights": str(kid_weights.absolute()) if kid_weights else None,
    }
    result = _run("fittingroom.translation.train", place, style_model(name), name, job, threads)
    weights = Path(result["weights"])
    metrics = {key: float(value) for key, value in result["metrics"].items()}
    value = {"weights": place.relative(weights), "metrics": metrics, "folder": place.relative(out)}
    _show_samples(name, out)
    show_figures(artifact_key("figures", name), metrics, f"{name} on held-out garments")
    return Made(value, [weights])


def _show_samples(name: str, out: Path) -> None:
    sheets = sorted((out / "samples").glob("*.png"))
    if sheets:
        picked = sheets if len(sheets) <= 3 else [sheets[0], sheets[len(sheets) // 2], sheets[-1]]
        lines = [picture_rows([sheet.stem], [[sheet]], SHEET_SIDE) for sheet in picked]
        show_markdown(artifact_key("samples", name), "\n\n".join(lines), f"{name}: before and after while it learnt")
