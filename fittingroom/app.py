"""The try-on page: a photo and a style in, before and after out. No script, no cookies, nothing kept.

A photo lives as long as its request: in memory, or in a temporary file of the upload's parser that is deleted with it.
Uploads are hostile until read: bytes, fields, pixels and formats are limited, one picture is worked on at a time.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fittingroom.domain import warn_of_photo
from fittingroom.errors import (
    FittingroomError,
    ImageRejected,
    InputError,
    MissingInputError,
    NoGarmentFound,
    NothingNear,
    TransientError,
)
from fittingroom.garment import GarmentFinder
from fittingroom.images import encode_jpeg, encode_png, flatten_on_white, resize
from fittingroom.ports import address_of, listening_socket
from fittingroom.settings import get_settings
from fittingroom.styles.choose import AvailableStyle
from fittingroom.styles.colours import lab_to_srgb
from fittingroom.tryon.nearness import in_words
from fittingroom.tryon.photo import Photo, read_photo, try_on_photo
from fittingroom.tryon.pipeline import GarmentTranslator, TryOnResult, TryOnSettings
from fittingroom.tryon.wanted import Wanted, Wish, wanted_by_name, wanted_by_picture
from fittingroom.workspace import Workspace

MAX_UPLOAD_BYTES = 15_000_000
MAX_UPLOAD_PIXELS = 40_000_000
LONGEST_SIDE = 1600
"""Larger photos are made smaller for the page; the command line works at full size."""
MAX_WAITING = 4
"""Requests that may wait while one is worked on; further ones are told to come back."""
USUAL_PORT = 7860
LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
    page = _Page()
    turn = _Turn(MAX_WAITING)

    async def refusal(status: int, error: str) -> HTMLResponse:
        """The whole page, its styles too, with what was wrong above it."""
        styles: list[AvailableStyle] = []
        with contextlib.suppress(Exception):  # what was wrong matters more than a registry that is away, too
            styles = await asyncio.to_thread(shown.styles)
        return page.render(styles, status=status, error=error)

    app = FastAPI(title="Fittingroom", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_LimitBody, limit=MAX_UPLOAD_BYTES + 100_000, refusal=refusal)
    if allowed_hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts))

    @app.get("/", response_class=HTMLResponse)
    async def form() -> Response:
        try:
            styles = await asyncio.to_thread(shown.styles)
        except FittingroomError as error:
            return page.render([], status=503, error=_words(error))
        return page.render(styles)

    @app.post("/try-on", response_class=HTMLResponse)
    async def try_on(request: Request) -> Response:
        styles: list[AvailableStyle] = []
        chosen = ""
        try:
            _check_origin(request)
            styles = await asyncio.to_thread(shown.styles)
            async with request.form(max_files=2, max_fields=6, max_part_size=4096) as fields:
                upload, wanted = fields.get("photo"), fields.get("style")
                if not isinstance(upload, UploadFile) or not (upload.filename or upload.size):
                    raise InputError("choose a photo first")
                if isinstance(wanted, str):
                    chosen = wanted
                if not upload.size:
                    raise ImageRejected("empty", str(upload.filename), "the file is empty; choose another")
                asked = await _asked(fields, styles)
                data = await upload.read()
            with turn:
                answer = await asyncio.to_thread(turn.take, lambda: _dress(data, asked, shown))
            return page.render(styles, chosen=chosen, answer=answer)
        except HTTPException as error:
            return page.render(styles, status=error.status_code, error=_http_words(error), chosen=chosen)
        except FittingroomError as error:
            return page.render(styles, status=_status_of(error), error=_words(error), chosen=chosen)

    @app.get("/favicon.ico")
    async def no_icon() -> Response:
        return Response(status_code=204, headers=_headers())

    @app.get("/healthz")
    async def health() -> Response:
        return JSONResponse({"ok": True}, headers=_headers())

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return await refusal(error.status_code, _http_words(error))

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:  # noqa: ARG001  nothing of it is shown
        return await refusal(500, "something went wrong here; the server's log says what")

    return app


def serve_app(
    workspace: Workspace | Path | str,
    host: str = "127.0.0.1",
    port: int | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the page until interrupted. On a loopback address it answers to this machine's own names only.

    Args:
        workspace: whose registry serves.
        host: the address to listen on.
        port: None is `USUAL_PORT`, or any free one where that is taken.
        say: told the page's address and how to stop it.

    Raises:
        InputError: the port is taken, or this machine has no such address.
    """
    import uvicorn

    hosts = LOOPBACK if host in LOOPBACK else None
    with listening_socket(host, port, USUAL_PORT) as listener:
        address = address_of(listener)

        class Told(uvicorn.Server):
            """Says its address once it answers there, and Ctrl-C is its own to handle."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                say(f"try-on page: {address} (stop with Ctrl-C)")

        server = Told(uvicorn.Config(create_app(workspace, allowed_hosts=hosts), log_level="warning"))
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def _champions(workspace: Workspace | Path | str) -> Models:
    from fittingroom.styles.registry import Registry
    from fittingroom.styles.serving import Serving
    from fittingroom.tryon.champions import Champions

    settings = get_settings()
    root = workspace if isinstance(workspace, Workspace) else Workspace(Path(workspace))
    return Champions(Serving.of_installation(Registry(root, settings.tracking_uri)), settings.device)


def _style_named(name: str, styles: Sequence[AvailableStyle]) -> AvailableStyle:
    for style in styles:
        if style.name == name:
            return style
    raise InputError("this style is not on offer any more; choose one of those below")


@dataclass(frozen=True, eq=False)
class _Asked:
    """What the form asks for: a style that is on offer, or the bytes of a garment's picture, which wins."""

    style: str
    picture: bytes
    wish: Wish


async def _asked(fields: FormData, styles: Sequence[AvailableStyle]) -> _Asked:
    """The form's second step.

    Raises:
        InputError: no style and no picture, a style that is not on offer, a colour beside a picture.
    """
    picture, colour = fields.get("picture"), str(fields.get("colour") or "").strip()
    wish = Wish(nearest=bool(fields.get("nearest")), colours=(colour,) if colour else ())
    if isinstance(picture, UploadFile) and (picture.filename or picture.size):
        if not picture.size:
            raise ImageRejected("empty", str(picture.filename), "the garment's picture is empty; choose another")
        if colour:
            raise InputError("a garment's picture brings its own colours; leave out the colour, or the picture")
        return _Asked("", await picture.read(), wish)
    wanted = fields.get("style")
    if not isinstance(wanted, str) or not wanted:
        raise InputError("choose a style first")
    return _Asked(_style_named(wanted, styles).name, b"", wish)


def _wanted(asked: _Asked, models: Models) -> Wanted:
    if not asked.picture:
        return wanted_by_name(asked.style, models.styles(), asked.wish)
    picture, _ = _small_enough(_read(asked.picture))
    return wanted_by_picture(flatten_on_white(picture.srgb), models.styles(), models.segmenter(), asked.wish)


def _read(data: bytes) -> Photo:
    return read_photo(data, max_pixels=MAX_UPLOAD_PIXELS, max_bytes=MAX_UPLOAD_BYTES)


def _dress(data: bytes, asked: _Asked, models: Models) -> dict[str, str]:
    """What the page shows of one try-on: pictures as data URIs and a sentence."""
    photo, note = _small_enough(_read(data))
    wanted = _wanted(asked, models)
    style, settings = wanted.style, TryOnSettings(**wanted.painting())
    translator = models.translator(style.name)
    result = try_on_photo(photo, models.segmenter(), translator, settings, style.category or None)
    before = flatten_on_white(photo.pixels) if photo.pixels.shape[2] == 4 else photo.pixels
    return {
        "before": _uri("image/jpeg", encode_jpeg(before, profile=photo.profile)),
        "after": _uri("image/png", encode_png(result.image, profile=photo.profile)),
        "name": f"try-on-{wanted.label}.png",
        "message": _sentence(result, wanted) + note,
        "warning": warn_of_photo(photo.rendered, models.domains(style.name)),
    }


def _small_enough(photo: Photo) -> tuple[Photo, str]:
    height, width = photo.pixels.shape[:2]
    longest = max(height, width)
    if longest <= LONGEST_SIDE:
        return photo, ""
    scale = LONGEST_SIDE / longest
    small = resize(photo.pixels, max(round(width * scale), 1), max(round(height * scale), 1))
    return replace(photo, pixels=small), f" The photo was made smaller, from {width} x {height} pixels."


def _sentence(result: TryOnResult, wanted: Wanted) -> str:
    near = "" if wanted.choice.exact else wanted.choice.message
    said = (result.taken.sentence(wanted.words()), near, in_words(result.colour))
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in said if part)


def _uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _check_origin(request: Request) -> None:
    """Refuse forms that another site's page sends here."""
    origin = request.headers.get("origin")
    if origin and origin != "null" and origin.partition("://")[2] != request.headers.get("host"):
        raise HTTPException(403, "this form was sent from another site")


def _status_of(error: FittingroomError) -> int:
    if isinstance(error, NoGarmentFound | NothingNear):
        return 422
    if isinstance(error, MissingInputError):  # the photo was sent: what is missing is a model
        return 503
    if isinstance(error, InputError):
        return 400
    return 503 if isinstance(error, TransientError) else 500


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


class _Turn:
    """One picture at a time; a few may wait, the rest are told to come back."""

    def __init__(self, waiting: int) -> None:
        self._places = waiting + 1
        self._inside = 0
        self._count = threading.Lock()
        self._working = threading.Lock()

    def __enter__(self) -> None:
        with self._count:
            if self._inside >= self._places:
                raise HTTPException(503, "many people are trying things on right now; try again in a minute")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._count:
            self._inside -= 1

    def take(self, work: Any) -> dict[str, str]:
        """Wait for the turn and work."""
        with self._working:
            answer: dict[str, str] = work()
            return answer


class _LimitBody:
    """Answers 413 as soon as a request's body is larger than ``limit`` bytes, whatever its header says."""

    def __init__(self, app: ASGIApp, limit: int, refusal: Callable[[int, str], Awaitable[Response]]) -> None:
        self.app, self.limit, self.refusal = app, limit, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self.limit:
            await self._refuse(scope, receive, send)
            return
        received, started, over = 0, False, False

        async def counted() -> Message:
            nonlocal received, over
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                over = True
                raise _TooLarge
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if over:
                return
            started = True
            await send(message)

        with contextlib.suppress(_TooLarge):
            await self.app(scope, counted, watched)
        if over and not started:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = f"at most {MAX_UPLOAD_BYTES // 1_000_000} MB are accepted"
        response = await self.refusal(413, f"this upload is too large, {most}; make the photo smaller")
        response.headers["Connection"] = "close"
        await response(scope, receive, send)


class _TooLarge(Exception):
    pass


class _Page:
    """The one page, as a form with or without an answer above it."""

    def __init__(self) -> None:
        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._template = environment.get_template("app_page.html")

    def render(
        self,
        styles: Sequence[AvailableStyle],
        status: int = 200,
        error: str = "",
        chosen: str = "",
        answer: dict[str, str] | None = None,
    ) -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        text = self._template.render(
            styles=[
                {"name": s.name, "words": _style_words(s), "pattern": s.pattern, "colour": _swatch(s)} for s in styles
            ],
            error=error,
            chosen=chosen,
            answer=answer,
            nonce=nonce,
            megabytes=MAX_UPLOAD_BYTES // 1_000_000,
        )
        return HTMLResponse(text, status, _headers(nonce))


def _headers(nonce: str = "") -> dict[str, str]:
    style = f"; style-src 'nonce-{nonce}'" if nonce else ""
    return {
        "Content-Security-Policy": f"default-src 'none'; img-src 'self' data:{style}; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def _style_words(style: AvailableStyle) -> str:
    return ", ".join(part for part in (style.colour, style.pattern, style.category) if part)


def _swatch(style: AvailableStyle) -> str:
    if style.lab is None:
        return "#b9bec7"
    red, green, blue = (round(float(v) * 255) for v in lab_to_srgb(np.asarray(style.lab, np.float64)))
    return f"#{red:02x}{green:02x}{blue:02x}"
