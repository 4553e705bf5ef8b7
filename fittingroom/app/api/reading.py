"""What a request for a try-on says: the page's form, or the same fields as JSON with pictures in base64."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import io
from collections.abc import AsyncIterator, Iterator

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from fittingroom.app.arriving import form_of
from fittingroom.app.codes import Problem

MULTIPART, JSON = "multipart/form-data", "application/json"
FILES = ("photo", "picture")
_MOST = 200
"""Characters of a field that is no picture."""
_MOST_COMMAS = 10 * _MOST
"""In JSON: there are none in base64, and a few fields have room for few others."""


class TryOnWish(BaseModel):
    """What is wanted, next to the pictures."""

    model_config = ConfigDict(extra="forbid")

    style: str = Field(
        "", max_length=_MOST, description="A name of `GET /v1/styles`; not read where there is a picture."
    )
    colour: str = Field(
        "", max_length=_MOST, description="#rrggbb, a CSS name, rgb() or lab(); for styles that take dyes."
    )
    nearest: bool = Field(False, description="Take the nearest style where none has the picture's pattern.")
    cloth: bool = Field(False, description="The picture shows nothing but cloth.")
    garment: str = Field("", max_length=_MOST, description="all, upper, lower, full, a number or a category.")
    person: str = Field("", max_length=_MOST, description="A number, counted from the left, or all.")


class TryOnRequest(TryOnWish):
    """The same with the pictures."""

    photo: str = Field(
        description="The person, in base64: JPEG, PNG, WebP or AVIF.", json_schema_extra={"contentEncoding": "base64"}
    )
    picture: str | None = Field(
        None, description="The garment, likewise; instead of a style.", json_schema_extra={"contentEncoding": "base64"}
    )


@contextlib.asynccontextmanager
async def fields_of(request: Request) -> AsyncIterator[FormData]:
    """The fields as the page's form has them, checked; pictures are deleted at the end of the block.

    Raises:
        Problem: another content type, or not as documented. HTTPException, ClientDisconnect: as `form_of`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == MULTIPART:
        async with form_of(request) as sent:
            yield _checked(sent)
    elif kind == JSON:
        yield await asyncio.to_thread(_from_json, await request.body())
    else:
        raise Problem("unsupported_media_type")


def _checked(sent: FormData) -> FormData:
    names = [name for name, _ in sent.multi_items()]
    for name in names:
        if names.count(name) > 1:
            raise Problem("invalid_request", f"{name}: expected once, got it {names.count(name)} times", name)
    files = {name: value for name, value in sent.items() if name in FILES and isinstance(value, UploadFile)}
    with _as_documented():
        wish = TryOnWish.model_validate({name: value for name, value in sent.items() if name not in files})
    return _form(wish, files)


def _from_json(body: bytes) -> FormData:
    if body.count(b",") > _MOST_COMMAS:  # before each value of the document takes memory
        raise Problem("invalid_request", f"the body: expected {len(TryOnRequest.model_fields)} fields at most")
    with _as_documented():
        said = TryOnRequest.model_validate_json(body)
    pictures = {"photo": said.photo} | ({} if said.picture is None else {"picture": said.picture})
    return _form(said, {name: _decoded(name, text) for name, text in pictures.items()})


def _decoded(name: str, text: str) -> UploadFile:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Problem("invalid_request", f"{name}: expected base64 (RFC 4648, section 4)", name) from None
    return UploadFile(io.BytesIO(data), size=len(data), filename=name)


def _form(wish: TryOnWish, files: dict[str, UploadFile]) -> FormData:
    """As a browser sends it: what is not ticked is not there."""
    said = {name: value for name, value in wish.model_dump(include=set(TryOnWish.model_fields)).items() if value}
    return FormData({name: "yes" if value is True else value for name, value in said.items()} | files)


@contextlib.contextmanager
def _as_documented() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"]))[:_MOST]  # its name may be as long as the request
        raise Problem("invalid_request", f"{field or 'the body'}: {first['msg']}", field) from None
