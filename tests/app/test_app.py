"""The try-on page with stand-ins for the models: what it shows, refuses and never keeps."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from fittingroom.app import create_app, rendering, room, words
from fittingroom.app.asked import Asked
from fittingroom.app.words import MAX_UPLOAD_BYTES
from fittingroom.appearance.colours import COLOUR_NAMES
from fittingroom.categories import CATEGORY_IDS
from fittingroom.domain import MARK
from fittingroom.errors import Damaged, ImageRejected, StorageUnavailable, WeightsRejected
from fittingroom.registry.starters import StarterModels
from fittingroom.style_card import PATTERNS
from fittingroom.tryon.targets import Target
from fittingroom.tryon.verify import verify
from fittingroom.tryon.wanted import Wish
from tests.app.stand_ins import STYLES, Models, encoded


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def client(models: Models, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(tmp_path, models), raise_server_exceptions=False) as client:
        yield client
    assert list(tmp_path.iterdir()) == []  # nothing is kept in the workspace


def send(client: TestClient, photo: bytes | None, style: str | None = "red-solid", **options: Any) -> Any:
    return client.post(
        "/try-on",
        files={"photo": ("../../me.png", photo, "image/png")} if photo is not None else None,
        data={"style": style} if style is not None else {},
        **options,
    )


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))

    def of_id(self, name: str) -> dict[str, str | None]:
        return next(attributes for _, attributes in self.all if attributes.get("id") == name)

    def shown(self) -> list[str | None]:
        """The addresses of the pictures of an answer."""
        return [image.get("src") for image in self.named("img") if str(image.get("src")).startswith("data:")]

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.all if tag == name]


def error_of(response) -> str:
    found = re.search(r'role="alert">([^<]*)<', response.text)
    assert found, response.text[:500]
    return found.group(1)


def assert_whole(response) -> None:
    """All styles on the page, and a button that can be pressed."""
    tags = Tags(response.text)
    radios = [i["value"] for i in tags.named("input") if i.get("type") == "radio"]
    assert radios == [*(style.name for style in STYLES), ""], "the last is a garment of one's own"
    assert "disabled" not in tags.of_id("go")


def picture(uri: str | None) -> np.ndarray:
    assert uri is not None
    return np.array(Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))))


def test_the_form_offers_the_styles_and_needs_nothing_from_elsewhere(client: TestClient) -> None:
    response = client.get("/")
    tags = Tags(response.text)
    assert response.status_code == 200
    assert_whole(response)
    assert "blue, striped, vest" in response.text
    assert [a.get("src") for a in tags.named("script")] == [f"/page.js?v={version_of('page.js')}"]
    named = [v for _, a in tags.all for k, v in a.items() if k in ("src", "href", "action") and v]
    assert all(re.match(r"/(?!/)|data:image/svg", address) for address in named), named
    assert not [a for _, a in tags.all if any(name.startswith("on") or name == "style" for name in a)], "the CSP's"


def version_of(name: str) -> str:
    return rendering.Page().files[name].version


def test_the_pages_own_files_and_no_others(client: TestClient) -> None:
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        response = client.get(f"/{name}")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(kind)
        assert "max-age" in response.headers["cache-control"]
        assert len(response.content) < 32_000
    for name in ("page.html", "page.py", "..%2fpage.py", "words.py"):
        assert client.get(f"/{name}").status_code == 404, name


def test_security_headers_on_every_answer(client: TestClient) -> None:
    for response in (
        client.get("/"), client.get("/none"), send(client, None), client.get("/healthz"), client.get("/page.js"),
        client.get("/samples/red-solid"), client.get("/samples/none"), lines(client, encoded())[0],
    ):  # fmt: skip
        policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
        assert policy["img-src"] == "'self' data: blob:"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in response.headers
    for response in (client.get("/"), send(client, encoded()), lines(client, encoded())[0]):
        assert response.headers["cache-control"] == "no-store"


def lines(client: TestClient, photo: bytes | None, style: str = "red-solid", query: str = "", **fields: str):
    """A try-on as the page's script asks for it: the response, and each of its lines."""
    files = {"photo": ("photo", photo, "image/png")} if photo is not None else None
    response = client.post(
        f"/try-on{query}",
        files=files,
        data={"style": style, **fields},
        headers={"accept": "application/x-ndjson"},
    )
    return response, [json.loads(line) for line in response.text.splitlines()]


def test_a_try_on_line_by_line(client: TestClient) -> None:
    response, told = lines(client, encoded())
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    assert [line["state"] for line in told] == ["looking", "finding", "painting", "done"]
    done = told[-1]
    assert picture(done["after"]).shape == picture(done["before"]).shape == (80, 60, 3)
    assert done["name"] == "try-on-red-solid.png"
    assert done["message"]["en"] == "Changed what is probably a vest to red-solid (red, solid)."
    expected = "red-solid(빨강, 민무늬, 민소매 상의) 스타일로 바꿨습니다. 바꾼 옷: 민소매 상의(추정)."
    assert done["message"]["ko"] == expected


def test_what_is_refused_line_by_line_has_its_status_and_words(
    client: TestClient, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    response, told = lines(client, None)
    assert response.status_code == 400
    assert told == [{"state": "failed", "status": 400, "error": "Choose a photo first"}]
    response, told = lines(client, b"not a picture", query="?lang=ko")
    assert response.status_code == 200, "it began"
    assert [line["state"] for line in told] == ["looking", "failed"]
    assert told[-1]["status"] == 400
    assert told[-1]["error"].startswith("이 사진은 쓸 수 없습니다.")
    response, told = lines(client, b"x" * (MAX_UPLOAD_BYTES + 200_000))
    assert response.status_code == 413
    assert told[0]["error"].startswith("This upload is too large, at most 15 MB")
    models.translate = None  # type: ignore[assignment]
    assert lines(client, encoded())[1][-1] == {
        "state": "failed", "status": 500, "error": "Something went wrong here; the server's log says what",
    }  # fmt: skip
    assert "a try-on failed" in caplog.text


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("", "fr, en;q=0.5, ko;q=0.7", "ko"),
        ("", "de;q=1, en;q=nonsense", "en"),
        ("?lang=en", "ko", "en"),
        ("?lang=ko", "en", "ko"),
        ("?lang=xx", "ko", "ko"),
    ],
)
def test_the_page_speaks_the_visitors_language(client: TestClient, query: str, accepted: str, language: str) -> None:
    headers = {"accept-language": accepted}
    response = client.get(f"/{query}", headers=headers)
    assert response.headers["content-language"] == language
    assert Tags(response.text).named("html")[0]["lang"] == language
    assert Tags(response.text).of_id("form")["action"] == f"/try-on?lang={language}"
    error = error_of(client.post(f"/try-on{query}", data={"style": "red-solid"}, headers=headers))
    assert error == {"en": "Choose a photo first", "ko": "먼저 사진을 고르세요."}[language]


def test_the_table_of_words_is_whole() -> None:
    for key, said in words._TABLE.items():
        fields = [sorted(name for _, name, _, _ in Formatter().parse(text) if name) for text in said]
        assert set(fields[1]) <= {*fields[0], "why"}, key
        assert all(said), key
    assert set(words._KOREAN) >= {*COLOUR_NAMES, *PATTERNS, *CATEGORY_IDS}
    assert set(words._KOREAN_REASONS) <= set(ImageRejected.REASONS)


def test_a_style_shows_a_garment_that_it_painted(client: TestClient, models: Models) -> None:
    first = client.get("/samples/red-solid?v=starter")
    assert first.status_code == 200
    image = np.array(Image.open(io.BytesIO(first.content)))
    painted, white = ((image == colour).all(-1) for colour in ((200, 30, 40), (255, 255, 255)))
    assert (painted | white).all()
    assert image.shape == (32, 32, 3)
    assert 0.2 < painted.mean() < 0.8
    assert client.get("/samples/red-solid").content == first.content
    assert models.asked == ["red-solid"], "painted once"
    assert client.get("/samples/none").status_code == 404
    models.translator = lambda _: _raise(Damaged("/secret/path"))  # type: ignore[assignment,method-assign,return-value]
    broken = client.get("/samples/navy-striped")
    assert broken.status_code == 503
    assert broken.content == b""


def test_starters_are_marked(client: TestClient) -> None:
    found = re.findall(r'value="([a-z-]+)" required.*?</label>', client.get("/").text, re.DOTALL)
    marked = re.findall(r'value="([a-z-]+)" required(?:(?!</label>).)*class="badge"', client.get("/").text, re.DOTALL)
    assert (found, marked) == (["navy-striped", "red-solid"], ["red-solid"])


def test_before_after_and_a_download(client: TestClient, models: Models) -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 60, 3), np.uint8)
    image[20:60, 15:45] = 120
    response = send(client, encoded(image))
    assert response.status_code == 200
    assert models.asked == ["red-solid"]
    tags = Tags(response.text)
    before, after = tags.shown()
    assert picture(before).shape == image.shape
    result = picture(after)
    assert (result[:19] == image[:19]).all()
    assert (result[40, 30] == (200, 30, 40)).all()
    (download,) = [a for a in tags.named("a") if "download" in a]
    assert download["download"] == "try-on-red-solid.png"
    assert download["href"] == after
    assert "Changed what is probably a vest to red-solid (red, solid)." in response.text
    checked = [i["value"] for i in tags.named("input") if "checked" in i]
    assert checked == ["red-solid"]


def test_a_large_photo_is_made_smaller_and_it_is_said(client: TestClient) -> None:
    response = send(client, encoded(np.full((1000, 2000, 3), 90, np.uint8)))
    assert picture(Tags(response.text).shown()[1]).shape == (800, 1600, 3)
    assert "made smaller, from 2000 x 1000" in response.text


@pytest.mark.parametrize("size", [(80, 60), (1000, 2000)])
def test_the_result_is_marked_as_changed_by_ai(
    client: TestClient, tmp_path_factory: pytest.TempPathFactory, size: tuple[int, int]
) -> None:
    place = tmp_path_factory.mktemp("downloads")
    (place / "me.png").write_bytes(encoded(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)))
    response = send(client, (place / "me.png").read_bytes())
    uri = str(Tags(response.text).named("img")[1]["src"])
    (place / "out.png").write_bytes(base64.b64decode(uri.split(",", 1)[1]))
    found = verify(place / "out.png", place / "me.png")
    assert found.verified
    assert (found.style, found.models) == ("red-solid", "segmenter: version 1; style red-solid: version 2")


def test_exif_is_applied_and_not_given_back(client: TestClient) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "secret camera"
    response = send(client, encoded(np.full((60, 80, 3), 90, np.uint8), "JPEG", exif=exif))
    for address in Tags(response.text).shown():
        data = base64.b64decode(str(address).split(",", 1)[1])
        assert b"secret camera" not in data
        assert Image.open(io.BytesIO(data)).size == (60, 80)


def bomb() -> bytes:
    return (
        encoded(np.zeros((1, 1, 3), np.uint8))[:16]
        + (50_000).to_bytes(4, "big") * 2
        + encoded(np.zeros((1, 1, 3), np.uint8))[24:]
    )


@pytest.mark.parametrize(
    ("photo", "words"),
    [
        (b"", "this photo cannot be used: the file is empty; choose another"),
        (b"not a picture", "this is a text file: choose a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "this is an SVG drawing: export it as PNG"),
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "this is a HEIC picture, as iPhones save them: save or export it as JPEG",
        ),
        (encoded()[:400], "this photo cannot be used"),
        (bomb(), "this photo cannot be used"),
    ],
)
def test_bad_photos_get_a_sentence(client: TestClient, photo: bytes, words: str) -> None:
    response = send(client, photo)
    assert response.status_code == 400
    assert words.lower() in error_of(response).lower()
    assert_whole(response)


def test_no_file_chosen_is_not_an_empty_file(client: TestClient) -> None:
    boundary = "----b"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename=""\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n\r\n--{boundary}\r\n"
        f'Content-Disposition: form-data; name="style"\r\n\r\nred-solid\r\n--{boundary}--\r\n'
    )
    response = client.post(
        "/try-on", content=body, headers={"content-type": f"multipart/form-data; boundary={boundary}"}
    )
    assert error_of(response) == "Choose a photo first"
    assert_whole(response)


def test_missing_parts_and_unknown_styles(client: TestClient) -> None:
    assert "choose a photo" in error_of(send(client, None)).lower()
    assert "choose a style" in error_of(send(client, encoded(), None)).lower()
    response = send(client, encoded(), "<b>none</b>")
    assert response.status_code == 400
    assert "<b>none" not in response.text
    text = client.post("/try-on", data={"photo": "text", "style": "red-solid"})
    assert "choose a photo" in error_of(text).lower()
    broken = client.post("/try-on", content=b"xx", headers={"content-type": "multipart/form-data; boundary=a"})
    assert broken.status_code == 400
    assert client.post("/try-on", content=b"{}", headers={"content-type": "application/json"}).status_code == 400
    for address, status in (("/try-on", 405), ("/elsewhere", 404)):
        response = client.get(address)
        assert response.status_code == status
        assert error_of(response) == "There is nothing at this address; the form below is all there is"
        assert_whole(response)
    assert error_of(broken).startswith("The form did not arrive whole: ")
    assert_whole(broken)


def test_too_many_files_and_fields_are_refused(client: TestClient) -> None:
    files = [(name, (f"{name}.png", encoded(), "image/png")) for name in ("photo", "picture", "more")]
    assert client.post("/try-on", files=files, data={"style": "red-solid"}).status_code == 400
    many = {f"field{n}": "x" for n in range(30)}
    assert client.post("/try-on", files=files[:1], data=many).status_code == 400
    long = {"style": "x" * 100_000}
    assert client.post("/try-on", files=files[:1], data=long).status_code == 400


def test_uploads_over_the_limit_are_cut_off(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    response = send(client, b"x" * (MAX_UPLOAD_BYTES + 200_000))
    assert response.status_code == 413
    assert error_of(response) == "This upload is too large, at most 15 MB are accepted; make the photo smaller"
    assert_whole(response)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'--a\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
        while sent < 4 * MAX_UPLOAD_BYTES:
            sent += 1_000_000
            yield b"x" * 1_000_000

    chunked = client.post("/try-on", content=endless(), headers={"content-type": "multipart/form-data; boundary=a"})
    assert chunked.status_code == 413
    lying = client.post("/try-on", content=b"", headers={"content-length": "many"})
    assert lying.status_code == 413
    monkeypatch.setattr(room, "MAX_UPLOAD_PIXELS", 1000)
    assert "at most 1,000 pixels, got 60 x 80 (4,800); make the picture smaller" in error_of(send(client, encoded()))


def test_no_garment(client: TestClient, models: Models) -> None:
    models.finds = False
    response = send(client, encoded())
    assert response.status_code == 422
    assert "No garment was found on the person photo" in error_of(response)
    assert_whole(response)


def test_the_servers_own_troubles_are_not_shown_but_logged(
    client: TestClient, models: Models, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.broken = True
    for response in (client.get("/"), send(client, encoded())):
        assert response.status_code == 503
        assert response.headers["retry-after"] == "10"
        assert "secret" not in response.text
    models.broken = False
    for error in (Damaged("segmenter version 3 damaged: /secret/path"), WeightsRejected("/secret/path: damaged")):
        monkeypatch.setattr(models, "segmenter", partial(_raise, error))
        response = send(client, encoded())
        assert response.status_code == 503
        assert "secret" not in response.text
        assert_whole(response)
    said = ["registry sqlite:////secret/path does not answer"] * 2
    said += ["segmenter version 3 damaged: /secret/path", "/secret/path: damaged"]
    assert [record.message for record in caplog.records if record.name == "fittingroom.app"] == said
    monkeypatch.undo()
    monkeypatch.setattr(models, "translate", None)
    response = send(client, encoded())
    assert response.status_code == 500
    assert "NoneType" not in response.text
    assert "something went wrong" in error_of(response).lower()
    assert_whole(response)
    assert "default-src 'none'" in response.headers["content-security-policy"]


def _raise(error: Exception) -> None:
    raise error


def test_other_sites_may_not_send_forms_here(client: TestClient) -> None:
    assert send(client, encoded(), headers={"origin": "https://elsewhere.example"}).status_code == 403
    assert send(client, encoded(), headers={"origin": "http://testserver"}).status_code == 200


def test_other_host_names_are_refused(models: Models, tmp_path: Path) -> None:
    with TestClient(create_app(tmp_path, models, allowed_hosts=["127.0.0.1"])) as client:
        assert client.get("/").status_code == 400
        assert client.get("/", headers={"host": "127.0.0.1:7860"}).status_code == 200


def test_the_line_is_short_and_ends(client: TestClient, models: Models) -> None:
    """One is worked on, a few wait, one more is told to come back; then the line is empty again."""
    models.hold = hold = threading.Event()
    answers: list[int] = []
    line = [threading.Thread(target=lambda: answers.append(send(client, encoded()).status_code)) for _ in range(5)]
    for thread in line:
        thread.start()
    deadline, status = time.monotonic() + 20, 0
    while status != 503 and time.monotonic() < deadline:
        line.append(threading.Thread(target=lambda: answers.append(send(client, encoded()).status_code), daemon=True))
        line[-1].start()
        line[-1].join(0.3)
        status = answers[-1] if answers else 0
    hold.set()
    for thread in line:
        thread.join(60)
        assert not thread.is_alive(), "everyone gets an answer"
    assert 503 in answers
    models.hold = None
    assert answers.count(200) >= 5 - answers.count(503)
    assert send(client, encoded()).status_code == 200


def test_a_photo_that_the_servers_end_cut_short_is_not_said_to_be_unusable() -> None:
    ending = room.Room(Models())
    ending.close()
    asked = Asked("red-solid", b"", Wish(), Target())
    with pytest.raises(StorageUnavailable):
        ending._dress(encoded(), asked, lambda _: None)
    with pytest.raises(StorageUnavailable):
        asyncio.run(ending.dress(encoded(), asked, lambda _: None))


def test_a_name_in_an_address_makes_no_lines_in_the_log(
    client: TestClient, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    models.broken = True
    assert client.get("/samples/a%0ab").status_code == 503
    assert [message.splitlines() for message in caplog.messages] == [[caplog.messages[0]]]
    assert r"'a\nb'" in caplog.messages[0]


def test_the_page_without_a_registry_offers_the_starter_styles(tmp_path: Path) -> None:
    with TestClient(create_app(tmp_path / "fresh")) as client:
        page = client.get("/").text
    assert all(style.name in page for style in StarterModels().styles())
    assert page.count('class="badge"') == len(StarterModels().styles())
    assert not (tmp_path / "fresh").exists()


def test_the_page_without_any_style_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fittingroom.registry.serving.StarterModels", lambda: None)
    with TestClient(create_app(tmp_path / "fresh")) as client:
        response = client.get("/")
        assert response.status_code == 200
        assert "No style serves at the moment" in response.text
        assert error_of(send(client, encoded())) == "This style is not on offer any more; choose one of those below"
    assert not (tmp_path / "fresh").exists()


def test_models_that_know_drawings_alone_are_warned_of_on_the_page(client: TestClient, models: Models) -> None:
    models.learnt_from = "rendered"
    warned = send(client, encoded()).text
    assert 'role="alert">Warning: the segmenter and the style' in warned
    assert "drawings of the sample world only, and this is a photo" in warned
    drawn = encoded(kind="JPEG", comment=MARK)
    assert "Warning: the" not in send(client, drawn).text
    models.learnt_from = "photo"
    assert "Warning: the" not in send(client, encoded()).text


GREEN = encoded(np.full((200, 160, 3), (47, 107, 58), np.uint8))


def ask(client: TestClient, picture: bytes | None = None, **fields: str):
    files = {"photo": ("me.png", encoded(), "image/png")}
    if picture is not None:
        files["picture"] = ("garment.png", picture, "image/png")
    return client.post("/try-on", files=files, data={"style": "navy-striped", **fields})


def middle_of(response) -> list[int]:
    after = picture(Tags(response.text).shown()[1])
    return after[after.shape[0] // 2, after.shape[1] // 2].tolist()


def test_a_garments_picture_wins_over_the_chosen_style_and_gives_its_colours(
    client: TestClient, models: Models
) -> None:
    response = ask(client, GREEN)
    assert response.status_code == 200
    assert models.asked == ["red-solid"]
    assert middle_of(response) == pytest.approx([47, 107, 58], abs=12), "its detail is the photo's own"
    assert "to red-solid in #2f6b3a" in response.text
    assert "#2f6b3a came out as #2f6b3a, the same to the eye" in response.text
    assert [a["download"] for a in Tags(response.text).named("a") if "download" in a] == [
        "try-on-red-solid-in-2f6b3a.png"
    ]


def test_a_style_in_a_colour_of_ones_own(client: TestClient) -> None:
    response = ask(client, style="red-solid", colour=" #2f6b3a ")
    assert response.status_code == 200
    assert "to red-solid in #2f6b3a" in response.text
    assert middle_of(response) == pytest.approx([47, 107, 58], abs=12)
    assert "in #" not in ask(client, style="red-solid", colour="").text
    for wrong, said in (
        ({"style": "red-solid", "colour": "reddish"}, "Colour: expected #rrggbb, a CSS name such as seagreen"),
        ({"colour": "red"}, "Colour: style navy-striped has no colours but its own"),
        ({"picture": GREEN, "colour": "red"}, "A garment&#39;s picture brings its own colours"),
        ({"picture": b""}, "The garment&#39;s picture is empty"),
        ({"picture": b"no picture"}, "This photo cannot be used"),
    ):
        refused = ask(client, **wrong)
        assert refused.status_code == 400, wrong
        assert said in error_of(refused)
        assert_whole(refused)


def test_a_pattern_that_no_style_has_is_a_sentence_until_the_nearest_is_asked_for(client: TestClient) -> None:
    y, x = np.mgrid[:200, :160]
    checks = (y // 10 % 2 + x // 10 % 2)[..., None] / 2
    cloth = np.array([235, 230, 225]) * (1 - checks) + np.array([170, 30, 40]) * checks
    picture = encoded(np.rint(cloth).astype(np.uint8))
    refused = ask(client, picture)
    assert refused.status_code == 422
    assert re.match(
        r"No style is \w+ (checked|dotted); the nearest is .*; choose one of the styles below", error_of(refused)
    )
    assert "--" not in error_of(refused)
    taken = ask(client, picture, nearest="yes")
    assert taken.status_code == 200
    assert "solid instead of " in taken.text


def test_which_garment_and_whose_can_be_chosen(client: TestClient) -> None:
    assert "Changed the upper garment asked for (probably" in ask(client, style="red-solid", garment="upper").text
    assert "no garment of the kind lower was found" in error_of(ask(client, style="red-solid", garment="lower")).lower()
    for wrong in ({"garment": "hat"}, {"person": "-1"}):
        refused = ask(client, None, style="red-solid", **wrong)
        assert refused.status_code == 400
        assert "Which garment, and whose, is not something this page offers" in error_of(refused)
