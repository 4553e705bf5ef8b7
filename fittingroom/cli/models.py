"""``train`` and ``evaluate``: the segmenter and the styles, from folders, with the gate and the registry at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fittingroom.cli.annotations import ImagesOption
from fittingroom.cli.champions import open_serving, segmenter_weights
from fittingroom.cli.figures import figure, figures_table
from fittingroom.cli.helping import Group
from fittingroom.cli.output import JsonOption, console, parse_settings, pictures_bar, print_json, progress_bar, remark
from fittingroom.outputs import PICTURE_SUFFIXES, check_output_file, check_output_folder

if TYPE_CHECKING:
    from fittingroom.registry.admission import Admission
    from fittingroom.training.progress import Listener, Progress

train_app = typer.Typer(help="Train the segmenter or a style; a killed training resumes where it was.", cls=Group)
evaluate_app = typer.Typer(help="Figures of a segmenter or a style.", cls=Group)

PresetOption = Annotated[
    str,
    typer.Option(help="auto (cpu where there is no GPU, else standard), demo, cpu or standard (styles also: recipe)."),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="name=value", help="One setting; may be repeated.")
]
Split = Literal["train", "validation", "all"]
DatasetOption = Annotated[
    Path, typer.Option(help="Annotated photos (a DeepFashion2 folder, COCO or VIA), or a dataset made from them.")
]
RegisterOption = Annotated[bool, typer.Option("--register/--no-register", help="Register and gate the result.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Where to train, made if missing; a folder of the workspace if left out.")
]


def register(app: typer.Typer) -> None:
    """Put this module's commands on the command line."""
    app.add_typer(train_app, name="train")
    app.add_typer(evaluate_app, name="evaluate")


@train_app.command("segmenter")
def train_segmenter_command(
    dataset: DatasetOption,
    images: ImagesOption = None,
    preset: PresetOption = "auto",
    settings: SetOption = None,
    weights: Annotated[Path | None, typer.Option(help="Backbone weights to start from (safetensors).")] = None,
    out: OutOption = None,
    into_registry: RegisterOption = True,
    as_json: JsonOption = False,
) -> int:
    """Train Mask R-CNN, evaluate it, and register it behind its gate."""
    from fittingroom.registry.admission import Trained
    from fittingroom.registry.weights_card import check_weights
    from fittingroom.segmentation.evaluate import evaluate_segmenter
    from fittingroom.segmentation.settings import preset as segmenter_preset
    from fittingroom.settings import get_settings
    from fittingroom.train_and_admit import admit_segmenter, segmenter_digests, train_segmenter
    from fittingroom.training.device import choose_preset
    from fittingroom.workspace import Workspace

    installation, place = get_settings(), Workspace(get_settings().workspace)
    asked, preset = preset, choose_preset(preset, installation.device)
    recipe = segmenter_preset(preset).with_overrides(parse_settings(settings or [])).to_json()
    folder = out or place.training("segmenter")
    check_output_folder(folder, "--out")
    if weights is not None:
        check_weights(weights, "--weights")
    ready, device = dataset_folder(dataset, images), installation.device
    with _listening("segmenter", as_json, _said(asked, preset)) as listener:
        start = weights or installation.backbone_weights
        trained = Path(train_segmenter(place, ready, recipe, folder, listener, start, device)["weights"])
    metrics = evaluate_segmenter(trained, ready, device=device).metrics()
    admission = None
    if into_registry:
        digests = segmenter_digests(ready)
        made = Trained(trained, metrics, preset, digests, recipe)
        admission = admit_segmenter(place, folder, ready, made, device)
    return _finish(trained, metrics, admission, as_json)


@train_app.command("style")
def train_style_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The style's name.")],
    source: Annotated[Path, typer.Option(help="Prepared pictures of any garments (domain A).")],
    target: Annotated[Path, typer.Option(help="Prepared pictures of the style (domain B).")],
    category: Annotated[str | None, typer.Option(help="DeepFashion2 category of its garments.")] = None,
    pattern: Annotated[str | None, typer.Option(help="Its pattern; described from the pictures if left out.")] = None,
    preset: PresetOption = "auto",
    settings: SetOption = None,
    warm_start: Annotated[Path | None, typer.Option(help="Weights of another style to start from.")] = None,
    out: OutOption = None,
    into_registry: RegisterOption = True,
    as_json: JsonOption = False,
) -> int:
    """Train a style's CycleGAN, evaluate it on held-out garments, and register it behind its gate."""
    from fittingroom.registry.admission import Trained
    from fittingroom.registry.style_cards import known_card
    from fittingroom.registry.weights_card import check_weights
    from fittingroom.settings import get_settings
    from fittingroom.style_card import StyleCard
    from fittingroom.train_and_admit import admit_style, pictures_digest, style_digests, train_style
    from fittingroom.training.device import choose_preset
    from fittingroom.translation.dataset import list_pictures
    from fittingroom.translation.result import read_pictures
    from fittingroom.translation.settings import for_any_colour
    from fittingroom.translation.settings import preset as style_preset
    from fittingroom.workspace import Workspace, check_name

    check_name(name, "style")
    installation, place = get_settings(), Workspace(get_settings().workspace)
    asked, preset = preset, choose_preset(preset, installation.device)
    chosen, device = style_preset(preset).with_overrides(**parse_settings(settings or [])), installation.device
    folder = out or place.training(f"style-{name}")
    check_output_folder(folder, "--out")
    for given, option in ((source, "--source"), (target, "--target")):
        list_pictures(given, option, chosen.min_pictures)
    if warm_start is not None:
        check_weights(warm_start, "--warm-start", "style")
    card = StyleCard(name, category=category or "", pattern=pattern or "")
    if target.absolute() == place.prepared(name).absolute():  # else its pictures are not those that were crawled
        card = known_card(place, card)
    recipe = (for_any_colour(chosen, card.pattern) if card.any_colour else chosen).to_json()
    digests = style_digests(card, [pictures_digest(source)], pictures_digest(target))
    with _listening(f"style-{name}", as_json, _said(asked, preset)) as listener:
        result = train_style(place, name, [source], target, recipe, folder, listener, warm_start, device)
    for domain in read_pictures(folder).values():
        for left in domain["left_out"]:
            remark(f"left out: {left['picture']}: {left['reason']}")
    trained, metrics, admission = Path(result["weights"]), result["metrics"], None
    if into_registry:
        made = Trained(trained, metrics, preset, digests, recipe)
        admission = admit_style(place, folder, card, [source], target, made, device)
    return _finish(trained, metrics, admission, as_json)


@contextmanager
def _listening(model: str, quiet: bool, said: str) -> Iterator[Listener]:
    """A training's listener: a bar on stderr, and a line for what it says; ``said`` is told once it has begun."""
    with progress_bar(model, quiet) as bar:

        def tell(progress: Progress) -> None:
            nonlocal said
            for message in filter(None, (said, progress.message)):
                remark(message)
            said = ""
            bar(progress)

        yield tell


def _said(asked: str, preset: str) -> str:
    """Which preset ``auto`` is on this machine, in words; empty where a person named one."""
    return "" if asked == preset else f"preset {preset}: this machine has {'no' if preset == 'cpu' else 'a'} GPU"


@evaluate_app.command("segmenter")
def evaluate_segmenter_command(
    dataset: DatasetOption,
    images: ImagesOption = None,
    split: Annotated[
        Split | None,
        typer.Option(
            help="Which photos; by default all of an annotated folder, and validation of a dataset made for training.",
        ),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Segmenter weights instead of those that serve.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Write the 20 worst photos and what is found on them (PNG or JPEG).")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """COCO AP, AP50 and AP75, what is served on whole photos and close-ups, the worst groups, DeepFashion2's table."""
    from fittingroom.annotations.judging import said
    from fittingroom.images import write_picture
    from fittingroom.segmentation.evaluate import evaluate_segmenter, worst_sheet
    from fittingroom.settings import get_settings

    if sheet is not None:
        check_output_file(sheet, "--sheet", PICTURE_SUFFIXES)
    path = segmenter_weights(weights)
    folder, which, left_out = _photos_to_judge(dataset, images, split)
    if left_out:
        remark(f"left out {sum(left_out.values()):,} photos of {dataset}: {said(left_out)}")
    with pictures_bar("evaluate segmenter", as_json) as bar:
        report = evaluate_segmenter(path, folder, which, device=get_settings().device, listener=bar, close_ups=True)
    if sheet is not None:
        write_picture(sheet, worst_sheet(report, get_settings().device))
    if as_json:
        print_json(report.to_json() | {"source": str(dataset), "left_out": left_out})
        return 0
    _print_figures(report.metrics())
    print(f"split: {report.split}, photos: {report.photos}, without a garment found: {report.photos_without_garment}")
    console().print(figures_table("as served", report.served_rows()))
    for title, rows in (
        ("category", report.categories),
        *report.difficulty.items(),
        ("worst groups", report.worst_rows()),
    ):
        console().print(figures_table(title, rows))
    return 0


@evaluate_app.command("style")
def evaluate_style_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The style's name.")],
    images: Annotated[Path, typer.Option(help="Prepared pictures of garments to change.")],
    target: Annotated[Path | None, typer.Option(help="Prepared pictures of the style, to compare with.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Style weights instead of those that serve.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write a before/after sheet (PNG or JPEG).")] = None,
    kid_weights: Annotated[
        Path | None,
        typer.Option(help="For KID to --target: MobileNetV2's ImageNet weights (safetensors) or Inception's (.pth)."),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Colour difference, structure, leak, pattern, cycle error and KID of a style on given garments."""
    from fittingroom.errors import InputError
    from fittingroom.registry.weights_card import check_weights
    from fittingroom.settings import get_settings
    from fittingroom.translation.dataset import list_pictures, original_pictures, without_twins
    from fittingroom.translation.evaluate import StyleTarget, evaluate_style
    from fittingroom.translation.kid import kernel_distance

    if sheet is not None:
        check_output_file(sheet, "--sheet", PICTURE_SUFFIXES)
    files = without_twins(list_pictures(images, "--images", 1))
    if weights is None:
        serving = open_serving()
        weights = serving.weights(serving.style(name))
    else:
        check_weights(weights, "--weights", "style")
    if kid_weights is not None:
        if target is None:
            raise InputError("--kid-weights: expected --target as well, the pictures that KID is to, got none")
        if kid_weights.suffix != ".pth":
            check_weights(kid_weights, "--kid-weights")
    style_target, distance, said = None, None, "KID is left out: it wants the style's pictures, --target"
    if target is not None:
        own = without_twins(list_pictures(target, "--target", 1))
        style_target = StyleTarget.of_pictures(own)
        distance, said = kernel_distance(original_pictures(own), kid_weights, get_settings().backbone_weights)
    with pictures_bar(f"evaluate {name}", as_json) as bar:
        report = evaluate_style(weights, files, style_target, sheet, get_settings().device, distance, bar)
    report.notes.append(said)
    if as_json:
        print_json(report.to_json())
        return 0
    _print_figures(report.metrics)
    for note in report.notes:
        remark(note)
    return 0


def _photos_to_judge(source: Path, images: Path | None, split: Split | None) -> tuple[Path, str, dict[str, int]]:
    """A dataset folder, which of its splits to judge on, and how many photos were left out for which reason."""
    from fittingroom.annotations.judging import take_all
    from fittingroom.annotations.select import write_dataset

    if _is_ready(source, images):
        return source, split or "validation", {}
    if split in ("train", "validation"):
        return dataset_folder(source, images), split, {}
    chosen = take_all(source, images)
    return write_dataset(chosen, _place_of("judged", source, images)), "all", dict(chosen.left_out)


def dataset_folder(source: Path, images: Path | None = None) -> Path:
    """A folder with ``selection.json``: the one named, or one made in the workspace from annotated photos.

    Of a DeepFashion2 folder frontal views are taken; COCO and VIA seldom state the view, so any is.

    Args:
        images: where the photos are, when they are not next to their annotations.

    Raises:
        InputError: neither, or no photo that can be used.
    """
    from fittingroom.annotations.select import SelectionSettings, open_for_selection, select, write_dataset

    if _is_ready(source, images):
        return source
    states_view = open_for_selection(source, images).format == "deepfashion2"
    folder = _place_of("df2", source, images)
    remark(f"selecting from {source} into dataset {folder.name}")
    settings = SelectionSettings() if states_view else SelectionSettings(viewpoint=(1, 2, 3))
    return write_dataset(select(source, settings, images_dir=images), folder)


def _is_ready(source: Path, images: Path | None) -> bool:
    """Whether ``source`` is a dataset, which knows where its photos are, and no annotations as a tool wrote them."""
    from fittingroom.errors import InputError, MissingInputError

    if not source.exists():
        raise MissingInputError("dataset", source)
    ready = (source / "selection.json").is_file()
    if ready and images is not None:
        raise InputError(f"--images {images}: expected none, the dataset {source} says where its photos are")
    return ready


def _place_of(kind: str, source: Path, images: Path | None) -> Path:
    """Where in the workspace a dataset made from ``source`` lies."""
    from fittingroom.settings import get_settings
    from fittingroom.workspace import Workspace, digest_value

    read = [str(path.absolute()) for path in (source, images) if path is not None]
    name = f"{kind}-{digest_value(read if images else read[0])[:12]}"
    return Workspace(get_settings().workspace).dataset(name)


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
        remark("error: gate: " + "; ".join(admission.failures))
        return 1
    return 0


def _print_figures(metrics: Mapping[str, float]) -> None:
    for name, value in sorted(metrics.items()):
        print(f"{name}: {figure(name, value)}")
