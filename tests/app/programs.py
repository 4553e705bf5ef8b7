"""The API as a program asks it, in tests."""

from __future__ import annotations

import base64
from typing import Any

from fastapi.testclient import TestClient

from fittingroom.app.codes import CODES
from tests.app.stand_ins import encoded

PHOTO = encoded()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def ask(client: TestClient, photo: bytes | None = PHOTO, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    """As multipart."""
    picture = fields.pop("picture", None)
    sent: dict[str, Any] = {name: (None, value) for name, value in ({"style": "red-solid"} | fields).items()}
    sent |= {name: ("../me.png", data) for name, data in (("photo", photo), ("picture", picture)) if data is not None}
    return client.post("/v1/try-on", files=sent, headers=headers)


def refused(response: Any, code: str) -> dict[str, Any]:
    """The document of a refusal, which names its own code and status."""
    document: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (document["code"], document["status"]) == (code, response.status_code), document
    assert document["status"] == CODES[code].status
    assert document["type"] == f"urn:fittingroom:problem:{code}"
    assert document["title"] == CODES[code].title
    assert document["request_id"] == response.headers["x-request-id"]
    assert ("retry-after" in response.headers) == (document["status"] in (429, 503) or code == "not_finished")
    return document
