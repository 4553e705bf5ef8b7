"""From a DeepFashion2 folder to a training set, and the garments people wear in it as training pictures."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from fittingroom.datasets import images_dir_of
from fittingroom.errors import MissingInputError
from fittingroom.shards import Shard, plan_shards
from fittingroom.train_and_admit import DATASET_FILES
from fittingroom.workspace import Workspace, digest_value
from tasks.artifacts import artifact_key, picture_rows, show_figures, show_markdown
from tasks.caching import Content, StepResult, step
from tasks.digests import Digests
from tasks.fingerprints import folder_content, pictures_of
from tasks.pictures import PEOPLE


def annotation_content(workspace: Workspace, source: Path) -> Content:
    """A DeepFashion2 folder as content: its annotations and its pictures.

    Raises:
        MissingInputError: no such folder.
    """
    from fittingroom.annotations.formats.deepfashion2 import images_folder as pictures_of

    if not (source / "annos").is_dir() or not pictures_of(source).is_dir():
        raise MissingInputError("DeepFashion2 folder", source, "it should hold the folders annos and image (or images)")
    content = folder_content(workspace, source)
    return Content(content.path, content.digest, path_in_key=True)  # the selection says where its photos lie


def plan_scans(workspace: Workspace, source: Path, size: int) -> list[Shard]:
    """Shards of a DeepFashion2 folder's annotation files; each counts with its picture, if there is one."""
    from fittingroom.annotations.formats import deepfashion2
    from fittingroom.images import list_images

    _, images = deepfashion2.folders(source)
    pictures = {path.stem: path for path in list_images(images)}
    with Digests(workspace) as digests:
        found = {
            path.name: digest_value([digests.of(each) for each in (path, pictures.get(path.stem)) if each])
            for path in deepfashion2.files_of(source)
        }
    return plan_shards(found, size)


@step("scan annotations", version=1, run_name="scan annotations, shard {shard.label}", ignore=("source",))
def scan_annotations(workspace: str, source: Content, shard: Shard, conditions: dict[str, Any]) -> StepResult:  # noqa: ARG001
    """Find out which pictures of a shard of annotation files match the selection's conditions."""
    from fittingroom.annotations.formats import Files, Source, deepfashion2
    from fittingroom.annotations.select import SelectionSettings, scan

    annotations, images = deepfashion2.folders(Path(source.path))
    part = Source(Path(source.path), deepfashion2.FORMAT.name, images, Files(annotations, shard.names))
    return StepResult(vars(scan(part, SelectionSettings(**conditions))))


@step("write dataset", version=2, run_name="write dataset {name}", ignore=("scans",))
def write_dataset(
    workspace: str, name: str, source: Content, settings: dict[str, Any], scans: list[dict[str, Any]]
) -> StepResult:
    """Draw photos from those that match, split them pair-safely, and write COCO and VIA."""
    from fittingroom.annotations.select import Scan, SelectionSettings, choose, open_for_selection
    from fittingroom.annotations.select import write_dataset as write

    folder = Workspace(Path(workspace)).dataset(name)
    opened = open_for_selection(Path(source.path))
    found = [Scan(**scan) for scan in scans]
    chosen = choose(opened, SelectionSettings(**settings), found)
    write(chosen, folder)
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    counts = {"train": len(chosen.train), "validation": len(chosen.validation)}
    show_figures(artifact_key("dataset", name), counts, f"Pictures selected into {folder}")
    value = {"name": name, "counts": counts, "left_out": chosen.left_out, "found": chosen.found}
    return StepResult({**value, "warnings": [f"{source.path}: {warning}" for warning in chosen.warnings]}, files)


def plan_people(workspace: Workspace, dataset: Content, size: int) -> list[Shard]:
    """Shards of the training pictures of a dataset."""
    images = images_folder(dataset)
    with Digests(workspace) as digests:
        found = {name: digests.of(images / name) for name in selection_of(dataset)["train"]}
    return plan_shards(found, size)


def images_folder(dataset: Content) -> Path:
    """Where a dataset's photos lie."""
    return images_dir_of(Path(dataset.path), selection_of(dataset))


def read_dataset(workspace: Workspace, name: str) -> Content:
    """A dataset of the workspace, whichever run wrote it.

    Raises:
        MissingInputError: there is none of that name.
    """
    folder = workspace.dataset(name)
    if not (folder / "selection.json").is_file():
        raise MissingInputError("dataset", folder, "run convert-annotations first")
    with Digests(workspace) as digests:
        parts = {name: digests.of(folder / name) for name in DATASET_FILES}
    return Content(str(folder), digest_value(parts))


def selection_of(dataset: Content) -> dict[str, Any]:
    """What a dataset's ``selection.json`` says of it."""
    found: dict[str, Any] = json.loads((Path(dataset.path) / "selection.json").read_text(encoding="utf-8"))
    return found


@step("cut worn garments", version=2, run_name="cut garments people wear, shard {shard.label}")
def people_garments_shard(workspace: str, dataset: Content, shard: Shard, size: int, flip: bool) -> StepResult:
    """Cut every large enough garment out of the photos of a shard by its true mask, as the try-on would."""
    from fittingroom.annotations.findings import Findings
    from fittingroom.annotations.sources import open_source, read
    from fittingroom.preparing.from_people import cut_worn_garments

    place = Workspace(Path(workspace))
    wanted = set(shard.names)
    images, findings = images_folder(dataset), Findings()
    annotated = read(open_source(Path(dataset.path) / "train.json", findings, images), findings)
    photos = (photo for photo in annotated if photo.file_name in wanted)
    refused: Counter[str] = Counter()
    written = cut_worn_garments(photos, images, place.prepared(PEOPLE), size=size, flip=flip, refused=refused)
    counts = {"kept": len(written) // (1 + flip), **{f"refused: {why}": count for why, count in refused.items()}}
    return StepResult({"counts": counts}, written)


def show_people(workspace: Workspace) -> None:
    """A few of the garments that were cut from people."""
    folder = workspace.prepared(PEOPLE)
    pictures = [folder / name for name in pictures_of(folder) if not name.endswith("_flip.png")][:18]
    rows = [pictures[i : i + 6] for i in range(0, len(pictures), 6)]
    full = [row for row in rows if len(row) == 6]
    if full:
        show_markdown(
            artifact_key(PEOPLE), picture_rows([" "] * 6, full), f"Garments people wear (domain A), in {folder}"
        )
