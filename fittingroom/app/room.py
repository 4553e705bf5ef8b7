"""Where photos are dressed: one at the models at a time, while the one before and the one after it are decoded and
encoded. Pictures are decoded in processes that can be ended.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from fittingroom.app.asked import Asked
from fittingroom.app.samples import Sample, paint_sample
from fittingroom.app.words import LANGUAGES, MAX_UPLOAD_BYTES, Language, NoGarmentOnPicture, sentence_of, warning_in
from fittingroom.appearance.choose import AvailableStyle
from fittingroom.boxes import Box
from fittingroom.errors import ImageRejected, NoGarmentFound, StorageUnavailable
from fittingroom.garment import Garment, GarmentFinder
from fittingroom.images import RGB, encode_jpeg, flatten_on_white
from fittingroom.masks import bounding_box
from fittingroom.tryon.photo import Photo, encode_result, read_photo, try_on_photo
from fittingroom.tryon.provenance import MadeBy
from fittingroom.tryon.settings import TryOnSettings
from fittingroom.tryon.steps import GarmentTranslator
from fittingroom.tryon.wanted import Wanted, wanted_by_name, wanted_by_picture
from fittingroom.workers import Workers, give_memory_back

MAX_UPLOAD_PIXELS = 40_000_000
LONGEST_SIDE = 1600
"""Larger photos are made smaller for the page; the command line works at full size."""
AT_ONCE = 2
"""Requests that are worked on at once: their pictures are decoded and encoded next to the one at the models."""

_ENDING = "the page is ending"

Say = Callable[[str], None]
"""Told the step that begins: ``looking``, ``next``, ``choosing``, ``finding``, ``painting``."""


class Models(Protocol):
    """What the page needs of models: `fittingroom.tryon.models.Champions`, or a stand-in."""

    def styles(self) -> list[AvailableStyle]:
        """What can be tried on."""
        ...

    def versions(self) -> dict[str, int | None]:
        """By the styles' names, which version serves; None for a starter."""
        ...

    def segmenter(self) -> GarmentFinder:
        """Finds the garments."""
        ...

    def translator(self, style: str) -> GarmentTranslator:
        """Paints a style."""
        ...

    def domains(self, style: str) -> dict[str, str]:
        """What the segmenter and the style learnt from, by their names."""
        ...

    def weights_of(self, style: str) -> dict[str, str]:
        """Which weights they are, by their names."""
        ...


class Picture(NamedTuple):
    """An encoded picture."""

    media_type: str
    data: bytes

    @property
    def base64(self) -> str:
        """Its bytes as text."""
        return base64.b64encode(self.data).decode()

    @property
    def uri(self) -> str:
        """For a page."""
        return f"data:{self.media_type};base64,{self.base64}"


@dataclass(frozen=True)
class Answer:
    """What somebody gets of one try-on.

    Attributes:
        before: the photo as it was worked on (JPEG). after: the result, marked as changed by AI (PNG).
        name: of a file with the result.
        message, warning: in each language; a warning is empty in all of them where nothing speaks against the result.
        style: the one that was painted. exact: whether it is what was asked for, not only near it.
        models: version and digest of both models' weights, by their names.
        garments: every one that was found, as JSON values (`fittingroom.tryon.steps.TryOnResult.garments`).
        changed_box_xyxy: around all that was changed. changed_share: of the photo's pixels, 0 to 1.
        colour: how near it came to the wanted dyes, as JSON values; empty where none were wanted.
        size: width and height of the result. shrunk_from: those of a photo that was made smaller, else None.
    """

    before: Picture
    after: Picture
    name: str
    message: dict[Language, str]
    warning: dict[Language, str]
    style: str
    exact: bool
    models: dict[str, str]
    garments: list[dict[str, Any]]
    changed_box_xyxy: Box | None
    changed_share: float
    colour: list[dict[str, Any]]
    size: tuple[int, int]
    shrunk_from: tuple[int, int] | None


class Left(Exception):
    """Who asked is gone."""


class Room:
    """The models, the threads and the processes that decode."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._decoders = Workers(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, "try-on")
        self._painter = ThreadPoolExecutor(1, "samples")
        self._at_the_models = threading.Lock()
        self._samples: dict[str, Sample] = {}
        self._closed = False

    def close(self) -> None:
        """End the decoding, and begin nothing more."""
        self._closed = True
        self._decoders.close()
        for threads in (self._threads, self._painter):
            threads.shutdown(wait=False, cancel_futures=True)

    async def dress(self, data: bytes, asked: Asked, tell: Say) -> Answer:
        """One try-on. Where its task is cancelled, it ends before its next step, and is waited for until then.

        Raises:
            FittingroomError: what the steps raise, or the server ends.
        """
        if self._closed:
            raise StorageUnavailable(_ENDING)
        loop, left = asyncio.get_running_loop(), threading.Event()

        def say(step: str) -> None:
            if left.is_set():
                raise Left
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server ends
                loop.call_soon_threadsafe(tell, step)

        work = loop.run_in_executor(self._threads, self._dressed, data, asked, say)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            left.set()
            await asyncio.wait([work])  # its place is not another's before
            if not work.cancelled():
                work.exception()
            raise

    async def sample(self, style: AvailableStyle, version: int | None) -> bytes:
        """A garment in a style, as a PNG, painted once for each version.

        Raises:
            FittingroomError: the style's weights cannot be had, or the server ends.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._painter, self._sampled, style, version)
        except (asyncio.CancelledError, RuntimeError):
            if not self._closed:
                raise
            raise StorageUnavailable(_ENDING) from None

    def _sampled(self, style: AvailableStyle, version: int | None) -> bytes:
        kept = self._samples.get(style.name)
        if kept is None or kept.version != version:
            with self._at_the_models:
                kept = paint_sample(style, version, self._models.translator(style.name))
            self._samples[style.name] = kept
        return kept.png

    def _dressed(self, data: bytes, asked: Asked, say: Say) -> Answer:
        try:
            return self._dress(data, asked, say)
        finally:
            give_memory_back()

    def _read(self, data: bytes, name: str) -> Photo:
        try:
            return self._decoders.run(read_photo, data, MAX_UPLOAD_PIXELS, MAX_UPLOAD_BYTES, LONGEST_SIDE)
        except ImageRejected as error:
            if self._closed:  # which ended what decodes: nothing is said of the picture
                raise StorageUnavailable(_ENDING) from None
            raise ImageRejected(error.reason, name, error.detail) from None

    def _dress(self, data: bytes, asked: Asked, say: Say) -> Answer:
        say("looking")
        photo = self._read(data, "photo")
        picture = flatten_on_white(self._read(asked.picture, "picture").srgb) if asked.picture else None
        if self._at_the_models.locked():
            say("next")
        with self._at_the_models:
            wanted = self._wanted(asked, picture, say)
            finder = _Telling(self._models.segmenter(), say)
            translator = self._models.translator(wanted.style.name)
            made_by = MadeBy(wanted.label, self._models.weights_of(wanted.style.name))
            settings = TryOnSettings(**wanted.painting(), garment=asked.target.garment, person=asked.target.person)
            result = try_on_photo(photo, finder, translator, settings, wanted.style.category or None)
        domains = self._models.domains(wanted.style.name)
        before = flatten_on_white(photo.pixels) if photo.pixels.shape[2] == 4 else photo.pixels
        return Answer(
            before=Picture("image/jpeg", encode_jpeg(before, profile=photo.profile)),
            after=Picture("image/png", encode_result(result, photo, made_by)),
            name=f"try-on-{wanted.label}.png",
            message={language: sentence_of(photo, result, wanted, language) for language in LANGUAGES},
            warning={language: warning_in(photo, result, domains, language) for language in LANGUAGES},
            style=wanted.style.name,
            exact=wanted.choice.exact,
            models=dict(made_by.models),
            garments=result.garments(),
            changed_box_xyxy=bounding_box(result.alpha > 0),
            changed_share=round(float((result.alpha > 0).mean()), 4),
            colour=[each.to_json() for each in result.colour],
            size=(result.image.shape[1], result.image.shape[0]),
            shrunk_from=photo.shrunk_from,
        )

    def _wanted(self, asked: Asked, picture: RGB | None, say: Say) -> Wanted:
        styles = self._models.styles()
        if picture is None:
            return wanted_by_name(asked.style, styles, asked.wish)
        say("choosing")
        try:
            return wanted_by_picture(picture, styles, self._models.segmenter(), asked.wish)
        except NoGarmentFound as error:
            raise NoGarmentOnPicture(str(error)) from None


class _Telling:
    """A finder that says when it begins and when it is done, and does neither for one who left."""

    def __init__(self, finder: GarmentFinder, say: Say) -> None:
        self._finder, self._say = finder, say

    def find(self, image: RGB, score_threshold: float | None = None) -> list[Garment]:
        self._say("finding")
        found = self._finder.find(image, score_threshold)
        self._say("painting")
        return list(found)
