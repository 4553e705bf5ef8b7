"""Register a trained model and let its gate decide whether it serves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect.logging import get_run_logger

from fittingroom.redaction import redacted
from fittingroom.settings import get_settings
from fittingroom.styles.registry import SEGMENTER, Registry, style_model
from fittingroom.styles.serving import Serving
from fittingroom.workspace import Workspace, digest_value
from tasks.artifacts import artifact_key, show_verdict
from tasks.caching import Content, Made, Record, step
from tasks.contents import file_content
from tasks.crawling import chosen_styles
from tasks.events import gate_failed
from tasks.pending import STYLE_DIGEST, StyleCard
from tasks.serving import open_registry, open_serving
from tasks.training import evaluate_segmenter


def judge_segmenter(workspace: Workspace, trained: Record, dataset: Content, device: str) -> Record:
    """Figures of a trained segmenter on held-out photos."""
    weights = weights_of(workspace, trained)
    return evaluate_segmenter(workspace=str(workspace.root), weights=weights, dataset=dataset, device=device)


def register_segmenter(
    workspace: Workspace,
    trained: Record,
    judged: Record,
    dataset: Content,
    settings: dict[str, Any],
    preset: str,
    device: str = "auto",
    force: bool = False,
) -> Record:
    """Register a trained segmenter with its figures, and let its gate decide."""
    return _registered(
        workspace=str(workspace.root),
        model=SEGMENTER,
        weights=weights_of(workspace, trained),
        metrics=judged["value"]["metrics"],
        preset=preset,
        digests={"dataset": dataset.digest},
        recipe=settings,
        style=None,
        folder=trained["value"]["folder"],
        tracking_uri=_where_shown(),
        dataset=dataset.path,
        device=device,
        force=force,
    )


def register_style(
    workspace: Workspace,
    trained: Record,
    card: StyleCard,
    source: list[Content],
    target: Content,
    settings: dict[str, Any],
    preset: str,
    device: str = "auto",
    force: bool = False,
) -> Record:
    """Register a trained style with its figures on held-out garments, and let its gate decide."""
    return _registered(
        workspace=str(workspace.root),
        model=style_model(card.name),
        weights=weights_of(workspace, trained),
        metrics=trained["value"]["metrics"],
        preset=preset,
        digests={
            STYLE_DIGEST: card.catalog_digest,
            "source": digest_value([folder.digest for folder in source]),
            "target": target.digest,
        },
        recipe=settings,
        style=card,
        folder=trained["value"]["folder"],
        tracking_uri=_where_shown(),
        pictures=target.path,
        device=device,
        force=force,
    )


def register_trained(workspace: Workspace, style: str, preset: str, force: bool = False) -> Record:
    """Register the weights that lie in a style's training folder, with the figures and digests they carry.

    Raises:
        MissingInputError: the style was not trained. WeightsRejected: the file is not a style's weights.
    """
    from fittingroom.training.weights import read_weights

    folder = workspace.training(style_model(style))
    path = folder / "weights.safetensors"
    weights = read_weights(path, "style")
    from tasks.cards import known_card  # which stands on this module

    registered = registered_card(workspace, style)
    known = replace(known_card(workspace, style), catalog_digest=registered.catalog_digest)
    return _registered(
        workspace=str(workspace.root),
        model=style_model(style),
        weights=file_content(workspace, path),
        metrics=weights.info["metrics"],
        preset=preset,
        digests={STYLE_DIGEST: known.catalog_digest, **weights.info["digests"]},
        recipe=weights.settings,
        style=known,
        folder=workspace.relative(folder),
        tracking_uri=_where_shown(),
        pictures=str(workspace.prepared(style)),
        device=get_settings().device,
        force=force,
    )


def _registered(*, model: str, weights: Content, workspace: str, **arguments: Any) -> Record:
    """`register`, again where what it registered before is gone or damaged: registering puts it back."""
    lost = not open_registry(Workspace(Path(workspace))).has_intact(model, weights.digest)
    step = register.with_options(refresh_cache=True) if lost else register
    record: Record = step(model=model, weights=weights, workspace=workspace, **arguments)
    return record


def _where_shown() -> str | None:
    """The tracking URI as it may stand in records and in Prefect's database: without its password."""
    uri = get_settings().tracking_uri
    return redacted(uri) if uri else uri


def registered_card(workspace: Workspace, style: str) -> StyleCard:
    """What earlier versions say the style is; its name alone when there are none."""
    versions = open_registry(workspace).versions(style_model(style))
    if not versions:
        return StyleCard(style)
    tags = versions[0].tags
    return StyleCard(
        style,
        tags.get("category", ""),
        tags.get("colour", ""),
        tags.get("pattern", ""),
        versions[0].digests.get(STYLE_DIGEST, ""),
    )


def weights_of(workspace: Workspace, trained: Record) -> Content:
    """The weights a training wrote."""
    name = trained["value"]["weights"]
    return Content(str(workspace.root / name), str(trained["outputs"][name][2]))


@step("register", version=3, run_name="register {model}", beside=("folder", "pictures", "dataset", "device"))
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
) -> Made:
    """Add a version with its figures, samples and curves; promote it when its gate passes, or when forced to."""
    from fittingroom.segmentation.held_out import measure_segmenter_on
    from fittingroom.styles.admission import admit_segmenter, admit_style
    from fittingroom.styles.choose import AvailableStyle
    from fittingroom.styles.measured import measured_style
    from fittingroom.translation.held_out import held_out_of

    place = Workspace(Path(workspace))
    registry = Registry(get_settings().tracking_uri or place, downloads=place.registry / "downloads")
    serving = Serving.of_installation(registry)
    extras: dict[str, Any] = {"files": _files(place.root / folder), "curves": _curves(place.root / folder)}
    judged = (Path(weights.path), metrics, preset, digests, recipe)
    if style is None:
        held_out = measure_segmenter_on(Path(dataset or ""), device)
        admission = admit_segmenter(serving, *judged, held_out, force, **extras)
    else:
        named = (
            measured_style(style.name, sorted(Path(pictures).glob("*.png")), style.category, style.pattern)
            if pictures
            else AvailableStyle(style.name, style.colour, style.pattern, style.category)
        )
        garments = held_out_of(place.root / folder, sorted((place.root / "prepared").glob("*")), device)
        admission = admit_style(serving, named, *judged, garments, force, **extras)
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
    return Made(value, [local] if local.is_relative_to(place.root) else [])


def _files(folder: Path) -> dict[str, Path]:
    samples = sorted((folder / "samples").glob("*.png"))[-1:]
    found = {"sample.png": samples[0]} if samples else {}
    return found | {name: folder / name for name in ("progress.jsonl", "pictures.json") if (folder / name).is_file()}


def _curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from fittingroom.training.progress import history

    curves: dict[str, list[tuple[int, float]]] = {}
    for event in history(folder / "progress.jsonl"):
        for name, value in event.values.items():
            curves.setdefault(f"curve.{name}", []).append((event.step, value))
    return curves


def nearest_champion(
    workspace: Workspace, card: StyleCard, target: Content, settings: dict[str, Any]
) -> Content | None:
    """Weights of another serving style, the one that looks most like this one's prepared pictures, out of those whose
    network is the same; None where there is none.
    """
    from fittingroom.styles.choose import nearest_style
    from fittingroom.styles.measured import measured_style
    from fittingroom.translation.settings import same_generator

    serving = open_serving(workspace)
    alike = {
        served.name: served
        for served in serving.styles()
        if served.name != card.name and same_generator(served.recipe, settings)
    }
    if not alike:
        return None
    measured = measured_style(card.name, sorted(Path(target.path).glob("*.png")), card.category, card.pattern)
    found = nearest_style(measured, [served.style for served in alike.values() if served.style])
    if found is None:
        return None
    nearest = alike[found.name]
    return Content(str(serving.weights(nearest)), serving.digest(nearest))


def settle_catalog(workspace: Workspace, catalog_file: Path, retire: bool) -> None:
    """Retire styles that were trained from a catalog and are named in it no more, if asked to; and let serve again what
    was retired in this way and is back. Styles trained by hand, and those a person retired, are left alone.
    """
    registry, logger = open_registry(workspace), get_run_logger()
    named = {style_model(style.name) for style in chosen_styles(catalog_file, [])}
    if retire:
        for version in registry.champions():
            if version.style and version.digests.get(STYLE_DIGEST) and version.model not in named:
                registry.retire(version.model, by="catalog")
                logger.info("%s left the catalog: it does not serve any more", version.style)
    for model, by in registry.retired().items():
        if by == "catalog" and model in named:
            back = registry.reinstate(model)
            logger.info("%s is back in the catalog: version %s serves again", back.style, back.version)
