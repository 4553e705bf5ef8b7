"""Train a model as a job and admit it to the registry: what the command line and the pipeline both do, in one place.

A training takes its turn in its folder and on a GPU, and shows its curves in MLflow; an admission registers the version
with all that its training left to look at, and lets its gate decide whether it serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fittingroom.appearance.choose import nearest_style
from fittingroom.appearance.measured import measured_style
from fittingroom.datasets import PICTURES
from fittingroom.images import list_images
from fittingroom.lineage.withdraw import mark_versions
from fittingroom.registry import admission
from fittingroom.registry.admission import Admission, Trained
from fittingroom.registry.registry import SEGMENTER, Registry, style_model
from fittingroom.registry.serving import Served, Serving
from fittingroom.registry.tracking import tracked, training_run
from fittingroom.registry.versions import STYLE_DIGEST
from fittingroom.settings import get_settings
from fittingroom.style_card import StyleCard
from fittingroom.training.jobs import run_job
from fittingroom.training.progress import Listener, Progress, history
from fittingroom.workspace import Workspace, digest_files, digest_value

DATASET_FILES = ("selection.json", "train.json", "validation.json")
"""What a dataset folder's content is told by; its photos' digests stand in the first."""


def train_segmenter(
    workspace: Workspace,
    dataset: Path,
    settings: Mapping[str, Any],
    out: Path | None = None,
    listener: Listener | None = None,
    backbone_weights: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> dict[str, Any]:
    """Train a segmenter in a process of its own; what `fittingroom.segmentation.train.SegmenterTraining` says of it.

    Args:
        workspace: where it trains if not in ``out``, and whose registry has the curves.
        dataset, backbone_weights, device: see `fittingroom.segmentation.train.train_segmenter`, for what it raises too.
        settings: all of them, as JSON.
        listener: called with live progress.
        threads: of the CPU; None leaves it to torch.
    """
    folder = out or workspace.training(SEGMENTER)
    job = {
        "dataset": str(dataset),
        "out": str(folder),
        "settings": dict(settings),
        "backbone_weights": str(backbone_weights) if backbone_weights else None,
        "device": device,
    }
    return _train("fittingroom.segmentation.train", workspace, SEGMENTER, folder, job, listener, threads)


def train_style(
    workspace: Workspace,
    name: str,
    source: Iterable[Path],
    target: Path,
    settings: Mapping[str, Any],
    out: Path | None = None,
    listener: Listener | None = None,
    warm_start: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> dict[str, Any]:
    """As `train_segmenter`, for a style: see `fittingroom.translation.train.train_style` and its `StyleTraining`."""
    folder, kid_weights = out or workspace.training(style_model(name)), get_settings().backbone_weights
    job = {
        "name": name,
        "source": [str(each) for each in source],
        "target": str(target),
        "out": str(folder),
        "settings": dict(settings),
        "device": device,
        "warm_start": str(warm_start) if warm_start else None,
        "kid_weights": str(kid_weights.absolute()) if kid_weights else None,
    }
    return _train("fittingroom.translation.train", workspace, style_model(name), folder, job, listener, threads)


def _train(
    module: str,
    workspace: Workspace,
    model: str,
    folder: Path,
    job: Mapping[str, Any],
    listener: Listener | None,
    threads: int | None,
) -> dict[str, Any]:
    registry = Registry.from_settings(workspace) if get_settings().track_trainings else None
    with tracked(model, folder, job["settings"], registry) as curves:

        def tell(progress: Progress) -> None:
            if listener is not None:
                listener(progress)
            curves(progress)

        return run_job(module, folder, job, tell, threads)


def admit_segmenter(
    workspace: Workspace, folder: Path, dataset: Path, trained: Trained, device: str = "auto", force: bool = False
) -> Admission:
    """Register a trained segmenter, and let it serve if its gate says so; what serves is measured next to it.

    Args:
        workspace: whose registry it is. folder: where it was trained. dataset: with the photos held out.
        trained, force: see `fittingroom.registry.admission.admit_segmenter`.
        device: to measure on.

    Raises:
        As `fittingroom.registry.admission.admit_segmenter`.
    """
    from fittingroom.segmentation.held_out import measure_segmenter_on

    serving, measure = Serving.from_settings(workspace), measure_segmenter_on(dataset, device)
    trained, mark = replace(trained, origin=_origin(folder)), partial(mark_versions, workspace, serving.registry)
    return admission.admit_segmenter(serving, trained, measure, force, mark, **_left_in(folder))


def admit_style(
    workspace: Workspace,
    folder: Path,
    card: StyleCard,
    garments: Sequence[Path],
    pictures: Path,
    trained: Trained,
    device: str = "auto",
    force: bool = False,
) -> Admission:
    """As `admit_segmenter`, for a style; see `style_digests` for its digests.

    Args:
        card: what it is; its colour is measured, unless it was trained for any, and its pattern if the card says none.
        garments: folders of prepared pictures, those held out among them.
        pictures: the folder of the style's own prepared pictures.
    """
    from fittingroom.translation.held_out import held_out_of

    style = measured_style(card.name, list_images(pictures), card.category, card.pattern)
    if trained.recipe.get("random_dyes"):
        style = replace(style, colour="", lab=None)
    measure, trained = held_out_of(folder, garments, device), replace(trained, origin=_origin(folder))
    serving = Serving.from_settings(workspace)
    mark = partial(mark_versions, workspace, serving.registry)
    return admission.admit_style(serving, style, trained, measure, force, mark, **_left_in(folder))


def nearest_serving(serving: Serving, card: StyleCard, pictures: Path, recipe: Mapping[str, Any]) -> Served | None:
    """Another style that serves, the one that looks most like the prepared ``pictures`` of ``card``, out of those whose
    network is that of ``recipe``; None where there is none.
    """
    from fittingroom.translation.settings import same_generator

    alike = {
        served.name: served
        for served in serving.styles()
        if served.name != card.name
        and not (served.champion and served.champion.withdrawn)
        and same_generator(served.recipe, recipe)
    }
    if not alike:
        return None
    measured = measured_style(card.name, list_images(pictures), card.category, card.pattern)
    found = nearest_style(measured, [served.style for served in alike.values() if served.style])
    return alike[found.name] if found else None


def style_digests(card: StyleCard, source: Iterable[str], target: str) -> dict[str, str]:
    """What a style's version is registered with, by which it is told whether the style is to be trained again.

    Args:
        card: what it was trained as. source, target: `pictures_digest` of the folders it was trained on.
    """
    return {STYLE_DIGEST: card.catalog_digest, "source": digest_value(list(source)), "target": target}


def pictures_digest(folder: Path) -> str:
    """Of the names and contents of a folder's prepared pictures."""
    return digest_files(list_images(folder), folder)


def segmenter_digests(dataset: Path) -> dict[str, str]:
    """What a segmenter's version is registered with, for the dataset folder it was trained on."""
    return {"dataset": digest_files([dataset / name for name in DATASET_FILES], dataset)}


def _origin(folder: Path) -> dict[str, str]:
    """Which of MLflow's runs holds the training's own curves; nothing where none was kept."""
    run = training_run(folder)
    return {"training_run": run} if run else {}


def _left_in(folder: Path) -> dict[str, Any]:
    """What a training left to look at: a version's files and curves."""
    samples = sorted((folder / "samples").glob("*.png"))[-1:]
    files = {"sample.png": samples[0]} if samples else {}
    files |= {name: folder / name for name in ("progress.jsonl", PICTURES) if (folder / name).is_file()}
    curves: dict[str, list[tuple[int, float]]] = {}
    for event in history(folder / "progress.jsonl"):
        for name, value in event.values.items():
            curves.setdefault(f"curve.{name}", []).append((event.step, value))
    return {"files": files, "curves": curves}
