"""Register a trained model and let its gate decide whether it serves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect.logging import get_run_logger

from fittingroom import train_and_admit
from fittingroom.errors import TransientError
from fittingroom.redaction import redacted
from fittingroom.registry.admission import Trained
from fittingroom.registry.registry import Registry, style_model
from fittingroom.registry.serving import Serving
from fittingroom.registry.style_cards import follow_catalog, known_card, registered_card
from fittingroom.registry.versions import STYLE_DIGEST
from fittingroom.settings import get_settings
from fittingroom.style_card import StyleCard
from fittingroom.workspace import Workspace
from tasks.artifacts import artifact_key, show_verdict
from tasks.caching import CachedResult, Content, StepResult, step
from tasks.crawling import chosen_styles
from tasks.events import gate_failed
from tasks.fingerprints import file_content


def register_result(workspace: Workspace, model: str, trained: CachedResult, **arguments: Any) -> CachedResult:
    """Register what a training gave, and let its gate decide; ``arguments`` are the others of `register`."""
    weights, folder = weights_of(workspace, trained), trained["value"]["folder"]
    return _registered(workspace, model=model, weights=weights, folder=folder, **arguments)


def register_trained(workspace: Workspace, style: str, preset: str, force: bool = False) -> CachedResult:
    """Register the weights that lie in a style's training folder, with the figures and digests they carry.

    Raises:
        MissingInputError: the style was not trained. WeightsRejected: the file is not a style's weights.
    """
    from fittingroom.training.weights import read_weights

    folder = workspace.training(style_model(style))
    path = folder / "weights.safetensors"
    weights = read_weights(path, "style")
    registered = registered_card(workspace, style)
    known = replace(known_card(workspace, StyleCard(style)), catalog_digest=registered.catalog_digest)
    return _registered(
        workspace,
        model=style_model(style),
        weights=file_content(workspace, path),
        metrics=weights.info["metrics"],
        preset=preset,
        digests={STYLE_DIGEST: known.catalog_digest, **weights.info["digests"]},
        recipe=weights.settings,
        style=known,
        folder=workspace.relative(folder),
        pictures=str(workspace.prepared(style)),
        device=get_settings().device,
        force=force,
    )


def _registered(workspace: Workspace, *, model: str, weights: Content, **arguments: Any) -> CachedResult:
    """`register`, again where what it registered before is gone or damaged: registering puts it back."""
    try:
        lost = not Registry.from_settings(workspace).has_intact(model, weights.digest)
    except TransientError:  # a server that is away says nothing of it; the task waits for it
        lost = False
    step = register.with_options(refresh_cache=True) if lost else register
    uri = get_settings().tracking_uri
    shown = uri and redacted(uri)  # it stands in records and in Prefect's database
    record: CachedResult = step(
        workspace=str(workspace.root), model=model, weights=weights, tracking_uri=shown, **arguments
    )
    return record


def weights_of(workspace: Workspace, trained: CachedResult) -> Content:
    """The weights a training wrote."""
    name = trained["value"]["weights"]
    return Content(str(workspace.root / name), str(trained["outputs"][name][2]))


@step("register", version=3, run_name="register {model}", ignore=("folder", "pictures", "dataset", "device"))
def register(
    workspace: str,
    model: str,
    weights: Content,
    metrics: dict[str, float],
    preset: str,
    digests: dict[str, str],
    recipe: dict[str, Any],
    style: StyleCard | None,
    folder: str,
    tracking_uri: str | None,  # noqa: ARG001  redacted, for the key: another registry is another call
    pictures: str | None = None,  # the style's own prepared ones; `digests` speaks of their content
    dataset: str | None = None,  # a segmenter's, likewise
    device: str = "auto",
    force: bool = False,
) -> StepResult:
    """Add a version with its figures, samples and curves; promote it when its gate passes, or when forced to."""
    place = Workspace(Path(workspace))
    at, trained = place.root / folder, Trained(Path(weights.path), metrics, preset, digests, recipe)
    if style is None:
        admission = train_and_admit.admit_segmenter(place, at, Path(dataset or ""), trained, device, force)
    else:
        garments, own = sorted((place.root / "prepared").glob("*")), Path(pictures or "")
        admission = train_and_admit.admit_style(place, at, style, garments, own, trained, device, force)
    registry = Registry.from_settings(place)
    version = registry.version(model, admission.version)
    show_verdict(
        artifact_key("gate", model),
        model,
        admission.passed,
        admission.reasons,
        version.champion,
        version.metrics,
        Path(weights.path),
    )
    if not admission.passed:
        gate_failed(model, admission.version, admission.failures)
    local = registry.weights_path(version)
    value = {**admission.to_json(), "champion": version.champion, "metrics": version.metrics}
    return StepResult(value, [local] if local.is_relative_to(place.root) else [])


def nearest_champion(
    workspace: Workspace, card: StyleCard, target: Content, settings: dict[str, Any]
) -> Content | None:
    """Weights of `fittingroom.train_and_admit.nearest_serving`; None where there is none."""
    serving = Serving.from_settings(workspace)
    nearest = train_and_admit.nearest_serving(serving, card, Path(target.path), settings)
    return Content(str(serving.weights(nearest)), serving.digest(nearest)) if nearest else None


def settle_catalog(workspace: Workspace, catalog_file: Path, retire: bool) -> None:
    """Follow the catalog (`fittingroom.registry.style_cards.follow_catalog`); the log says what changed."""
    styles = [style.name for style in chosen_styles(catalog_file, [])]
    for change in follow_catalog(Registry.from_settings(workspace), styles, retire):
        get_run_logger().info("%s", change)
