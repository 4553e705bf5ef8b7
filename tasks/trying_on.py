"""Try styles on photos: the ten steps for each photo, and the pictures where a person sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.client.schemas.objects import State

from fittingroom.errors import MissingInputError
from fittingroom.names import printable
from fittingroom.shards import plan_shards
from fittingroom.tryon.named import MISSING, VERSION, look_name
from fittingroom.workspace import Workspace, write_json
from tasks.artifacts import MOST_ROWS, artifact_key, picture_rows, show_markdown, show_table
from tasks.caching import (
    CachedResult,
    Content,
    ContentKey,
    StepResult,
    describe_outputs,
    keep_record,
    sound_record,
    step,
)
from tasks.digests import Digests
from tasks.photo_names import note_names, photo_id
from tasks.runners import THREADS
from tasks.telling import run_logger, say

if TYPE_CHECKING:
    from fittingroom.tryon.batch import TriedOn
    from tasks.serving import ServingModel, ServingModels


def result_folder(workspace: Workspace, person: Content) -> Path:
    """Where the pictures of one photo go."""
    return workspace.tryon / photo_id(person)


def find_photos(workspace: Workspace, persons: list[Path]) -> list[Content]:
    """The photos named: files as they are, of folders every file in them. What is no photo is refused when it is read.

    Raises:
        MissingInputError: a file or folder that is not there, or a folder with no file.
    """
    from fittingroom.tryon.batch import photo_files

    found: list[Path] = []
    for person in persons:
        files = photo_files(person) if person.is_dir() else [person]
        if not files:
            raise MissingInputError("person photos", person, "the folder has no file")
        found += files
        if person.is_dir() and (inner := sum(path.is_dir() for path in person.iterdir())):
            run_logger().warning("%s: %d folders in it are not looked into; name them too", person, inner)
    say("photos to try styles on: %d", len(found))
    with Digests(workspace, names=False) as digests:
        photos = [Content(str(path.absolute()), digests.of(path)) for path in found]
    note_names(workspace, photos)
    return photos


def find_waiting_photos(workspace: Workspace, folder: Path) -> list[Content]:
    """The photos in a folder; none where it is empty or not there yet."""
    from fittingroom.tryon.batch import photo_files

    waiting = folder.is_dir() and bool(photo_files(folder))
    return find_photos(workspace, [folder]) if waiting else []


def photo_shards(photos: list[Content], size: int) -> list[list[Content]]:
    """The photos in shards by content: one new photo changes one shard. The same photo twice is worked on once."""
    by_path = {photo.path: photo for photo in first_of_each(photos).values()}
    shards = plan_shards({path: photo.digest for path, photo in by_path.items()}, size)
    return [[by_path[path] for path in shard.names] for shard in shards]


def first_of_each(photos: list[Content]) -> dict[str, Content]:
    """Of the same photo under several names the first, by digest."""
    return {photo.digest: photo for photo in reversed(photos)}


def places_of(workspace: Workspace, photos: list[Content]) -> list[str]:
    """Where photos lie, as results say it: relative to the workspace where they are in it."""
    return [printable(workspace.portable(photo.path)) for photo in photos]


def repeated(workspace: Workspace, photos: list[Content]) -> dict[str, str]:
    """Of the same photo under several names: each further place -> the place of the one that is worked on."""
    first = first_of_each(photos)
    twice = [photo for photo in photos if photo is not first[photo.digest]]
    return dict(zip(places_of(workspace, twice), places_of(workspace, [first[p.digest] for p in twice]), strict=True))


def rows_of(record: CachedResult) -> list[dict[str, Any]]:
    """What became of each photo: all that stays the same while the results do, with the digest of each picture."""
    return [
        {key: value for key, value in row.items() if key != "seconds"}
        | ({"sha256": record["outputs"][row["image"]][2]} if row["status"] == "done" else {})
        for row in record["value"]["rows"]
    ]


def tried(state: State[CachedResult]) -> CachedResult:
    """The record of a `try_on_style` that has ended; its counts say of one that was found done that nothing was made.

    Raises:
        FittingroomError: what stopped it.
    """
    record: CachedResult = state.result()
    if state.name != "Cached":
        return record
    rows = record["value"]["rows"]
    return {**record, "value": {"rows": rows, "counts": _counts(rows, {row["photo"] for row in rows})}}


@step("write manifest", version=3, run_name="write manifest of {name}")
def write_manifest(workspace: str, name: str, rows: list[dict[str, Any]], repeats: dict[str, str]) -> StepResult:
    """``tryon/<name>.jsonl``: a line for each photo and style; picture paths are relative to the ``tryon`` folder.

    ``rows`` are those of `rows_of`, ``repeats`` those of `repeated`.
    """
    from fittingroom.manifest import ImageRow, Manifest

    place = Workspace(Path(workspace))
    manifest = Manifest()
    for row in rows:
        key, detail = f"{row['photo']}#{row['style']}", "; ".join(filter(None, (row["message"], row.get("warning"))))
        if row["status"] == "done":
            made = (place.root / row["image"]).relative_to(place.tryon).as_posix()
            manifest.put(ImageRow(key, "kept", path=made, sha256=row["sha256"], format="PNG", detail=detail))
        else:
            manifest.put(ImageRow(key, "refused", row["reason"], detail=detail))
    for photo, first in repeats.items():
        for style in dict.fromkeys(row["style"] for row in rows):
            manifest.put(ImageRow(f"{photo}#{style}", "duplicate", "exact", duplicate_of=f"{first}#{style}"))
    path = place.tryon / f"{name}.jsonl"
    manifest.write(path)
    show_table(
        artifact_key("try-on-batch", name),
        [{"what": what, "pictures": count} for what, count in manifest.counts().items()],
        f"Try-on batch {name}: {path}",
    )
    return StepResult({"files": {path.name: place.relative(path)}, "counts": manifest.counts()}, [path])


@step("try on", version=VERSION, run_name="try on {style}", ignore=("device",))
def try_on_style(
    workspace: str,
    style: str,
    category: str | None,
    persons: list[Content],
    places: list[str],  # of the photos (`places_of`): their names stand next to the results, in the workspace alone
    segmenter: Content,
    translator: Content,
    domains: dict[str, str],  # what the two learnt from, by their names
    versions: dict[str, str],  # which they are, for the results' marks
    settings: dict[str, Any],
    device: str,
) -> StepResult:
    """One style on several photos. A photo with no garment, or that cannot be read, is a row and not a crash.

    Each photo's result has a record of its own: where that is sound, its files are left as they are.
    """
    place = Workspace(Path(workspace))
    common: dict[str, Any] = {
        "style": style, "category": category, "segmenter": segmenter, "translator": translator, "domains": domains,
        "versions": versions, "settings": settings,
    }  # fmt: skip
    one = ContentKey(step="try-on-photo", version=VERSION)
    keys = [
        one.key({**common, "person": person, "name": Path(at).name}) for person, at in zip(persons, places, strict=True)
    ]
    records = {key: record for key in keys if (record := sound_record(place, key))}
    new = {key: person for key, person in zip(keys, persons, strict=True) if key not in records}
    if new:
        for key, tried_on in zip(new, _try_on(place, list(new.values()), device=device, **common), strict=True):
            records[key] = _record(place, tried_on, style)
            keep_record(place, key, records[key])
    rows = [
        {"person": photo_id(person), "photo": at, **records[key]["value"]}
        for key, person, at in zip(keys, persons, places, strict=True)
    ]
    _show(place, style, persons, rows)
    before = {row["photo"] for key, row in zip(keys, rows, strict=True) if key not in new}
    described = {name: fact for record in records.values() for name, fact in record["outputs"].items()}
    return StepResult({"rows": rows, "counts": _counts(rows, before)}, described=described)


def arguments_of(
    place: Workspace,
    style: ServingModel,
    photos: list[Content],
    models: ServingModels,
    look: dict[str, Any],
    device: str,
) -> dict[str, Any]:
    """What `try_on_style` is called with for a style that serves; ``look``: `TryOnSettings` fields. Results of another
    garment or person than the usual have names of their own."""
    return {
        "workspace": str(place.root),
        "style": look_name(style.name, look.get("garment", ""), look.get("person", "")),
        "category": style.category,
        "persons": photos,
        "places": places_of(place, photos),
        "segmenter": models.segmenter.weights,
        "translator": style.weights,
        "domains": models.domains(style),
        "versions": models.versions(style),
        "settings": {**look, **style.painting},
        "device": device,
    }


def _try_on(
    place: Workspace,
    persons: list[Content],
    *,
    style: str,
    category: str | None,
    segmenter: Content,
    translator: Content,
    domains: dict[str, str],
    versions: dict[str, str],
    settings: dict[str, Any],
    device: str,
) -> Iterator[TriedOn]:
    from fittingroom.segmentation.predict import Segmenter
    from fittingroom.translation.predict import Translator
    from fittingroom.tryon.batch import Look, photos_at_once, try_on_photos
    from fittingroom.tryon.provenance import MadeBy
    from fittingroom.tryon.settings import TryOnSettings

    folders = {Path(person.path): result_folder(place, person) for person in persons}
    painter = Translator.load(Path(translator.path), device=device)
    look = Look(style, painter, MadeBy(style, versions), TryOnSettings(**settings), category, domains)
    return try_on_photos(
        ((photo, [look]) for photo in folders),
        Segmenter.load(Path(segmenter.path), device=device),
        lambda photo, _: folders[photo] / f"{style}.png",
        between=True,
        at_once=photos_at_once(THREADS),
    )


def _record(place: Workspace, one: TriedOn, style: str) -> CachedResult:
    """What became of one photo: the same wherever it lies.

    Raises:
        MissingInputError: it is gone, which says nothing of its content.
    """
    if one.reason == MISSING:
        raise MissingInputError("image", one.photo)
    row = {"style": style, **_facts(place, one)}
    files = list(one.pictures.values())
    if not one.refused:
        facts = one.pictures["image"].with_suffix(".json")
        write_json(facts, {"person": printable(one.photo.name), **{k: v for k, v in row.items() if k != "seconds"}})
        files.append(facts)
    return CachedResult(value=row, outputs=describe_outputs(place, files), seconds=sum(one.seconds.values()))


def _counts(rows: list[dict[str, Any]], before: set[str]) -> dict[str, int]:
    """How many were done or refused, in this run or before it."""
    words = (row["status"] + (" before" if row["photo"] in before else "") for row in rows)
    return dict(sorted(Counter(words).items()))


def _facts(place: Workspace, one: TriedOn) -> dict[str, Any]:
    if one.refused:
        return {"status": "refused", "reason": one.reason, "message": one.refused}
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


def _told(place: Workspace, row: dict[str, Any]) -> str:
    return f"{row['person']}: {row['message']} (score {row['score']:.2f}) `{place.root / row['image']}`"


def _show(place: Workspace, style: str, persons: list[Content], rows: list[dict[str, Any]]) -> None:
    done = [(p, row) for p, row in zip(persons, rows, strict=True) if row["status"] == "done"]
    if done:
        pictures = [[Path(p.path), place.root / row["overlay"], place.root / row["image"]] for p, row in done]
        told = "\n".join(f"- {_told(place, row)}" for _, row in done[:MOST_ROWS])  # a table would not break its lines
        markdown = picture_rows(["photo", "garment found", style], pictures) + f"\n\n{told}"
        show_markdown(artifact_key("try-on", style), markdown, f"Try-on: {style}")
    refused = [{k: v for k, v in row.items() if k != "photo"} for row in rows if row["status"] != "done"]
    show_table(artifact_key("try-on", style, "refused"), refused, f"Photos that {style} could not be tried on")
