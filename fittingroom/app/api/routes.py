"""The API as an application of its own, which the page's server has under ``/v1``."""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from fittingroom.app.api.answers import Document, JobStatus, ProblemDetails, Style, Styles, TryOn
from fittingroom.app.api.gate import Caller, Gate
from fittingroom.app.api.jobs import PATIENCE_SECONDS, Job, Jobs, digest_of
from fittingroom.app.api.openapi import document
from fittingroom.app.api.reading import fields_of
from fittingroom.app.arriving import while_there
from fittingroom.app.asked import Asked, photo_in, read_asked
from fittingroom.app.codes import CODES, Problem, code_of
from fittingroom.app.limits import client_of
from fittingroom.app.logs import id_of
from fittingroom.app.metrics import MEDIA_TYPE
from fittingroom.app.rendering import A_DAY, headers
from fittingroom.app.room import Answer
from fittingroom.app.service import Service, Told
from fittingroom.app.words import Language, capital, http_words, language_of, words_of
from fittingroom.errors import FittingroomError

PREFIX = "/v1"
PROBLEM = "application/problem+json"
JSON: Final = "application/json"
PNG: Final = "image/png"
JAVASCRIPT: Final = "text/javascript"
MODELS, STYLE, WARNING = "Fittingroom-Models", "Fittingroom-Style", "Fittingroom-Warning"

_SOON = {"Retry-After": "1"}

Form = Literal["application/json", "image/png"]
log = logging.getLogger("fittingroom.app")


class Api:
    """The endpoints. ``app`` is the ASGI application, to be mounted at `PREFIX`; ``metrics_app`` answers
    ``/metrics``."""

    def __init__(self, service: Service, gate: Gate) -> None:
        self._service, self._gate = service, gate
        self._jobs = Jobs(service.metrics.refused)
        service.metrics.watch("jobs", "Jobs that are under way or kept.", lambda: len(list(self._jobs)))
        service.metrics.watch("jobs_bytes", "Photos and results that jobs keep.", lambda: self._jobs.bytes)
        routes = [
            Route("/openapi.json", _openapi),
            Route("/styles", self.styles),
            Route("/samples/{name}", self.sample),
            Route("/widget.js", _widget()),
            Route("/try-on", self.try_on, methods=["POST"]),
            Route("/jobs/{job}", self.job, methods=["GET", "DELETE"]),
            Route("/jobs/{job}/result", self.result),
        ]
        self.app = gate.with_cors(self._application(routes))
        self.metrics_app = self._application([Route("/metrics", self.metrics)])

    def _application(self, routes: list[Route]) -> ASGIApp:
        refused = dict.fromkeys((HTTPException, FittingroomError, Exception), self._refused)
        return Starlette(routes=routes, exception_handlers={**refused, ClientDisconnect: _left})

    async def refusal(self, request: Request, error: Exception) -> ASGIApp:
        """The answer to a request that was refused before it came to this application."""
        return self._gate.with_cors(await self._refused(request, error))

    async def _refused(self, request: Request, error: Exception) -> Response:
        """What only the server's owner can mend is logged."""
        code = code_of(error)
        self._service.metrics.refused(code)
        if isinstance(error, FittingroomError) and CODES[code].status >= 500:
            log.error("request %s: %s", id_of(request.scope), error)
        return problem(request, error)

    async def metrics(self, request: Request) -> Response:
        """Figures for Prometheus."""
        self._caller(request)
        return Response(await asyncio.to_thread(self._service.metrics.text), 200, headers(), MEDIA_TYPE)

    def _caller(self, request: Request) -> Caller:
        caller = self._gate.caller(request)
        request.state.key = caller.name if caller.key else None
        return caller

    async def styles(self, request: Request) -> Response:
        """What can be tried on."""
        self._caller(request)
        styles, versions = await self._service.offer()
        return said(Styles(styles=[Style.of(style, versions.get(style.name)) for style in styles]))

    async def sample(self, request: Request) -> Response:
        """A garment in a style. Other sites' pages may show it: nobody's picture is in it."""
        data = await self._service.sample(request.path_params["name"])
        shown = headers() | A_DAY | {"Cross-Origin-Resource-Policy": "cross-origin"}
        return Response(data, 200, shown, PNG)

    async def try_on(self, request: Request) -> Response:
        """One photo in one style."""
        caller, form = self._caller(request), form_wanted(request)
        self._gate.count(caller)
        styles = await self._service.styles()
        later, key = _prefers_later(request), _idempotency_key(request)
        async with fields_of(request) as fields:
            photo, asked = photo_in(fields), await read_asked(fields, styles)
            if not later and key is None:
                work = self._dressed(caller, photo, asked, lambda _: None)
                return shown(await while_there(request, work), form, id_of(request.scope))
            known = (key, await digest_of(fields)) if key is not None else None
            kept = UploadFile(io.BytesIO(await photo.read()))  # the request's own file ends with the request

            async def work_of_job(tell: Told) -> Answer:
                return await self._dressed(caller, kept, asked, tell, PATIENCE_SECONDS)

            size = (photo.size or 0) + len(asked.picture)
            new = Job(caller.name, id_of(request.scope), size)
            job = await self._jobs.start(new, work_of_job, known)
            if job is not new:
                self._gate.give_back(caller)
        if later:
            told = {"Location": f"{PREFIX}/jobs/{job.id}", "Preference-Applied": "respond-async"}
            return said(self._status(request, job), 202, more=told | _SOON)
        return shown(await while_there(request, job.result()), form, job.request_id)

    async def _dressed(
        self, caller: Caller, photo: UploadFile, asked: Asked, tell: Told, patience: float | None = None
    ) -> Answer:
        with self._gate.under_way(caller):
            return await self._service.try_on(caller.name, photo, asked, tell, patience)

    async def job(self, request: Request) -> Response:
        """Where a job stands; or its end, and nothing is kept of it."""
        job = self._found(request)
        if request.method == "DELETE":
            self._jobs.drop(job)
            return Response(status_code=204, headers=headers())
        return said(self._status(request, job), more={} if job.finished else _SOON)

    async def result(self, request: Request) -> Response:
        """What came of a job, as `try_on` answers at once."""
        job, form = self._found(request), form_wanted(request)
        if not job.finished:
            raise Problem("not_finished", headers=_SOON)
        if job.error is not None:
            return problem(request, job.error)
        return shown(await job.result(), form, job.request_id)

    def stop(self) -> None:
        """End all jobs."""
        self._jobs.close()

    def _found(self, request: Request) -> Job:
        return self._jobs.find(self._caller(request).name, request.path_params["job"])

    def _status(self, request: Request, job: Job) -> JobStatus:
        return JobStatus.of(job, None if job.error is None else _details(request, job.error, job.request_id)[0])


def _prefers_later(request: Request) -> bool:
    """Whether ``Prefer: respond-async`` (RFC 7240) is among the preferences."""
    preferred = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return any(each.partition(";")[0].strip() == "respond-async" for each in preferred)


def _idempotency_key(request: Request) -> str | None:
    """The key, where there is one.

    Raises:
        Problem: it is none.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not (key.isascii() and key.isprintable() and 0 < len(key) <= 200):
        raise Problem(
            "invalid_request", "Idempotency-Key: expected 1 to 200 printable ASCII characters", "Idempotency-Key"
        )
    return key


def said(what: Document, status: int = 200, media_type: str = JSON, more: dict[str, str] | None = None) -> Response:
    """A document as a response."""
    return Response(what.model_dump_json(), status, headers(status) | (more or {}), media_type)


def shown(answer: Answer, form: Form, request_id: str) -> Response:
    """A try-on as JSON, or as its picture alone."""
    models = "; ".join(f"{name}: {version}" for name, version in answer.models.items())
    told = {MODELS: _ascii(models), STYLE: _ascii(answer.style), "Vary": "Accept"}
    if answer.warning["en"]:
        told[WARNING] = _ascii(answer.warning["en"])
    if form == PNG:
        return Response(answer.after.data, 200, headers() | told, PNG)
    return said(TryOn.of(answer, request_id), more=told)


def _ascii(text: str) -> str:
    """For a header: what is not printable ASCII is percent-encoded."""
    return quote(text, safe=" !\"#$&'()*+,/:;<=>?@[]^`{|}~")


def form_wanted(request: Request) -> Form:
    """JSON, or a picture where that is liked better (``Accept``).

    Raises:
        Problem: neither is liked.
    """
    accept = request.headers.get("accept") or "*/*"
    json_liked, png_liked = _weight(accept, JSON), _weight(accept, PNG)
    if not (json_liked or png_liked):
        raise Problem("not_acceptable")
    return PNG if png_liked > json_liked else JSON


def _weight(accept: str, kind: str) -> float:
    """How well a media type is liked, 0 to 1: the most specific range that matches says it (RFC 9110, 12.5.1)."""
    ranges: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        try:
            ranges[name] = min(max(float(weight), 0.0), 1.0)
        except ValueError:
            ranges[name] = 0.0
    return next((ranges[name] for name in (kind, f"{kind.split('/')[0]}/*", "*/*") if name in ranges), 0.0)


def problem(request: Request, error: Exception) -> Response:
    """What was wrong, as a document."""
    details, language = _details(request, error, id_of(request.scope))
    more = {"Content-Language": language, "Vary": "Accept-Language"}
    if isinstance(error, HTTPException) and error.headers:
        more |= error.headers
    return said(details, details.status, PROBLEM, more)


def _details(request: Request, error: Exception, request_id: str) -> tuple[ProblemDetails, Language]:
    detail, language = _detail(request, error, code_of(error))
    return ProblemDetails.of(error, capital(detail), request_id), language


def _detail(request: Request, error: Exception, code: str) -> tuple[str, Language]:
    """The words, and their language: English for who writes the program, else that of who sees them."""
    if isinstance(error, Problem):
        return str(error.detail), "en"
    if CODES[code].detail:
        return CODES[code].detail, "en"
    language = language_of(request)
    if isinstance(error, FittingroomError):
        return words_of(error, language), language
    return http_words(error if isinstance(error, HTTPException) else HTTPException(500), language), language


async def _openapi(_: Request) -> Response:
    """For programs that are written now, and nobody's secret."""
    return JSONResponse(document(), headers=headers())


def _widget() -> Callable[[Request], Awaitable[Response]]:
    """The element for shops' pages: a script that any site may load, and nobody's secret."""
    text = Path(__file__).parents[1].joinpath("widget.js").read_bytes()
    shown = headers() | {
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "public, max-age=3600",
        "ETag": f'"{hashlib.sha256(text).hexdigest()[:16]}"',
    }

    async def widget(request: Request) -> Response:
        known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
        if shown["ETag"] in known or known == ["*"]:
            return Response(status_code=304, headers=shown)
        return Response(text, 200, shown, JAVASCRIPT)

    return widget


async def _left(request: Request, _: Exception) -> Response:
    log.warning("%s left before its answer", client_of(request.scope))
    return Response(status_code=499)
