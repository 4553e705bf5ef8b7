"""Try styles on photos: the ten steps for each photo, and the pictures where a person sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fittingroom.errors import MissingInputError
from fittingroom.workspace import Workspace, write_json
from tasks.artifacts import artifact_key, picture_rows, show_markdown, show_table
from tasks.caching import Content, Made, step
from tasks.contents import Digests

PICTURES = {"image": "", "overlay": "-overlay", "garment": "-garment", "translated": "-translated"}
"""What is written for each photo and style, and how its name ends: the result, the garment found on the photo, and
that garment before and after translation."""


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

    digests = Digests(workspace)
    found: list[Path] = []
    for person in persons:
        files = list_images(person) if person.is_dir() else [person]
        if not files:
            raise MissingInputError("person photos", person, "the folder has no picture")
        found += files
    photos = [Content(str(path.absolute()), digests.of(path)) for path in found]
    digests.save()
    return photos


@step("try on", version=1, run_name="try on {style}", beside=("device",))
def try_on_style(
    workspace: str,
    style: str,
    category: str | None,
    persons: list[Content],
    names: list[str],  # of the photos: they name the results
    segmenter: Content,
    translator: Content,
    settings: dict[str, Any],
    device: str,
) -> Made:
    """One style on several photos. A photo with no garment, or that cannot be read, is a row and not a crash."""
    from fittingroom.errors import ImageRejected, NoGarmentFound
    from fittingroom.images import flatten_on_white, write_png
    from fittingroom.segmentation.overlay import mask_overlay
    from fittingroom.segmentation.predict import Segmenter
    from fittingroom.translation.predict import Translator
    from fittingroom.tryon.photo import read_photo, try_on_photo, write_result
    from fittingroom.tryon.pipeline import TryOnSettings

    place = Workspace(Path(workspace))
    finder = Segmenter.load(Path(segmenter.path), device=device)
    generator = Translator.load(Path(translator.path), device=device)
    rows: list[dict[str, Any]] = []
    files: list[Path] = []
    for person, name in zip(persons, names, strict=True):
        folder = result_folder(place, person)
        row: dict[str, Any] = {"person": name, "photo": _portable(place, Path(person.path)), "style": style}
        try:
            photo = read_photo(Path(person.path))
            result = try_on_photo(photo, finder, generator, TryOnSettings(**settings), category)
        except (ImageRejected, NoGarmentFound) as error:
            rows.append({**row, "status": "refused", "message": str(error)})
            continue
        written = {what: folder / f"{style}{suffix}.png" for what, suffix in PICTURES.items()}
        write_result(written["image"], result, photo)
        seen = photo.srgb if photo.srgb.shape[2] == 3 else flatten_on_white(photo.srgb)
        write_png(written["overlay"], mask_overlay(seen, [result.garment.mask]))
        write_png(written["garment"], result.garment_image)
        write_png(written["translated"], result.translated)
        row |= {
            "status": "done",
            "message": result.message,
            "category": result.garment.category,
            "score": round(result.garment.score, 4),
            "box_xyxy": list(result.box),
            "seconds": result.seconds,
            **{what: place.relative(path) for what, path in written.items()},
        }
        write_json(folder / f"{style}.json", {key: value for key, value in row.items() if key != "seconds"})
        files += [*written.values(), folder / f"{style}.json"]
        rows.append(row)
    _show(place, style, persons, rows)
    return Made({"rows": rows}, files)


def _portable(place: Workspace, path: Path) -> str:
    return path.relative_to(place.root).as_posix() if path.is_relative_to(place.root) else str(path)


def _show(place: Workspace, style: str, persons: list[Content], rows: list[dict[str, Any]]) -> None:
    done = [(p, row) for p, row in zip(persons, rows, strict=True) if row["status"] == "done"]
    if done:
        pictures = [
            [Path(p.path), place.root / row["overlay"], place.root / row["image"], row["message"]] for p, row in done
        ]
        markdown = picture_rows(["photo", "garment found", style, "what was changed"], pictures)
        show_markdown(artifact_key("try-on", style), markdown, f"Try-on: {style}")
    refused = [row for row in rows if row["status"] != "done"]
    show_table(artifact_key("try-on", style, "refused"), refused, f"Photos that {style} could not be tried on")
