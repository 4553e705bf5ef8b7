"""The OpenAPI document of the API: its schemas are those of the classes that read requests and write answers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from fittingroom import __version__
from fittingroom.app.api.answers import (
    Changed,
    Image,
    JobStatus,
    ProblemDetails,
    Said,
    Style,
    Styles,
    StyleTaken,
    TryOn,
)
from fittingroom.app.api.reading import TryOnRequest, TryOnWish
from fittingroom.app.codes import CODES

_JSON, _PNG, _PROBLEM = "application/json", "image/png", "application/problem+json"
_ID = "3f1c0a52d9e84b6f8f0f6f1f5d2b7c11"
_KEYED = ("no_key", "closed", "foreign_origin")
_ANY = ("internal",)
_WRONG = (
    "invalid_request", "no_photo", "empty_photo", "no_style", "unknown_style", "empty_picture", "colour_with_picture",
    "unknown_colour", "own_colours", "unknown_target", "image_rejected", "no_garment", "garment_not_found",
    "no_garment_on_picture", "nothing_near",
)  # fmt: skip
_MODELS: tuple[type[BaseModel], ...] = (Styles, TryOn, JobStatus, ProblemDetails, TryOnRequest)
_TRY_ON = TryOn(
    image=Image(media_type="image/png", base64="iVBORw0KGgo=", width=768, height=1024),
    style=StyleTaken(name="red-solid", exact=True),
    message=Said(
        en="Changed what is probably a vest to red-solid (red, solid).",
        ko="red-solid 스타일로 바꿨습니다. 바꾼 옷: 민소매 상의(추정).",
    ),
    warning=None,
    models={"segmenter": "version 3, sha256 5d41...", "style red-solid": "starter, sha256 7d79..."},
    changed=Changed(box_xyxy=[210, 180, 560, 640], share=0.1512, garments=[]),
    colours=[],
    shrunk_from=None,
    request_id=_ID,
)
_JOB = JobStatus(
    id="kq0R3", status="waiting", place=2, step=None, created_at=datetime(2026, 1, 1, tzinfo=UTC), expires_at=None,
    result_url=None, problem=None, request_id=_ID,
)  # fmt: skip
_STYLES = Styles(
    styles=[
        Style(
            name="red-solid", category="vest", colour="red", pattern="solid", takes_dyes=True, starter=True,
            version=None, sample_url="/v1/samples/red-solid?v=starter",
        )
    ]
)  # fmt: skip


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    kinds = [(kind, "validation" if kind is TryOnRequest else "serialization") for kind in _MODELS]
    _, schemas = models_json_schema(kinds, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    one_job, no_job = [_parameter("job", "path", "Of `Location`.")], (*_KEYED, "unknown_job", *_ANY)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fittingroom",
            "version": __version__,
            "description": "Virtual try-on. Errors are problem documents (RFC 9457): go by their `code`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{}, {"key": []}],
        "paths": {
            "/v1/styles": {
                "get": _operation(
                    "styles", "What can be tried on", _ok(Styles, _STYLES), (*_KEYED, "unavailable", *_ANY)
                )
            },
            "/v1/samples/{name}": {
                "get": _operation(
                    "sample", "A garment in a style", {"200": _response("A picture.", {_PNG: {}})},
                    ("not_found", "unavailable", *_ANY), [_parameter("name", "path", "The style's.")],
                )
            },
            "/v1/widget.js": {
                "get": _operation(
                    "widget", "The element for a shop's page",
                    {"200": _response("A module.", {"text/javascript": {}}), "304": _response("It is as it was.", {})},
                    _ANY,
                )
            },
            "/v1/try-on": {"post": _try_on()},
            "/v1/jobs/{job}": {
                "get": _operation("job", "Where a job stands", _ok(JobStatus, _JOB), no_job, one_job),
                "delete": _operation(
                    "deleteJob", "End and forget a job", {"204": _response("It is forgotten.", {})}, no_job, one_job
                ),
            },
            "/v1/jobs/{job}/result": {
                "get": _operation(
                    "result", "What came of a job", {"200": _result()}, tuple(CODES), one_job
                )
            },
            "/v1/openapi.json": {
                "get": _operation("openapi", "This document", {"200": _response("It.", {_JSON: {}})}, _ANY)
            },
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
        },
    }  # fmt: skip


def _try_on() -> dict[str, Any]:
    wish = TryOnWish.model_json_schema()["properties"]
    picture = {"type": "string", "contentMediaType": "application/octet-stream"}
    form = {
        "type": "object",
        "properties": {"photo": picture, "picture": picture, **wish},
        "required": ["photo"],
        "additionalProperties": False,
    }
    accepted = {
        **_response("It is made: a job.", {_JSON: _content(JobStatus, _JOB)}),
        "headers": {"Location": _header("Of the job."), **_headers()},
        "links": {
            name: {"operationId": name, "parameters": {"job": "$response.body#/id"}}
            for name in ("job", "result", "deleteJob")
        },
    }
    codes = (
        *_KEYED, *_WRONG, "not_acceptable", "upload_timeout", "cancelled", "too_large", "unsupported_media_type",
        "idempotency_mismatch", "rate_limited", "too_many_at_once", "busy", "unavailable", *_ANY,
    )  # fmt: skip
    headers = [
        _parameter("Prefer", "header", "`respond-async`: answer with a job."),
        _parameter("Idempotency-Key", "header", "The same request under it has the same answer.", 200),
        _parameter("Accept-Language", "header", "Of words about pictures: en or ko."),
    ]
    said = _operation("tryOn", "A photo in a style", {"200": _result(), "202": accepted}, codes, headers)
    example = {"photo": "/9j/4AAQSkZJRg==", "style": "red-solid", "colour": "#2f6b3a"}
    body = {_JSON: {"schema": _ref(TryOnRequest), "example": example}, "multipart/form-data": {"schema": form}}
    return said | {"requestBody": {"required": True, "content": body}}


def _operation(
    name: str, summary: str, answers: dict[str, Any], codes: Iterable[str], parameters: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    """An operation with its refusals, by their statuses."""
    of_status: dict[int, list[str]] = {}
    for code in codes:
        of_status.setdefault(CODES[code].status, []).append(code)
    refusals = {str(status): _refusal(status, of_status[status]) for status in sorted(of_status)}
    asked = [*parameters, _parameter("X-Request-ID", "header", "Taken where it is sane: 1 to 64 of A-Za-z0-9._-")]
    return {"operationId": name, "summary": summary, "parameters": asked, "responses": answers | refusals}


def _refusal(status: int, codes: list[str]) -> dict[str, Any]:
    examples = {
        code: {
            "value": ProblemDetails(
                type=f"urn:fittingroom:problem:{code}", title=CODES[code].title, status=status,
                detail=CODES[code].detail or CODES[code].title, code=code, request_id=_ID,
            ).model_dump(mode="json")
        }
        for code in codes
    }  # fmt: skip
    said = _response(", ".join(codes), {_PROBLEM: {"schema": _ref(ProblemDetails), "examples": examples}})
    if status in (429, 503):
        said["headers"]["Retry-After"] = _header("Seconds.")
    return said


def _result() -> dict[str, Any]:
    said = _response("The result.", {_JSON: _content(TryOn, _TRY_ON), _PNG: {}})
    said["headers"] |= {
        "Fittingroom-Models": _header("Version and SHA-256 of the weights that made it."),
        "Fittingroom-Style": _header("The style that was painted."),
        "Fittingroom-Warning": _header("Why it is not to be trusted, where something speaks against it."),
    }
    return said


def _ok(kind: type[BaseModel], example: BaseModel) -> dict[str, Any]:
    return {"200": _response("It.", {_JSON: _content(kind, example)})}


def _content(kind: type[BaseModel], example: BaseModel) -> dict[str, Any]:
    return {"schema": _ref(kind), "example": example.model_dump(mode="json")}


def _response(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "headers": _headers(), **({"content": content} if content else {})}


def _headers() -> dict[str, Any]:
    return {"X-Request-ID": _header("Of the request.")}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _parameter(name: str, place: str, description: str, most: int | None = None) -> dict[str, Any]:
    schema = {"type": "string"} | ({"maxLength": most, "minLength": 1} if most else {})
    return {"name": name, "in": place, "required": place == "path", "description": description, "schema": schema}


def _ref(kind: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
