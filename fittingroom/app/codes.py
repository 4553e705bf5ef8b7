"""Everything that can be wrong with a request, under names that stay: one table, for statuses, programs and metrics."""

from __future__ import annotations

from typing import NamedTuple

from starlette.exceptions import HTTPException

from fittingroom.app.words import NoGarmentOnPicture, Refusal, word
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


class Code(NamedTuple):
    """What a code means."""

    status: int
    title: str
    detail: str = ""
    """For programs, where the page's words would speak of the page; empty: those."""


CODES: dict[str, Code] = {
    # The request.
    "invalid_request": Code(400, "The request is not as documented"),
    "no_photo": Code(400, "There is no photo", "photo: expected a picture, got none"),
    "empty_photo": Code(400, "The photo is empty", "photo: expected a picture, got no byte"),
    "no_style": Code(
        400, "There is no style", "style: expected the name of one, or a picture of a garment, got neither"
    ),
    "unknown_style": Code(400, "No such style serves", "style: expected a name that GET /v1/styles lists"),
    "empty_picture": Code(400, "The garment's picture is empty", "picture: expected a picture, got no byte"),
    "colour_with_picture": Code(
        400, "A garment's picture brings its own colours", "colour: expected none next to a picture"
    ),
    "unknown_colour": Code(400, "This is no colour"),
    "own_colours": Code(400, "The style has no colours but its own"),
    "unknown_target": Code(
        400,
        "This names no garment or person",
        "garment: expected all, upper, lower, full, a number or a category; person: a number from the left, or all",
    ),
    "image_rejected": Code(400, "A picture cannot be used"),
    "no_key": Code(401, "No valid API key", "Authorization: expected Bearer and an API key that this server knows"),
    "closed": Code(
        403,
        "The API is closed",
        "this server was started without API keys, so it answers programs on its own machine only: "
        "fittingroom app --api-keys FILE",
    ),
    "foreign_origin": Code(
        403, "Sent from another site", "Origin: expected this server's own, or one that the API key is given for"
    ),
    "not_found": Code(404, "There is nothing here", "expected an address of /v1/openapi.json"),
    "unknown_job": Code(404, "No such job", "it is unknown, another key's, or was deleted or has expired"),
    "method_not_allowed": Code(405, "Not a method of this address", "Allow names those that it has"),
    "not_acceptable": Code(406, "No such media type", "Accept: expected application/json or image/png"),
    "upload_timeout": Code(408, "The request did not arrive in time"),
    "not_finished": Code(409, "The job is not finished", "its status says where it stands"),
    "cancelled": Code(409, "The job was cancelled", "it was deleted while this request waited for it"),
    "too_large": Code(413, "The request is too large"),
    "unsupported_media_type": Code(
        415, "No such content type", "Content-Type: expected multipart/form-data or application/json"
    ),
    # What a right request cannot get.
    "no_garment": Code(422, "No garment on the photo"),
    "garment_not_found": Code(422, "The garment or person asked for is not on the photo"),
    "no_garment_on_picture": Code(
        422,
        "No garment on its picture",
        "picture: no garment was found on it; cloth=true takes a picture of nothing but cloth",
    ),
    "nothing_near": Code(422, "No style has the picture's pattern"),
    "idempotency_mismatch": Code(
        422, "The key was used for another request", "Idempotency-Key: expected the request that it was first sent with"
    ),
    "rate_limited": Code(429, "Too many requests", "this API key has used its requests; Retry-After says until when"),
    "too_many_at_once": Code(429, "Too many try-ons at once", "this API key has as many under way as it may"),
    # The server.
    "internal": Code(500, "Something went wrong here"),
    "busy": Code(503, "Too many try-ons at the moment"),
    "unavailable": Code(503, "Not possible at the moment"),
}
"""By its name. Statuses and names stay; titles and details are for people, and may change."""

_OF_STATUS = {
    400: "invalid_request", 401: "no_key", 403: "foreign_origin", 404: "not_found", 405: "method_not_allowed",
    408: "upload_timeout", 413: "too_large", 503: "busy",
}  # fmt: skip
_OF_REFUSAL = {
    "gone_style": "unknown_style", "two_colours": "colour_with_picture", "no_target": "unknown_target",
    "no_colour": "unknown_colour",
}  # fmt: skip
"""Of the page's words those that are called otherwise."""
_OF_ERROR: tuple[tuple[type[FittingroomError], str], ...] = (
    (NoGarmentOnPicture, "no_garment_on_picture"),
    (NoGarmentFound, "garment_not_found"),
    (NothingNear, "nothing_near"),
    (MissingInputError, "unavailable"),  # the photo was sent: what is missing is a model
    (ImageRejected, "image_rejected"),
    (InputError, "invalid_request"),
    (TransientError, "unavailable"),
    (Damaged, "unavailable"),  # until somebody mends it
    (WeightsRejected, "unavailable"),
)


class Problem(HTTPException):
    """What is refused under a code. ``detail`` says more than the table, and ``field`` which one is wrong."""

    def __init__(self, code: str, detail: str = "", field: str = "", headers: dict[str, str] | None = None) -> None:
        self.code, self.field = code, field
        super().__init__(CODES[code].status, detail or CODES[code].detail or CODES[code].title, headers)


def code_of(error: Exception) -> str:
    """The code of what was raised; ``internal`` for what nobody foresaw."""
    if isinstance(error, Problem):
        return error.code
    if isinstance(error, HTTPException):
        return _OF_STATUS.get(error.status_code, "internal")
    if isinstance(error, Refusal):
        return _OF_REFUSAL.get(error.key, error.key)
    if isinstance(error, NoGarmentFound) and str(error) == word("no_garment", "en"):
        return "no_garment"
    return next((code for kind, code in _OF_ERROR if isinstance(error, kind)), "internal")
