"""The page as an application. A photo lives as long as its request: in memory, or in a temporary file of the upload's
parser that is deleted with it.

Uploads are hostile until read: bytes, fields, pixels, formats and times are limited, and pictures are decoded in
processes that can be ended (`fittingroom.app.room`).

A try-on is answered as a page, or line by line as JSON (``Accept: application/x-ndjson``): the steps as they begin
(``{"state": "waiting", "place": 2}``, ``{"state": "painting"}``), then ``done`` with pictures and words, or ``failed``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fittingroom.api_keys import Keys
from fittingroom.app.api.gate import Gate
from fittingroom.app.api.routes import PREFIX, Api
from fittingroom.app.arriving import form_of, from_elsewhere, while_there
from fittingroom.app.asked import photo_in, read_asked
from fittingroom.app.codes import CODES, code_of
from fittingroom.app.limits import LimitUploads, client_of
from fittingroom.app.logs import Requests
from fittingroom.app.rendering import A_DAY, RETRY_SECONDS, Page, headers
from fittingroom.app.room import Answer, Models
from fittingroom.app.service import Service, Told
from fittingroom.app.words import MAX_UPLOAD_BYTES, Language, capital, http_words, language_of, word, words_of
from fittingroom.errors import FittingroomError
from fittingroom.settings import get_settings
from fittingroom.workspace import Workspace

Words = Callable[[HTTPException | FittingroomError, Language], tuple[int, str]]
"""The status and the words of an error."""
log = logging.getLogger("fittingroom.app")


def create_app(
    workspace: Workspace | Path | str,
    models: Models | None = None,
    allowed_hosts: Sequence[str] | None = None,
    keys: Keys | None = None,
) -> FastAPI:
    """The page as an ASGI application.

    Args:
        workspace: whose registry serves.
        models: a stand-in for the registry's champions.
        allowed_hosts: names this server answers to (against DNS rebinding); None is any.
        keys: of the API; without them it answers this machine's own programs, and nobody where ``allowed_hosts`` is
            None.
    """
    service = Service(models if models is not None else _champions(workspace))
    page, api = Page(), Api(service, Gate(keys, on_loopback=allowed_hosts is not None))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        stop()

    def stop() -> None:
        """Nothing new is begun, and no picture is decoded to its end."""
        service.stop()
        api.stop()

    async def offer(request: Request, status: int = 200, error: str = "", answer: Answer | None = None) -> Response:
        """The whole page, its styles too, with an answer or what was wrong above it."""
        try:
            offered = await service.offer()
        except Exception as away:  # what was wrong before matters more than a registry that is away, too
            if not error and not isinstance(away, FittingroomError):
                raise
            if not error:
                log.error("%s", away)
                status, error = 503, word("not_now", language_of(request))
            offered = [], {}
        chosen = str(getattr(request.state, "chosen", None) or "")
        return page.render(*offered, language_of(request), status, error, chosen, answer)

    def told(error: HTTPException | FittingroomError, language: Language) -> tuple[int, str]:
        """A status and words for who sent the form; what only the server's owner can mend is logged."""
        code = code_of(error)
        service.metrics.refused(code)
        if isinstance(error, HTTPException):
            return error.status_code, http_words(error, language)
        status = CODES[code].status
        if status >= 500:
            log.error("%s", error)
        return status, words_of(error, language)

    async def refusal(request: Request, error: HTTPException | FittingroomError) -> Response:
        """What was wrong, as a page or as JSON."""
        status, words = told(error, language_of(request))
        if _wants_lines(request):
            return JSONResponse(_failed(status, words), status, headers(status))
        return await offer(request, status, words)

    async def dress(request: Request, tell: Told) -> Answer:
        """The try-on that a form asks for."""
        styles = await service.styles()
        async with form_of(request) as fields:
            request.state.chosen = fields.get("style")
            photo, asked = photo_in(fields), await read_asked(fields, styles)
            return await while_there(request, service.try_on(client_of(request.scope), photo, asked, tell))

    async def anybodys_refusal(request: Request, error: HTTPException) -> ASGIApp:
        """What was wrong, to a program or to a person."""
        if request.url.path.startswith(f"{PREFIX}/"):
            return await api.refusal(request, error)
        return await refusal(request, error)

    app = FastAPI(title="Fittingroom", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.stop = stop
    app.add_middleware(LimitUploads, limit=MAX_UPLOAD_BYTES + 100_000, refusal=anybodys_refusal)
    if allowed_hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts))

    app.add_middleware(Requests)
    app.mount(PREFIX, api.app)
    app.router.routes.append(Route("/metrics", api.metrics_app))

    @app.get("/", response_class=HTMLResponse)
    async def form(request: Request) -> Response:
        return await offer(request)

    @app.post("/try-on", response_class=HTMLResponse)
    async def try_on(request: Request) -> Response:
        try:
            if from_elsewhere(request):
                raise HTTPException(403)
            if _wants_lines(request):
                return _Lines(request, dress, told)
            return await offer(request, answer=await dress(request, lambda _: None))
        except ClientDisconnect:
            log.warning("%s left before its answer", client_of(request.scope))
            return Response(status_code=499)
        except (HTTPException, FittingroomError) as error:
            return await refusal(request, error)

    @app.get("/samples/{name}")
    async def sample(name: str) -> Response:
        try:
            return Response(await service.sample(name), 200, headers() | A_DAY, "image/png")
        except FittingroomError as error:
            log.error("sample of %r: %s", name, error)
            return Response(status_code=503, headers=headers(503))

    @app.get("/{name}.{kind}")
    async def own_file(name: str, kind: str) -> Response:
        if (found := page.files.get(f"{name}.{kind}")) is None:
            raise HTTPException(404)
        return Response(found.text, 200, headers() | A_DAY, found.media_type)

    @app.get("/favicon.ico")
    async def no_icon() -> Response:
        return Response(status_code=204, headers=headers())

    @app.get("/healthz")
    async def health() -> Response:
        return JSONResponse({"ok": True}, headers=headers())

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> ASGIApp:
        return await anybodys_refusal(request, error)

    @app.exception_handler(Exception)
    async def broken(request: Request, _: Exception) -> Response:  # nothing of it is shown
        return await refusal(request, HTTPException(500))

    return app


def _champions(workspace: Workspace | Path | str) -> Models:
    from fittingroom.registry.serving import Serving
    from fittingroom.tryon.models import Champions

    root = workspace if isinstance(workspace, Workspace) else Workspace(Path(workspace))
    return Champions(Serving.from_settings(root), get_settings().device)


def _wants_lines(request: Request) -> bool:
    return "application/x-ndjson" in request.headers.get("accept", "")


class _Lines(Response):
    """A try-on, told line by line while it is made. What is refused before the first line has a status of its own."""

    media_type = "application/x-ndjson"

    def __init__(self, request: Request, dress: Callable[[Request, Told], Awaitable[Answer]], words: Words) -> None:
        super().__init__(headers=headers() | {"X-Accel-Buffering": "no"})
        self._request, self._dress, self._words = request, dress, words

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        heard: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        work = asyncio.create_task(self._made(heard.put_nowait))
        work.add_done_callback(lambda _: heard.put_nowait(None))
        begun, last = False, None

        async def line(said: dict[str, Any], more: bool) -> None:
            nonlocal begun
            if not begun:
                status = int(said.get("status", 200))
                await send({"type": "http.response.start", "status": status, "headers": self._head(status)})
                begun = True
            body = json.dumps(said, ensure_ascii=False).encode() + b"\n"
            await send({"type": "http.response.body", "body": body, "more_body": more})

        try:
            while (said := await heard.get()) is not None:
                if said != last:
                    await line(said, True)
                last = said
            await line(work.result(), False)  # its end in the same message: nothing waits for who takes no answer
        except ClientDisconnect:
            log.warning("%s left before its answer", client_of(scope))
        finally:
            work.cancel()

    def _head(self, status: int) -> list[tuple[bytes, bytes]]:
        own = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        return own + ([(b"retry-after", RETRY_SECONDS.encode())] if status == 503 else [])

    async def _made(self, tell: Told) -> dict[str, Any]:
        try:
            answer = await self._dress(self._request, tell)
            return {
                "state": "done",
                "before": answer.before.uri,
                "after": answer.after.uri,
                "name": answer.name,
                "message": answer.message,
                "warning": answer.warning,
            }
        except ClientDisconnect:
            raise
        except (HTTPException, FittingroomError) as error:
            return _failed(*self._words(error, language_of(self._request)))
        except Exception:
            log.exception("a try-on failed")
            return _failed(*self._words(HTTPException(500), language_of(self._request)))


def _failed(status: int, words: str) -> dict[str, Any]:
    return {"state": "failed", "status": status, "error": capital(words)}
