"""The page as an application. A photo lives as long as its request: in memory, or in a temporary file of the upload's
parser that is deleted with it.

Uploads are hostile until read: bytes, fields, pixels, formats and times are limited, and pictures are decoded in
processes that can be ended. One picture is at the models at a time, while the one before and the one after it are
encoded and decoded.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from fittingroom.app.asked import Asked, read_asked
from fittingroom.app.limits import LimitUploads, Line, client_of
from fittingroom.app.rendering import MAX_UPLOAD_BYTES, Page, headers
from fittingroom.domain import warn_of_photo
from fittingroom.errors import (
    Damaged,
    FittingroomError,
    ImageRejected,
    InputError,
    MissingInputError,
    NoGarmentFound,
    NothingNear,
    TransientError,
    WeightsRejected,
)
from fittingroom.garment import GarmentFinder
from fittingroom.images import encode_jpeg, encode_png, flatten_on_white
from fittingroom.settings import get_settings
from fittingroom.styles.choose import AvailableStyle
from fittingroom.tryon.nearness import in_words
from fittingroom.tryon.photo import Photo, read_photo, try_on_photo
from fittingroom.tryon.pipeline import GarmentTranslator, TryOnResult, TryOnSettings
from fittingroom.tryon.wanted import Wanted, wanted_by_name, wanted_by_picture
from fittingroom.workers import Workers, give_memory_back
from fittingroom.workspace import Workspace

MAX_UPLOAD_PIXELS = 40_000_000
LONGEST_SIDE = 1600
"""Larger photos are made smaller for the page; the command line works at full size."""
AT_ONCE = 2
"""Requests that are worked on at once: their pictures are decoded and encoded beside the one at the models."""
MAX_WAITING = 24
"""Requests that may wait for that; further ones are told to come back."""
WAIT_SECONDS = 60.0
"""The longest wait; who waited so long is told to come back, too."""

log = logging.getLogger("fittingroom.app")


class Models(Protocol):
    """What the page needs of models: `fittingroom.tryon.champions.Champions`, or a stand-in."""

    def styles(self) -> list[AvailableStyle]:
        """What can be tried on."""
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


def create_app(
    workspace: Workspace | Path | str, models: Models | None = None, allowed_hosts: Sequence[str] | None = None
) -> FastAPI:
    """The page as an ASGI application.

    Args:
        workspace: whose registry serves.
        models: a stand-in for the registry's champions.
        allowed_hosts: names this server answers to (against DNS rebinding); None is any.
    """
    shown = models if models is not None else _champions(workspace)
    page = Page()
    line = Line(AT_ONCE, MAX_WAITING, WAIT_SECONDS)
    room = _Room(shown)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        stop()

    def stop() -> None:
        """Nothing new is begun, and no picture is decoded to its end."""
        line.close()
        room.close()

    async def refusal(status: int, error: str) -> HTMLResponse:
        """The whole page, its styles too, with what was wrong above it."""
        styles: list[AvailableStyle] = []
        with contextlib.suppress(Exception):  # what was wrong matters more than a registry that is away, too
            styles = await asyncio.to_thread(shown.styles)
        return page.render(styles, status=status, error=error)

    app = FastAPI(title="Fittingroom", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.stop = stop
    too_large = (
        f"this upload is too large, at most {MAX_UPLOAD_BYTES // 1_000_000} MB are accepted; make the photo smaller"
    )
    app.add_middleware(LimitUploads, limit=MAX_UPLOAD_BYTES + 100_000, words=too_large, refusal=refusal)
    if allowed_hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts))

    @app.get("/", response_class=HTMLResponse)
    async def form() -> Response:
        try:
            styles = await asyncio.to_thread(shown.styles)
        except FittingroomError as error:
            log.error("%s", error)
            return page.render([], status=503, error=_words(error))
        return page.render(styles)

    @app.post("/try-on", response_class=HTMLResponse)
    async def try_on(request: Request) -> Response:
        styles: list[AvailableStyle] = []
        chosen = ""
        try:
            _check_origin(request)
            styles = await asyncio.to_thread(shown.styles)
            async with _form(request) as fields:
                upload, wanted = fields.get("photo"), fields.get("style")
                if not isinstance(upload, UploadFile) or not (upload.filename or upload.size):
                    raise InputError("choose a photo first")
                if isinstance(wanted, str):
                    chosen = wanted
                if not upload.size:
                    raise ImageRejected("empty", str(upload.filename), "the file is empty; choose another")
                asked = await read_asked(fields, styles)
                async with line.turn(client_of(request.scope)):
                    if await request.is_disconnected():
                        raise ClientDisconnect
                    answer = await room.dress(await upload.read(), asked)
            return page.render(styles, chosen=chosen, answer=answer)
        except ClientDisconnect:
            log.warning("%s left before its answer", client_of(request.scope))
            return Response(status_code=499)
        except HTTPException as error:
            return page.render(styles, status=error.status_code, error=_http_words(error), chosen=chosen)
        except FittingroomError as error:
            status = _status_of(error)
            if status >= 500:  # the visitor is not told what it is, and only its owner can mend it
                log.error("%s", error)
            return page.render(styles, status=status, error=_words(error), chosen=chosen)

    @app.get("/favicon.ico")
    async def no_icon() -> Response:
        return Response(status_code=204, headers=headers())

    @app.get("/healthz")
    async def health() -> Response:
        return JSONResponse({"ok": True}, headers=headers())

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return await refusal(error.status_code, _http_words(error))

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:  # noqa: ARG001  nothing of it is shown
        return await refusal(500, "something went wrong here; the server's log says what")

    return app


def _champions(workspace: Workspace | Path | str) -> Models:
    from fittingroom.styles.registry import Registry
    from fittingroom.styles.serving import Serving
    from fittingroom.tryon.champions import Champions

    settings = get_settings()
    root = workspace if isinstance(workspace, Workspace) else Workspace(Path(workspace))
    return Champions(Serving.of_installation(Registry(root, settings.tracking_uri)), settings.device)


class _Room:
    """Where photos are dressed: one at the models at a time, and decoded elsewhere."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._decoders = Workers(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, "try-on")
        self._at_the_models = threading.Lock()

    def close(self) -> None:
        self._decoders.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def dress(self, data: bytes, asked: Asked) -> dict[str, str]:
        """What the page shows of one try-on: pictures as data URIs and a sentence."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._dressed, data, asked)

    def _dressed(self, data: bytes, asked: Asked) -> dict[str, str]:
        try:
            return self._dress(data, asked)
        finally:
            give_memory_back()

    def _read(self, data: bytes) -> Photo:
        return self._decoders.run(read_photo, data, MAX_UPLOAD_PIXELS, MAX_UPLOAD_BYTES, LONGEST_SIDE)

    def _dress(self, data: bytes, asked: Asked) -> dict[str, str]:
        photo = self._read(data)
        picture = flatten_on_white(self._read(asked.picture).srgb) if asked.picture else None
        with self._at_the_models:
            finder, styles = self._models.segmenter(), self._models.styles()
            if picture is None:
                wanted = wanted_by_name(asked.style, styles, asked.wish)
            else:
                wanted = wanted_by_picture(picture, styles, finder, asked.wish)
            style, settings = wanted.style, TryOnSettings(**wanted.painting())
            translator = self._models.translator(style.name)
            result = try_on_photo(photo, finder, translator, settings, style.category or None)
        before = flatten_on_white(photo.pixels) if photo.pixels.shape[2] == 4 else photo.pixels
        return {
            "before": _uri("image/jpeg", encode_jpeg(before, profile=photo.profile)),
            "after": _uri("image/png", encode_png(result.image, profile=photo.profile)),
            "name": f"try-on-{wanted.label}.png",
            "message": _sentence(result, wanted) + _note(photo),
            "warning": warn_of_photo(photo.rendered, self._models.domains(style.name)),
        }


def _note(photo: Photo) -> str:
    if photo.shrunk_from is None:
        return ""
    width, height = photo.shrunk_from
    return f" The photo was made smaller, from {width} x {height} pixels."


def _sentence(result: TryOnResult, wanted: Wanted) -> str:
    near = "" if wanted.choice.exact else wanted.choice.message
    said = (result.taken.sentence(wanted.words()), near, in_words(result.colour))
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in said if part)


def _uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@contextlib.asynccontextmanager
async def _form(request: Request) -> AsyncIterator[FormData]:
    """The form's fields.

    Raises:
        HTTPException: 400, it cannot be read as a form; and what `LimitUploads` raises. ClientDisconnect.
    """
    try:
        fields = await request.form(max_files=2, max_fields=6, max_part_size=4096)
    except ValueError as error:  # a charset that decodes nothing, a header that is none
        raise HTTPException(400, f"it cannot be read as a form ({type(error).__name__})") from None
    try:
        yield fields
    finally:
        await request.close()


def _check_origin(request: Request) -> None:
    """Refuse forms that another site's page sends here, or one that hides where it is from."""
    origin = request.headers.get("origin")
    if origin is None:
        return
    sent_from = _place(origin)
    if sent_from is None or sent_from != _place(f"{urlsplit(origin).scheme}://{request.headers.get('host', '')}"):
        raise HTTPException(403, "this form was sent from another site")


def _place(address: str) -> tuple[str, int] | None:
    """Host and port of an address; None where there is none."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname else None


def _status_of(error: FittingroomError) -> int:
    if isinstance(error, NoGarmentFound | NothingNear):
        return 422
    if isinstance(error, MissingInputError):  # the photo was sent: what is missing is a model
        return 503
    if isinstance(error, InputError):
        return 400
    return 503 if isinstance(error, TransientError | Damaged | WeightsRejected) else 500  # until somebody mends it


def _http_words(error: HTTPException) -> str:
    """What the framework itself refuses, in words for who sent it."""
    if error.status_code in (404, 405):
        return "there is nothing at this address; the form below is all there is"
    if error.status_code == 400:
        return f"the form did not arrive whole: {error.detail}"
    return str(error.detail)


def _words(error: FittingroomError) -> str:
    """Errors about the photo in words for its owner; nothing about the server's files."""
    if isinstance(error, ImageRejected):
        return f"this photo cannot be used: {error.detail}"
    if isinstance(error, NothingNear):
        return f"{error.what}; choose one of the styles below, or ask for the nearest one"
    if isinstance(error, NoGarmentFound) or (
        isinstance(error, InputError) and not isinstance(error, MissingInputError)
    ):
        return str(error)
    return "this cannot be tried on at the moment; try again later"
