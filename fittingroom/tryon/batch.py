"""One style on many photos: a row for each photo, its pictures in a folder of its own; a bad photo is no crash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fittingroom.domain import warn_of_photo
from fittingroom.errors import ImageRejected, MissingInputError, NoGarmentFound
from fittingroom.garment import GarmentFinder
from fittingroom.images import flatten_on_white, write_png
from fittingroom.segmentation.overlay import mask_overlay
from fittingroom.tryon.nearness import Nearness, in_words
from fittingroom.tryon.photo import read_photo, try_on_photo, write_result
from fittingroom.tryon.pipeline import GarmentTranslator, TryOnSettings

PICTURES = {"image": "", "overlay": "-overlay", "garment": "-garment", "translated": "-translated"}
"""What is written for each photo and style, and how its name ends: the result, the garment found on the photo, and
that garment before and after translation."""


@dataclass(frozen=True)
class TriedOn:
    """What became of one photo.

    Attributes:
        refused: why it was refused; empty for one that got its pictures.
        reason: the same as a word: ``no_garment``, or one of `fittingroom.errors.ImageRejected.REASONS`.
        message: which garment was changed, and why that one.
        warning: why the result is not to be trusted; empty where nothing speaks against it.
        box_xyxy: the garment's box in the photo's pixels.
        pictures: by the names in `PICTURES`. seconds: what each step took.
        colour: how near the result came to the cloth that was wanted, where one was.
    """

    photo: Path
    refused: str = ""
    reason: str = ""
    message: str = ""
    warning: str = ""
    category: str = ""
    score: float = 0.0
    box_xyxy: tuple[int, ...] = ()
    pictures: dict[str, Path] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    colour: tuple[Nearness, ...] = ()


def photo_files(folder: Path) -> list[Path]:
    """Every file directly in ``folder``, sorted by name; hidden ones are left out. What a file is its bytes say: some
    phones export without a suffix, and what is no picture is refused, with its reason, when it is read.

    Raises:
        MissingInputError: no such folder.
    """
    if not folder.is_dir():
        raise MissingInputError("folder", folder)
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def try_on_photos(
    photos: Iterable[Path],
    style: str,
    finder: GarmentFinder,
    translator: GarmentTranslator,
    folder_of: Callable[[Path], Path],
    settings: TryOnSettings | None = None,
    category: str | None = None,
    domains: Mapping[str, str] | None = None,
) -> Iterator[TriedOn]:
    """Try ``style`` on each photo, in order, as they are asked for; write ``<style>.png`` and its in-between pictures.

    Args:
        folder_of: where the pictures of a photo go.
        category: the style's, so that the right garment is changed.
        domains: what the models learnt from, by their names (`fittingroom.domain.warn_of_photo`).

    Raises:
        MissingInputError: a photo that is not there. StorageUnavailable: the disk is full.
    """
    for photo in photos:
        yield _try_on_one(photo, style, finder, translator, folder_of(photo), settings, category, domains or {})


def _try_on_one(
    path: Path,
    style: str,
    finder: GarmentFinder,
    translator: GarmentTranslator,
    folder: Path,
    settings: TryOnSettings | None,
    category: str | None,
    domains: Mapping[str, str],
) -> TriedOn:
    try:
        photo = read_photo(path)
        result = try_on_photo(photo, finder, translator, settings, category)
    except (ImageRejected, NoGarmentFound) as error:
        words = error.detail if isinstance(error, ImageRejected) else str(error)
        return TriedOn(path, refused=words, reason=getattr(error, "reason", "no_garment"))
    written = {what: folder / f"{style}{ending}.png" for what, ending in PICTURES.items()}
    write_result(written["image"], result, photo)
    seen = photo.srgb if photo.srgb.shape[2] == 3 else flatten_on_white(photo.srgb)
    write_png(written["overlay"], mask_overlay(seen, [result.garment.mask]))
    write_png(written["garment"], result.garment_image)
    write_png(written["translated"], result.translated)
    return TriedOn(
        path,
        message="; ".join(part for part in (result.taken.sentence(), in_words(result.colour)) if part),
        colour=result.colour,
        warning=warn_of_photo(photo.rendered, domains),
        category=result.garment.category,
        score=result.garment.score,
        box_xyxy=tuple(result.box),
        pictures=written,
        seconds=result.seconds,
    )
