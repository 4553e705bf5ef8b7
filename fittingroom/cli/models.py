"""``train`` and ``evaluate``: the segmenter and the styles, from folders, with the gate and the registry at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fittingroom.cli.champions import open_registry, segmenter_weights
from fittingroom.cli.output import JsonOption, console, parse_settings, print_json, progress_bar, remark

if TYPE_CHECKING:
    from rich.table import Table

    from fittingroom.styles.admission import Admission
    from fittingroom.training.progress import Listener, Progress

train_app = typer.Typer(
    help="Train the segmenter or a style; a killed training goes on where it was.", no_args_is_help=True
)
evaluate_app = typer.Typer(help="Figures of a segmenter or a style.", no_args_is_help=True)

PresetOption = Annotated[str, typer.Option(help="demo, cpu or standard (styles also: recipe).")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="name=value", help="One setting; may be repeated.")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="Where to train; a folder of the workspace if left out.")]


def register(app: typer.Typer) -> None:
    """Put this module's commands on the command line."""
    app.add_typer(train_app, name="train")
    app.add_typer(evaluate_app, name="evaluate")


@train_app.command("segmenter")
def train_segmenter_command(
    dataset: Annotated[Path, typer.Option(help="A DeepFashion2 folder, or a dataset made from one.")],
    preset: PresetOption = "standard",
    settings: SetOption = None,
    weights: Annotated[Path | None, typer.Option(help="Backbone weights to start from (safetensors).")] = None,
    out: OutOption = None,
    into_registry: Annotated[
        bool, typer.Option("--register/--no-register", help="Register and gate the result.")
    ] = True,
    as_json: JsonOption = False,
) -> int:
    """Train Mask R-CNN, evaluate it, and register it behind its gate."""
    from fittingroom.segmentation.evaluate import evaluate_segmenter
    from fittingroom.segmentation.settings import preset as segmenter_preset
    from fittingroom.segmentation.train import train_segmenter
    from fittingroom.settings import get_settings
    from fittingroom.styles.admission import admit_segmenter
    from fittingroom.training.turns import own_folder
    from fittingroom.workspace import Workspace, digest_files

    installation = get_settings()
    chosen = segmenter_preset(preset).with_overrides(parse_settings(settings or []))
    folder = out or Workspace(installation.workspace).training("segmenter")
    ready = dataset_folder(dataset)
    with own_folder(folder, remark), _followed("segmenter", folder, chosen.to_json(), as_json) as listener:
        training = train_segmenter(
            ready,
            folder,
            chosen,
            listener,
            backbone_weights=weights or installation.backbone_weights,
            device=installation.device,
        )
    metrics = evaluate_segmenter(training.weights, ready, device=installation.device).metrics()
    if not into_registry:
        return _finish(training.weights, metrics, None, as_json)
    digests = {"dataset": digest_files([ready / "train.json", ready / "validation.json"], ready)}
    admission = admit_segmenter(open_registry(), training.weights, metrics, preset, digests, chosen.to_json())
    return _finish(training.weights, metrics, admission, as_json)


@train_app.command("style")
def train_style_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The style's name.")],
    source: Annotated[Path, typer.Option(help="Prepared pictures of any garments (domain A).")],
    target: Annotated[Path, typer.Option(help="Prepared pictures of the style (domain B).")],
    category: Annotated[str | None, typer.Option(help="DeepFashion2 category of its garments.")] = None,
    pattern: Annotated[str | None, typer.Option(help="Its pattern; described from the pictures if left out.")] = None,
    preset: PresetOption = "standard",
    settings: SetOption = None,
    warm_start: Annotated[Path | None, typer.Option(help="Weights of another style to start from.")] = None,
    out: OutOption = None,
    into_registry: Annotated[
        bool, typer.Option("--register/--no-register", help="Register and gate the result.")
    ] = True,
    as_json: JsonOption = False,
) -> int:
    """Train a style's CycleGAN, evaluate it on held-out garments, and register it behind its gate."""
    from fittingroom.images import list_images
    from fittingroom.settings import get_settings
    from fittingroom.styles.admission import admit_style
    from fittingroom.styles.measured import measured_style
    from fittingroom.training.turns import own_folder
    from fittingroom.translation.settings import preset as style_preset
    from fittingroom.translation.train import train_style
    from fittingroom.workspace import Workspace, check_name, digest_value

    installation = get_settings()
    check_name(name, "style")
    chosen = style_preset(preset).with_overrides(**parse_settings(settings or []))
    folder = out or Workspace(installation.workspace).training(f"style-{name}")
    with own_folder(folder, remark), _followed(f"style-{name}", folder, chosen.to_json(), as_json) as listener:
        training = train_style(
            name,
            source,
            target,
            folder,
            chosen,
            listener,
            warm_start,
            installation.device,
            kid_weights=installation.backbone_weights,
        )
    if not into_registry:
        return _finish(training.weights, training.metrics, None, as_json)
    style = measured_style(name, list_images(target), category or "", pattern or "")
    digests = {"training": digest_value(training.identity)}
    admission = admit_style(
        open_registry(), style, training.weights, training.metrics, preset, digests, chosen.to_json()
    )
    return _finish(training.weights, training.metrics, admission, as_json)


@contextmanager
def _followed(model: str, folder: Path, settings: Mapping[str, object], quiet: bool) -> Iterator[Listener]:
    """A training's listener: a bar on stderr, and MLflow where that is on."""
    from fittingroom.settings import get_settings
    from fittingroom.tracking import tracked

    registry = open_registry() if get_settings().track_trainings else None
    with tracked(model, folder, settings, registry) as curves, progress_bar(model, quiet) as bar:

        def tell(progress: Progress) -> None:
            bar(progress)
            curves(progress)

        yield tell


@evaluate_app.command("segmenter")
def evaluate_segmenter_command(
    dataset: Annotated[Path, typer.Option(help="A DeepFashion2 folder, or a dataset made from one.")],
    weights: Annotated[Path | None, typer.Option(help="Segmenter weights instead of the champion.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Write the 20 worst photos and what is found on them (PNG).")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """COCO AP, AP50 and AP75, what is served on whole photos and close-ups, the worst groups, DeepFashion2's table."""
    from fittingroom.errors import MissingInputError
    from fittingroom.images import write_png
    from fittingroom.segmentation.evaluate import evaluate_segmenter, worst_sheet
    from fittingroom.settings import get_settings

    path = segmenter_weights(weights)
    if path is None:
        raise MissingInputError("segmenter", "no champion in the registry", "name a file with --weights")
    report = evaluate_segmenter(path, dataset_folder(dataset), device=get_settings().device, close_ups=True)
    if sheet is not None:
        write_png(sheet, worst_sheet(report, get_settings().device))
    if as_json:
        print_json(report.to_json())
        return 0
    _print_figures(report.metrics())
    print(f"photos: {report.photos}, without a garment found: {report.photos_without_garment}")
    console().print(_figures_table("as served", report.served_rows()))
    for title, rows in (
        ("category", report.categories),
        *report.difficulty.items(),
        ("worst groups", report.worst_rows()),
    ):
        console().print(_figures_table(title, rows))
    return 0


@evaluate_app.command("style")
def evaluate_style_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The style's name.")],
    images: Annotated[Path, typer.Option(help="Prepared pictures of garments to change.")],
    target: Annotated[Path | None, typer.Option(help="Prepared pictures of the style, to compare with.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Style weights instead of the champion.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write a before/after sheet (PNG).")] = None,
    kid_weights: Annotated[
        Path | None,
        typer.Option(help="For KID to --target: MobileNetV2's ImageNet weights (safetensors) or Inception's (.pth)."),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Colour difference, structure, leak, pattern, cycle error and KID of a style on given garments."""
    from fittingroom.errors import InputError, MissingInputError
    from fittingroom.images import list_images
    from fittingroom.settings import get_settings
    from fittingroom.translation.dataset import original_pictures
    from fittingroom.translation.evaluate import StyleTarget, evaluate_style
    from fittingroom.translation.kid import kernel_distance

    files = list_images(images)
    if not files:
        raise InputError(f"{images}: expected prepared pictures, the folder has none")
    if weights is None:
        registry = open_registry()
        champion = registry.champion(f"style-{name}")
        if champion is None:
            raise MissingInputError("style", name, "no champion in the registry; name a file with --weights")
        weights = registry.weights_path(champion)
    if kid_weights is not None and target is None:
        raise InputError("--kid-weights: expected --target as well, the pictures that KID is to, got none")
    style_target, distance, said = None, None, "KID is left out: it wants the style's pictures, --target"
    if target is not None:
        own = list_images(target)
        style_target = StyleTarget.of_pictures(own)
        distance, said = kernel_distance(original_pictures(own), kid_weights, get_settings().backbone_weights)
    report = evaluate_style(weights, files, style_target, sheet, get_settings().device, distance)
    report.notes.append(said)
    if as_json:
        print_json(report.to_json())
        return 0
    _print_figures(report.metrics)
    for note in report.notes:
        remark(note)
    return 0


def dataset_folder(source: Path) -> Path:
    """A folder with ``selection.json``: the one named, or one made in the workspace from a DeepFashion2 folder.

    Raises:
        InputError: neither.
    """
    from fittingroom.annotations.selection import SelectionSettings, select, write_dataset
    from fittingroom.errors import InputError, MissingInputError
    from fittingroom.settings import get_settings
    from fittingroom.workspace import Workspace, digest_value

    if not source.is_dir():
        raise MissingInputError("dataset", source)
    if (source / "selection.json").is_file():
        return source
    if not (source / "annos").is_dir() or not (source / "image").is_dir():
        raise InputError(f"{source}: expected selection.json, or DeepFashion2's folders image and annos")
    name = "df2-" + digest_value(str(source.absolute()))[:12]
    remark(f"selecting from {source} into dataset {name}")
    return write_dataset(select(source, SelectionSettings()), Workspace(get_settings().workspace).dataset(name))


def _finish(weights: Path, metrics: dict[str, float], admission: Admission | None, as_json: bool) -> int:
    """Print the outcome; exit 1 when the gate did not let it serve."""
    if as_json:
        gate = admission.to_json() if admission else None
        print_json({"weights": str(weights), "metrics": metrics, "admission": gate})
    else:
        print(f"weights: {weights}")
        _print_figures(metrics)
        if admission:
            print(f"version {admission.version}: {'serves' if admission.passed else 'does not serve'}")
    if admission and not admission.passed:
        remark("error: gate: " + "; ".join(admission.reasons))
        return 1
    return 0


def _print_figures(metrics: Mapping[str, float]) -> None:
    for name, value in sorted(metrics.items()):
        print(f"{name}: {value:.3f}")


def _figures_table(title: str, rows: Mapping[str, Mapping[str, float]]) -> Table:
    """One row a category or degree: how many garments, AP, AP50 and AP75 of their masks."""
    from rich.table import Table

    columns = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    table = Table(title, *columns, box=None)
    for name, figures in rows.items():
        cells = (figures.get(column) for column in columns)
        table.add_row(name, *("" if v is None else f"{v:.0f}" if v == int(v) and v > 1 else f"{v:.3f}" for v in cells))
    return table
