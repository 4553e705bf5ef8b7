"""Try styles on photos: the ten steps for each photo, and the pictures where a person sees them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fittingroom.errors import MissingInputError
from fittingroom.names import printable
from fittingroom.shards import plan_shards
from fittingroom.workspace import Workspace, write_json
from tasks.artifacts import MOST_ROWS, artifact_key, picture_rows, show_markdown, show_table
from tasks.caching import Content, Made, Record, step
from tasks.digests import Digests
from tasks.telling import say

if TYPE_CHECKING:
    from fittingroom.tryon.batch import TriedOn


def result_folder(workspace: Workspace, person: Content) -> Path:
    """Where the pictures of one photo go: its name and the start of its digest."""
    stem = artifact_key(Path(person.path).stem)[:40] or "photo"
    return workspace.tryon / f"{stem}-{person.digest[:10]}"


def find_photos(workspace: Workspace, persons: list[Path]) -> list[Content]:
    """The photos named: files as they are, folders as all pictures in them.

    Raises:
        MissingInputError: a file or folder that is not there, or a folder with no picture.
    """
    from fittingroom.images import list_images

    found: list[Path] = []
    for person in persons:
        files = list_images(person) if person.is_dir() else [person]
        if not files:
            raise MissingInputError("person photos", person, "the folder has no picture")
        found += files
    say("photos to try styles on: %d", len(found))
    with Digests(workspace) as digests:
        return [Content(str(path.absolute()), digests.of(path)) for path in found]


def find_waiting_photos(workspace: Workspace, folder: Path) -> list[Content]:
    """The photos in a folder; none where it is empty or not there yet."""
    from fittingroom.images import list_images

    waiting = folder.is_dir() and bool(list_images(folder))
    return find_photos(workspace, [folder]) if waiting else []


def photo_shards(photos: list[Content], size: int) -> list[list[Content]]:
    """The photos in shards by content: one new photo changes one shard. The same photo twice is worked on once."""
    by_digest = {photo.digest: photo for photo in photos}
    by_path = {photo.path: photo for photo in by_digest.values()}
    shards = plan_shards({path: photo.digest for path, photo in by_path.items()}, size)
    return [[by_path[path] for path in shard.names] for shard in shards]


@step("write manifest", version=1, run_name="write manifest of {name}")
def write_manifest(workspace: str, name: str, tried_on: list[Record]) -> Made:
    """``tryon/<name>.jsonl``: a line for each photo and style; picture paths are relative to the ``tryon`` folder."""
    from fittingroom.manifest import ImageRow, Manifest

    place = Workspace(Path(workspace))
    manifest = Manifest()
    for record in tried_on:
        for row in record["value"]["rows"]:
            key = f"{row['photo']}#{row['style']}"
            if row["status"] == "done":
                path = place.root / row["image"]
                made = path.relative_to(place.tryon).as_posix()
                sha256 = str(record["outputs"][row["image"]][2])
                manifest.put(ImageRow(key, "kept", path=made, sha256=sha256, format="PNG", detail=row["message"]))
            else:
                manifest.put(ImageRow(key, "refused", "not_tried_on", detail=row["message"]))
    path = place.tryon / f"{name}.jsonl"
    manifest.write(path)
    show_table(
        artifact_key("try-on-batch", name),
        [{"what": what, "pictures": count} for what, count in manifest.counts().items()],
        f"Try-on batch {name}: {path}",
    )
    return Made({"files": {path.name: place.relative(path)}, "counts": manifest.counts()}, [path])


@step("try on", version=2, run_name="try on {style}", beside=("device",))
def try_on_style(
    workspace: str,
    style: str,
    category: str | None,
    persons: list[Content],
    names: list[str],  # of the photos: they name the results
    segmenter: Content,
    translator: Content,
    domains: dict[str, str],  # what the two learnt from, by their names
    settings: dict[str, Any],
    device: str,
) -> Made:
    """One style on several photos. A photo with no garment, or that cannot be read, is a row and not a crash."""
    from fittingroom.segmentation.predict import Segmenter
    from fittingroom.translation.predict import Translator
    from fittingroom.tryon.batch import try_on_photos
    from fittingroom.tryon.pipeline import TryOnSettings

    place = Workspace(Path(workspace))
    folders = {Path(person.path): result_folder(place, person) for person in persons}
    tried = try_on_photos(
        [Path(person.path) for person in persons],
        style,
        Segmenter.load(Path(segmenter.path), device=device),
        Translator.load(Path(translator.path), device=device),
        folders.__getitem__,
        TryOnSettings(**settings),
        category,
        domains,
    )
    rows: list[dict[str, Any]] = []
    files: list[Path] = []
    for one, name in zip(tried, names, strict=True):
        row = {"person": printable(name), "photo": _portable(place, one.photo), "style": style, **_facts(place, one)}
        if not one.refused:
            facts = folders[one.photo] / f"{style}.json"
            write_json(facts, {key: value for key, value in row.items() if key != "seconds"})
            files += [*one.pictures.values(), facts]
        rows.append(row)
    _show(place, style, persons, rows)
    return Made({"rows": rows}, files)


def _facts(place: Workspace, one: TriedOn) -> dict[str, Any]:
    if one.refused:
        return {"status": "refused", "message": one.refused}
    return {
        "status": "done",
        "message": one.message,
        **({"warning": one.warning} if one.warning else {}),
        "category": one.category,
        "score": round(one.score, 4),
        "box_xyxy": list(one.box_xyxy),
        **({"colour": [dye.to_json() for dye in one.colour]} if one.colour else {}),
        "seconds": one.seconds,
        **{what: place.relative(path) for what, path in one.pictures.items()},
    }


def _portable(place: Workspace, path: Path) -> str:
    return printable(path.relative_to(place.root).as_posix() if path.is_relative_to(place.root) else path)


def _told(place: Workspace, row: dict[str, Any]) -> str:
    return f"{row['person']}: {row['message']} (score {row['score']:.2f}) `{place.root / row['image']}`"


def _show(place: Workspace, style: str, persons: list[Content], rows: list[dict[str, Any]]) -> None:
    done = [(p, row) for p, row in zip(persons, rows, strict=True) if row["status"] == "done"]
    if done:
        pictures = [[Path(p.path), place.root / row["overlay"], place.root / row["image"]] for p, row in done]
        told = "\n".join(f"- {_told(place, row)}" for _, row in done[:MOST_ROWS])  # a table would not break its lines
        markdown = picture_rows(["photo", "garment found", style], pictures) + f"\n\n{told}"
        show_markdown(artifact_key("try-on", style), markdown, f"Try-on: {style}")
    refused = [row for row in rows if row["status"] != "done"]
    show_table(artifact_key("try-on", style, "refused"), refused, f"Photos that {style} could not be tried on")
