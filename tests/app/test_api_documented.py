"""The API answers as its OpenAPI document says, whatever it is asked."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from fittingroom.app import create_app
from fittingroom.app.api.openapi import document
from fittingroom.app.codes import CODES
from tests.app.programs import PHOTO
from tests.app.stand_ins import Models

PATHS: dict[str, Any] = document()["paths"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = create_app(tmp_path_factory.mktemp("workspace"), Models(), allowed_hosts=["testserver"])
    with TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 1)) as client:
        yield client


def errors(schema: dict[str, Any], value: object) -> list[str]:
    whole = {"components": document()["components"], **schema}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def as_documented(path: str, method: str, answer: Any) -> None:
    """Status, media type and document are among those of the operation."""
    operation = PATHS[path][method]
    assert str(answer.status_code) in operation["responses"], (path, answer.status_code, answer.text[:300])
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    assert answer.headers["x-request-id"]
    content = operation["responses"][str(answer.status_code)].get("content", {})
    kind = answer.headers.get("content-type", "")
    assert kind in content or not (content or answer.content)
    if "json" in kind:
        assert errors(content[kind].get("schema", {}), answer.json()) == []


def test_the_document_is_served_and_needs_no_key(client: TestClient) -> None:
    elsewhere = TestClient(client.app, client=("203.0.113.9", 1))
    for each in (client, elsewhere):
        answer = each.get("/v1/openapi.json")
        assert answer.status_code == 200
        assert answer.json() == document()


def test_every_schema_is_one_and_every_example_is_valid() -> None:
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    seen = 0
    for operations in PATHS.values():
        for operation in operations.values():
            parts = [*operation["responses"].values(), operation.get("requestBody", {})]
            for content in [content for part in parts for content in part.get("content", {}).values()]:
                examples = [each["value"] for each in content.get("examples", {}).values()]
                for example in [*examples, *([content["example"]] if "example" in content else [])]:
                    assert errors(content["schema"], example) == []
                    seen += 1
    assert seen > 60


def test_every_address_and_code_is_in_the_document(client: TestClient) -> None:
    routes = next(route for route in client.app.routes if getattr(route, "path", "") == "/v1").app.app.routes  # type: ignore[attr-defined]
    served = {(f"/v1{route.path}", method.lower()) for route in routes for method in route.methods - {"HEAD"}}
    assert served == {(path, method) for path, operations in PATHS.items() for method in operations}
    named = str([operation["responses"] for operations in PATHS.values() for operation in operations.values()])
    assert [code for code in CODES if f"'{code}'" not in named] == []


FIELDS = ("photo", "picture", "style", "colour", "nearest", "cloth", "garment", "person")
TEXT = st.one_of(
    st.sampled_from(["", "red-solid", "navy-striped", "#2f6b3a", "lab(40 -20 10)", "all", "upper", "1", "true", "no"]),
    st.text(max_size=30),
)
PICTURES = st.one_of(st.just(PHOTO), st.binary(max_size=60), st.integers(0, len(PHOTO)).map(lambda n: PHOTO[:n]))
ENCODED = PICTURES.map(lambda data: base64.b64encode(data).decode())
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.sampled_from(["*/*", "image/png", "application/json", "text/html", "image/*;q=0", ";", "a/b;q=x"]),
        "Accept-Language": st.sampled_from(["ko", "en", "x", ""]),
        "Prefer": st.sampled_from(["respond-async", "wait", "return=minimal, respond-async"]),
        "Idempotency-Key": st.sampled_from(["1", "2", "3", "", "x" * 300]),
        "X-Request-ID": st.sampled_from(["a", "a b", "x" * 70]),
    },
)
LIMITS = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@LIMITS
@given(
    wish=st.dictionaries(st.sampled_from(FIELDS[2:]), TEXT | ANYTHING, max_size=3),
    pictures=st.dictionaries(st.sampled_from(FIELDS[:2]), ENCODED | TEXT | ANYTHING),
    other=st.dictionaries(st.text(max_size=8), ANYTHING, max_size=1) | st.just({}),
    headers=HEADERS,
)
def test_json_bodies(
    client: TestClient, wish: dict[str, Any], pictures: dict[str, Any], other: dict[str, Any], headers: dict[str, str]
) -> None:
    answer = client.post("/v1/try-on", json=other | wish | pictures, headers=headers)
    as_documented("/v1/try-on", "post", answer)
    if answer.status_code == 202:
        place = answer.headers["location"]
        for method, path in (("get", ""), ("get", "/result"), ("delete", "")):
            as_documented(f"/v1/jobs/{{job}}{path}", method, client.request(method, f"{place}{path}", headers=headers))


@LIMITS
@given(
    wish=st.dictionaries(st.sampled_from(FIELDS[2:]), TEXT, max_size=3),
    pictures=st.dictionaries(st.sampled_from(FIELDS[:3]), PICTURES),
    headers=HEADERS,
)
def test_forms(client: TestClient, wish: dict[str, str], pictures: dict[str, bytes], headers: dict[str, str]) -> None:
    parts: dict[str, Any] = {name: (None, text.encode("utf-8", "replace")) for name, text in wish.items()}
    parts |= {name: ("me.png", data) for name, data in pictures.items()}
    as_documented("/v1/try-on", "post", client.post("/v1/try-on", files=parts, headers=headers))


@LIMITS
@given(
    body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "multipart/form-data; boundary=a", "x", ""])
)
def test_bodies_of_any_bytes(client: TestClient, body: bytes, kind: str) -> None:
    answer = client.post("/v1/try-on", content=body, headers={"content-type": kind})
    as_documented("/v1/try-on", "post", answer)


@LIMITS
@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(lambda name: name.strip("."))
)
def test_names_that_are_none(client: TestClient, name: str) -> None:
    named = quote(name, safe="")
    for method, path in (("get", "jobs/{}"), ("delete", "jobs/{}"), ("get", "jobs/{}/result"), ("get", "samples/{}")):
        documented = f"/v1/{path}".replace("{}", "{job}" if path.startswith("jobs") else "{name}")
        as_documented(documented, method, client.request(method, f"/v1/{path.format(named)}"))
