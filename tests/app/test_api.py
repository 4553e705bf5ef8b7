"""The API with stand-ins for the models: what it answers, and what it refuses under which code."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from fittingroom.app import create_app
from fittingroom.app.api.reading import TryOnRequest
from fittingroom.app.codes import _OF_ERROR, _OF_REFUSAL, _OF_STATUS, CODES, Problem, code_of
from fittingroom.app.words import _TABLE, MAX_UPLOAD_BYTES, Refusal
from fittingroom.errors import Damaged, FittingroomError, NoGarmentFound
from fittingroom.tryon.verify import verify
from tests.app.programs import PHOTO, ask, refused, text
from tests.app.stand_ins import Models, encoded


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Models, TestClient]]:
    """One server for all: what decodes pictures takes its time to start."""
    workspace, models = tmp_path_factory.mktemp("workspace"), Models()
    app = create_app(workspace, models, allowed_hosts=["testserver"])
    with TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 1)) as client:
        yield models, client
    assert list(workspace.iterdir()) == []  # nothing is kept in the workspace


@pytest.fixture
def models(served: tuple[Models, TestClient]) -> Models:
    vars(served[0]).clear()
    vars(served[0]).update(vars(Models()))
    return served[0]


@pytest.fixture
def client(models: Models, served: tuple[Models, TestClient]) -> TestClient:
    assert models is served[0]
    return served[1]


def test_the_styles_that_serve(client: TestClient) -> None:
    answer = client.get("/v1/styles")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "styles": [
            {
                "name": "navy-striped", "category": "vest", "colour": "blue", "pattern": "striped", "takes_dyes": False,
                "starter": False, "version": 3, "sample_url": "/v1/samples/navy-striped?v=3",
            },
            {
                "name": "red-solid", "category": "vest", "colour": "red", "pattern": "solid", "takes_dyes": True,
                "starter": True, "version": None, "sample_url": "/v1/samples/red-solid?v=starter",
            },
        ]
    }  # fmt: skip
    sample = client.get(answer.json()["styles"][1]["sample_url"])
    assert sample.headers["content-type"] == "image/png"
    assert sample.headers["cross-origin-resource-policy"] == "cross-origin", "a shop's page may show it"
    assert sample.content == client.get("/samples/red-solid").content
    refused(client.get("/v1/samples/none"), "not_found")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_try_on_as_json(client: TestClient, tmp_path_factory: pytest.TempPathFactory, as_json: bool) -> None:
    if as_json:
        response = client.post("/v1/try-on", json={"photo": text(PHOTO), "style": "red-solid"})
    else:
        response = ask(client)
    assert response.status_code == 200
    said = response.json()
    image = said.pop("image")
    result = base64.b64decode(image["base64"], validate=True)
    place = tmp_path_factory.mktemp("results")
    (place / "out.png").write_bytes(result)
    (place / "me.png").write_bytes(PHOTO)
    assert verify(place / "out.png", place / "me.png").verified
    assert (image["media_type"], image["width"], image["height"]) == ("image/png", 60, 80)
    assert said.pop("message")["en"] == "Changed what is probably a vest to red-solid (red, solid)."
    garment = said["changed"].pop("garments")[0]
    assert (garment["category"], garment["changed"], garment["box_xyxy"]) == ("vest", True, [15, 20, 45, 60])
    assert said["changed"].pop("box_xyxy") == [15, 20, 45, 60]
    assert said["changed"].pop("share") == 0.25
    assert said == {
        "style": {"name": "red-solid", "exact": True},
        "warning": None,
        "models": {"segmenter": "version 1", "style red-solid": "version 2"},
        "changed": {},
        "colours": [],
        "shrunk_from": None,
        "request_id": response.headers["x-request-id"],
    }
    assert response.headers["fittingroom-models"] == "segmenter: version 1; style red-solid: version 2"


def test_the_bare_image(client: TestClient, models: Models) -> None:
    models.learnt_from = "rendered"
    response = ask(client, headers={"accept": "image/png"})
    assert response.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(response.content)).size == (60, 80)
    assert response.headers["fittingroom-models"] == "segmenter: version 1; style red-solid: version 2"
    assert response.headers["fittingroom-style"] == "red-solid"
    assert "drawings of the sample world only" in response.headers["fittingroom-warning"]
    assert ask(client).json()["warning"]["en"] == response.headers["fittingroom-warning"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("image/*", "image/png"),
        ("image/png;q=0.5, application/json", "application/json"),
        ("application/json;q=0.2, image/png;q=0.3", "image/png"),
        ("image/webp, */*;q=0.1", "application/json"),
        ("application/json;q=0, */*", "image/png"),
        ("text/html", ""),
        ("application/json;q=nonsense", ""),
    ],
)
def test_what_is_liked_best_is_answered(client: TestClient, accept: str, kind: str) -> None:
    response = ask(client, headers={"accept": accept})
    if kind:
        assert (response.status_code, response.headers["content-type"]) == (200, kind)
    else:
        refused(response, "not_acceptable")


def test_a_style_in_a_colour_and_a_garments_picture(client: TestClient) -> None:
    coloured = ask(client, colour="#2f6b3a", garment="upper").json()
    assert [each["wanted"] for each in coloured["colours"]] == ["#2f6b3a"]
    assert coloured["colours"][0]["ciede2000"] < 1
    green = encoded(np.full((200, 160, 3), (47, 107, 58), np.uint8))
    pictured = client.post("/v1/try-on", json={"photo": text(PHOTO), "picture": text(green), "cloth": True}).json()
    assert pictured["style"] == {"name": "red-solid", "exact": True}
    assert pictured["colours"][0]["wanted"] == "#2f6b3a"


def test_a_champion_promoted_meanwhile_is_taken_at_the_next_request(client: TestClient, models: Models) -> None:
    assert ask(client).json()["models"]["style red-solid"] == "version 2"
    models.weights_of = lambda style: {"segmenter": "version 1", f"style {style}": "version 9"}  # type: ignore[method-assign]
    models.versions = lambda: {"red-solid": 9}  # type: ignore[method-assign]
    assert ask(client).json()["models"]["style red-solid"] == "version 9"
    styles = client.get("/v1/styles").json()["styles"]
    assert [(style["version"], style["starter"]) for style in styles] == [(None, True), (9, False)]


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"photo": None}, "no_photo", None),
        ({"photo": b""}, "empty_photo", None),
        ({"style": ""}, "no_style", None),
        ({"style": "none"}, "unknown_style", None),
        ({"picture": b""}, "empty_picture", None),
        ({"picture": PHOTO, "colour": "red"}, "colour_with_picture", None),
        ({"colour": "reddish"}, "unknown_colour", None),
        ({"colour": "hsl(0, 1000%, 1000%)"}, "unknown_colour", None),
        ({"colour": "rgb(99999999999999999999, 0, 0)"}, "unknown_colour", None),
        ({"style": "navy-striped", "colour": "red"}, "own_colours", None),
        ({"garment": "hat"}, "unknown_target", None),
        ({"person": "-1"}, "unknown_target", None),
        ({"garment": "lower"}, "garment_not_found", None),
        ({"photo": b"text"}, "image_rejected", "photo"),
        ({"picture": b"text"}, "image_rejected", "picture"),
        ({"colours": "red"}, "invalid_request", "colours"),
        ({"style": "x" * 201}, "invalid_request", "style"),
        ({"nearest": "perhaps"}, "invalid_request", "nearest"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_wrong_requests_have_their_codes(
    client: TestClient, fields: dict[str, Any], code: str, field: str | None, as_json: bool
) -> None:
    if as_json:
        sent = {"photo": PHOTO, "style": "red-solid"} | fields
        sent = {name: text(value) if isinstance(value, bytes) else value for name, value in sent.items()}
        if sent["photo"] is None:
            del sent["photo"]
            code, field = "invalid_request", "photo"
        response = client.post("/v1/try-on", json=sent)
    else:
        response = ask(client, **fields)
    document = refused(response, code)
    assert document["field"] == field
    assert (document["reason"] is not None) == (code == "image_rejected")


def test_flags_of_a_form_may_say_no(client: TestClient) -> None:
    y, x = np.mgrid[:200, :160]
    checks = ((y // 10 % 2 + x // 10 % 2)[..., None] * np.array([90, 200, 180])).astype(np.uint8)
    picture = encoded(255 - checks)
    for no in ("false", "0", "no"):
        assert "no style is " in refused(ask(client, picture=picture, nearest=no), "nothing_near")["detail"].lower()
    taken = ask(client, picture=picture, nearest="true").json()
    assert taken["style"]["exact"] is False


def test_bodies_that_are_none(client: TestClient) -> None:
    def post(content: bytes, kind: str) -> Any:
        return client.post("/v1/try-on", content=content, headers={"content-type": kind})

    for wrong in (b"", b"{", b"[]", b'{"photo": 5}', b'{"photo": "\xff"}', b'{"photo": "\\ud800"}'):
        refused(post(wrong, "application/json"), "invalid_request")
    for wrong in (b'{"photo": "A"}', b'{"photo": "\\u00fc"}', b'{"photo": "data:image/png;base64,AAAA"}'):
        assert refused(post(wrong, "application/json; charset=utf-8"), "invalid_request")["field"] == "photo"
    refused(post(b"x", "multipart/form-data; boundary=a"), "invalid_request")
    refused(post(b"x", "multipart/form-data"), "invalid_request")
    refused(post(b"style=red", "application/x-www-form-urlencoded"), "unsupported_media_type")
    refused(post(PHOTO, "image/png"), "unsupported_media_type")
    twice = [("photo", ("a", PHOTO)), ("photo", ("b", PHOTO))]
    assert refused(client.post("/v1/try-on", files=twice), "invalid_request")["field"] == "photo"
    in_style = [("photo", ("a", PHOTO)), ("style", ("b", PHOTO))]
    assert refused(client.post("/v1/try-on", files=in_style), "invalid_request")["field"] == "style"


def test_json_of_very_many_values_is_refused_before_they_take_memory(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: Any) -> None:
        raise AssertionError("it is not to be parsed")

    monkeypatch.setattr(TryOnRequest, "model_validate_json", asked)
    many = b"{" + b",".join(b'"%x":1' % number for number in range(3000)) + b"}"
    for body in (many, b"[" + b"0," * 1_000_000 + b"0]"):
        answer = client.post("/v1/try-on", content=body, headers={"content-type": "application/json"})
        assert refused(answer, "invalid_request")["detail"] == "The body: expected 8 fields at most"


def test_a_field_of_a_very_long_name_is_named_in_part(client: TestClient) -> None:
    answer = client.post("/v1/try-on", json={"photo": text(PHOTO), "k" * 1_000_000: 1})
    assert refused(answer, "invalid_request")["field"] == "k" * 200
    assert len(answer.content) < 1000


def test_uploads_over_the_limit(client: TestClient) -> None:
    announced = ask(client, b"x" * (MAX_UPLOAD_BYTES + 200_000))
    assert "at most 15 MB" in refused(announced, "too_large")["detail"]
    chunked = client.post(
        "/v1/try-on", content=(b"x" * 1_000_000 for _ in range(30)), headers={"content-type": "application/json"}
    )
    refused(chunked, "too_large")


def test_addresses_and_methods_that_are_none(client: TestClient) -> None:
    refused(client.get("/v1/none"), "not_found")
    refused(client.get("/v1/"), "not_found")
    wrong = client.get("/v1/try-on")
    refused(wrong, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


def test_words_about_a_picture_are_in_the_language_asked_for(client: TestClient, models: Models) -> None:
    models.finds = False
    korean = ask(client, headers={"accept-language": "ko"})
    assert korean.headers["content-language"] == "ko"
    assert refused(korean, "no_garment")["detail"].startswith("사진에서 옷을 찾지 못했습니다.")
    program = ask(client, style="none", headers={"accept-language": "ko"})
    assert program.headers["content-language"] == "en"
    assert "GET /v1/styles" in refused(program, "unknown_style")["detail"]


def test_the_servers_own_troubles_are_named_in_its_log_alone(
    client: TestClient, models: Models, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.broken = True
    for response in (client.get("/v1/styles"), ask(client, headers={"X-Request-ID": "shop-7"})):
        assert "secret" not in response.text
        refused(response, "unavailable")
    assert "request shop-7: registry sqlite:////secret/path does not answer" in caplog.messages
    models.broken = False
    monkeypatch.setattr(models, "translate", None)
    broken = ask(client)
    assert "NoneType" not in broken.text
    refused(broken, "internal")


@pytest.mark.parametrize("sent", ["shop-7", "a" * 64, "A.b_c-1"])
def test_a_sane_request_id_is_kept(client: TestClient, sent: str) -> None:
    assert client.get("/v1/styles", headers={"X-Request-ID": sent}).headers["x-request-id"] == sent
    refused(client.get("/v1/none", headers={"X-Request-ID": sent}), "not_found")


@pytest.mark.parametrize("sent", ["", "a" * 65, "a b", "-a", 'x"', "<script>", "é"])
def test_another_one_is_replaced(client: TestClient, sent: str) -> None:
    given = [
        client.get("/v1/styles", headers=[(b"x-request-id", sent.encode())]).headers["x-request-id"] for _ in range(2)
    ]
    assert all(len(each) == 32 and each != sent for each in given)
    assert given[0] != given[1]


def test_another_sites_page_is_refused_before_anything_is_read(client: TestClient) -> None:
    for origin in ("https://elsewhere.example", "null", "http://testserver:81"):
        refused(ask(client, headers={"origin": origin}), "foreign_origin")
    assert ask(client, headers={"origin": "http://testserver"}).status_code == 200


def test_security_headers_on_every_answer(client: TestClient) -> None:
    for response in (client.get("/v1/styles"), ask(client), client.get("/v1/none"), ask(client, None)):
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert "set-cookie" not in response.headers


def test_the_table_of_codes_is_whole() -> None:
    assert all(400 <= code.status < 600 and code.title for code in CODES.values())
    assert {*_OF_STATUS.values(), *_OF_REFUSAL.values(), *(code for _, code in _OF_ERROR)} <= set(CODES)
    assert all(CODES[code].status == status for status, code in _OF_STATUS.items())
    refusals = ("no_photo", "empty_photo", "no_style", "gone_style", "empty_picture", "two_colours", "no_target")
    for key in refusals:
        assert key in _TABLE
        assert CODES[code_of(Refusal(key))].status == 400, key
    assert code_of(Refusal("no_colour", got="x")) == "unknown_colour"
    assert code_of(Refusal("own_colours", style="x")) == "own_colours"
    assert code_of(NoGarmentFound("person 7 was not found")) == "garment_not_found"
    assert code_of(Damaged("x")) == "unavailable"
    assert code_of(FittingroomError("x")) == code_of(ValueError()) == "internal"
    assert code_of(Problem("busy")) == "busy"
