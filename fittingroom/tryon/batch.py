"""Styles on many photos: each photo is decoded and searched for garments once, whatever the number of styles; a bad
photo is a row and no crash. Flows and command line have their batches made here.

A photo goes through all of its steps in one thread, and several photos are under way at once: what takes the time
(networks, OpenCV, zlib) lets go of Python's lock. Only the photos under way are in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from fittingroom.cores import threads_each
from fittingroom.errors import ImageRejected, MissingInputError, NoGarmentFound
from fittingroom.garment import Garment, GarmentFinder
from fittingroom.images import RGB, flatten_on_white, resize, to_srgb, write_png
from fittingroom.segmentation.overlay import mask_overlay
from fittingroom.tryon.named import MISSING
from fittingroom.tryon.nearness import Nearness, in_words
from fittingroom.tryon.photo import Photo, read_photo, try_on_photo, warning_of, write_result
from fittingroom.tryon.provenance import MadeBy
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.tryon.steps import GarmentTranslator, TryOnResult

PICTURES = {"image": "", "overlay": "-overlay", "garment": "-garment", "translated": "-translated"}
"""What can be written for each photo and style, and how its name ends: the result, the garment found on the photo, and
that garment before and after translation."""
_MOST_AT_ONCE = 4
"""Photos under way: of 50 million pixels, one takes more than a gigabyte."""


@dataclass(frozen=True)
class Look:
    """A style that is ready to be tried on.

    Attributes:
        name: what its results are called (`fittingroom.tryon.named.look_name`).
        category: the style's, so that the right garment is changed.
        domains: what the models learnt from, by their names (`fittingroom.domain.warn_of_photo`).
    """

    name: str
    translator: GarmentTranslator
    made_by: MadeBy
    settings: TryOnSettings = field(default_factory=TryOnSettings)
    category: str | None = None
    domains: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TriedOn:
    """What became of one photo and one style.

    Attributes:
        look: the style's `Look.name`.
        refused: why it was refused; empty for one that got its pictures.
        reason: the same as a word: ``no_garment``, ``doubtful_mask``, ``missing``, or one of
            `fittingroom.errors.ImageRejected.REASONS`.
        message: which garment was changed, and why that one.
        warning: why the result is not to be trusted; empty where nothing speaks against it. doubt: the part of it that
            speaks against the mask.
        box_xyxy: the garment's box in the photo's pixels.
        garments: every one that was found, `TryOnResult.garments`.
        pictures: by the names in `PICTURES`. seconds: what each step took.
        colour: how near the result came to the cloth that was wanted, where one was.
        small: photo and result as small pictures, (h, w, 3) in sRGB; None where none were asked for.
    """

    photo: Path
    look: str
    refused: str = ""
    reason: str = ""
    message: str = ""
    warning: str = ""
    doubt: str = ""
    category: str = ""
    score: float = 0.0
    box_xyxy: tuple[int, ...] = ()
    garments: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, Path] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    colour: tuple[Nearness, ...] = ()
    small: tuple[RGB, RGB] | None = field(default=None, repr=False, compare=False)


def photo_files(folder: Path) -> list[Path]:
    """Every file directly in ``folder``, sorted by name; hidden ones are left out. What a file is its bytes say: some
    phones export without a suffix, and what is no picture is refused, with its reason, when it is read.

    Raises:
        MissingInputError: no such folder.
    """
    if not folder.is_dir():
        raise MissingInputError("folder", folder)
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def photos_at_once(sharing: int = 1) -> int:
    """How many photos to have under way at once, where ``sharing`` batches share this machine."""
    return min(threads_each(sharing), _MOST_AT_ONCE)


def share_cores(at_once: int) -> None:
    """Give each of so many photos under way its share of the cores, in all of this process."""
    import torch

    torch.set_num_threads(threads_each(at_once))
    cv2.setNumThreads(threads_each(at_once))


def try_on_photos(
    asked: Iterable[tuple[Path, Sequence[Look]]],
    finder: GarmentFinder,
    place_of: Callable[[Path, Look], Path],
    between: bool = False,
    small: int = 0,
    at_once: int = 1,
) -> Iterator[TriedOn]:
    """Try the looks that are asked for on each photo and write the results, in the order they are asked for.

    Args:
        asked: taken as work goes on; it may be as long as it likes.
        place_of: where the result of a photo goes, a PNG file.
        between: write the other `PICTURES` beside it.
        small: the longer side of `TriedOn.small` in pixels; 0 for none.
        at_once: photos under way at once (`photos_at_once`).

    Raises:
        StorageUnavailable: the disk is full. InputError: what cannot be used, whatever the photo.
    """
    waiting: deque[Future[list[TriedOn]]] = deque()
    with ThreadPoolExecutor(at_once, "try-on") as pool:
        try:
            for photo, looks in asked:
                waiting.append(pool.submit(_try_on_all, photo, looks, finder, place_of, between, small))
                if len(waiting) > at_once:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


class _Once:
    """Finds the garments of one photo, which every style asks for, once."""

    def __init__(self, finder: GarmentFinder) -> None:
        self._finder = finder
        self._found: dict[float | None, list[Garment]] = {}

    def find(self, image: RGB, score_threshold: float | None = None) -> list[Garment]:
        if score_threshold not in self._found:
            self._found[score_threshold] = self._finder.find(image, score_threshold)
        return self._found[score_threshold]


def _try_on_all(
    path: Path,
    looks: Sequence[Look],
    finder: GarmentFinder,
    place_of: Callable[[Path, Look], Path],
    between: bool,
    small: int,
) -> list[TriedOn]:
    """Every look on one photo."""
    try:
        photo = read_photo(path)
    except ImageRejected as error:
        return [TriedOn(path, look.name, refused=error.detail, reason=error.reason) for look in looks]
    except MissingInputError as error:
        return [TriedOn(path, look.name, refused=str(error), reason=MISSING) for look in looks]
    once = _Once(finder)
    before = _small(photo.pixels, photo, small) if small else None
    found = []
    for look in looks:
        try:
            result = try_on_photo(photo, once, look.translator, look.settings, look.category)
        except NoGarmentFound as error:
            found.append(TriedOn(path, look.name, refused=str(error), reason=error.reason))
            continue
        written = _write(place_of(path, look), result, photo, look, between)
        shown = None if before is None else (before, _small(result.image, photo, small))
        found.append(_told(path, photo, look, result, written, shown))
    return found


def _write(place: Path, result: TryOnResult, photo: Photo, look: Look, between: bool) -> dict[str, Path]:
    written = {what: place.with_name(f"{place.stem}{ending}.png") for what, ending in PICTURES.items()}
    write_result(written["image"], result, photo, look.made_by)
    if not between:
        return {"image": written["image"]}
    seen = photo.srgb if photo.srgb.shape[2] == 3 else flatten_on_white(photo.srgb)
    write_png(written["overlay"], mask_overlay(seen, [result.garment.mask]))
    write_png(written["garment"], result.changed[0].garment_image)
    write_png(written["translated"], result.changed[0].translated)
    return written


def _told(
    path: Path,
    photo: Photo,
    look: Look,
    result: TryOnResult,
    written: dict[str, Path],
    small: tuple[RGB, RGB] | None,
) -> TriedOn:
    return TriedOn(
        path,
        look.name,
        message="; ".join(part for part in (result.taken.sentence(), in_words(result.colour)) if part),
        colour=result.colour,
        warning=warning_of(photo, result, look.domains),
        doubt=result.doubt,
        category=result.garment.category,
        score=result.garment.score,
        box_xyxy=tuple(result.box),
        garments=result.garments(),
        pictures=written,
        seconds=result.seconds,
        small=small,
    )


def _small(image: RGB, photo: Photo, side: int) -> RGB:
    """A picture in the photo's colours, smaller and in sRGB."""
    scale = min(side / max(image.shape[:2]), 1.0)
    shrunk = resize(image, max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    opaque = flatten_on_white(shrunk) if shrunk.shape[2] == 4 else shrunk
    return to_srgb(opaque, photo.profile) if photo.profile else opaque
