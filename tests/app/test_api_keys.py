"""Who may use the API: keys, limits of each, origins; and without keys this machine alone."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from fittingroom.api_keys import Keys, _main, new_key
from fittingroom.app import create_app, server
from fittingroom.cli import run
from fittingroom.errors import InputError
from tests.app.programs import ask, refused
from tests.app.serving import connect, serving
from tests.app.stand_ins import Models

SHOP = "https://shop.example"


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def bearer(key: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **more}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(
        f'[one]\nsha256 = "{digest("key-1")}"\nrequests_per_minute = 6\nat_once = 2\norigins = ["{SHOP}"]\n'
        f'[two]\nsha256 = "{digest("key-2")}"\n'
    )
    return path


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def client(file: Path, models: Models, decoders: None) -> Iterator[TestClient]:  # noqa: ARG001
    app = create_app(file.parent / "workspace", models, keys=Keys(file))
    with TestClient(app, raise_server_exceptions=False, client=("203.0.113.9", 1)) as client:
        yield client


# Keys.


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer key-3",
        "Bearer key-1x",
        "Basic key-1",
        "key-1",
        "Bearer key-1 key-2",
        "Bearer \xff",
    ],
)
def test_without_a_known_key_nothing_is_read_or_told(client: TestClient, sent: str) -> None:
    for method, address in (("GET", "styles"), ("POST", "try-on"), ("GET", "jobs/x"), ("DELETE", "jobs/x")):
        headers = [(b"authorization", sent.encode("latin-1"))]
        answer = client.request(method, f"/v1/{address}", headers=headers)
        refused(answer, "no_key")
        assert answer.headers["www-authenticate"] == 'Bearer realm="fittingroom"'


def test_each_key_is_let_in_and_the_page_needs_none(client: TestClient) -> None:
    for key in ("key-1", "key-2"):
        assert client.get("/v1/styles", headers=bearer(key)).status_code == 200
        assert client.get("/v1/styles", headers={"authorization": f"bearer  {key}"}).status_code == 200
    assert client.get("/").status_code == 200
    assert client.get("/v1/samples/red-solid").status_code == 200


def test_a_job_is_seen_by_its_own_key_alone(client: TestClient) -> None:
    later = ask(client, headers=bearer("key-1", Prefer="respond-async"))
    place = later.headers["location"]
    for name in ("", "/result"):
        refused(client.get(f"{place}{name}", headers=bearer("key-2")), "unknown_job")
    refused(client.delete(place, headers=bearer("key-2")), "unknown_job")
    assert client.delete(place, headers=bearer("key-1")).status_code == 204


def test_the_file_is_read_again_when_it_changes(
    client: TestClient, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def status(key: str) -> int:
        return client.get("/v1/styles", headers=bearer(key)).status_code

    assert (status("key-1"), status("key-3")) == (200, 401)
    file.write_text(f'[three]\nsha256 = "{digest("key-3")}"\n')
    assert (status("key-1"), status("key-3")) == (401, 200)
    file.write_text("[three]\nsha256 = 5\n")
    assert [status("key-3") for _ in range(3)] == [200] * 3, "what was read last holds"
    file.unlink()
    assert status("key-3") == 200
    assert [message.split(":")[0] for message in caplog.messages] == ["the API keys stay as they were"] * 2
    assert "three.sha256" in caplog.messages[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[one]\n", "one.sha256: field required"),
        ('[one]\nsha256 = "key-1"\n', "one.sha256: string should match pattern"),
        (f'[one]\nsha256 = "{digest("x")}"\nat_once = 0\n', "one.at_once: input should be greater than or equal to 1"),
        (
            f'[one]\nsha256 = "{digest("x")}"\norigins = ["shop.example"]\n',
            "one.origins.0: string should match pattern",
        ),
        (f'[one]\nsha256 = "{digest("x")}"\norigins = ["*"]\n', "one.origins.0: string should match pattern"),
        (f'[one]\nsha256 = "{digest("x")}"\norigin = "x"\n', "one.origin: extra inputs are not permitted"),
        ('["a b"]\nsha256 = ""\n', "a b.[key]: string should match pattern"),
        ("one", "expected TOML: "),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_line(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(InputError) as refusal:
        Keys(file)
    assert str(refusal.value).startswith(f"{file}: {said}")
    assert digest("x") not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_key_is_made_shown_once_and_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(["shop.a"]) == 0
    said = capsys.readouterr()
    (tmp_path / "keys.toml").write_text(said.out)
    found = re.search(r"fr_[\w-]{43}", said.err)
    assert found
    assert found[0] not in said.out
    known = Keys(tmp_path / "keys.toml").find(found[0])
    assert known is not None
    assert known[0] == "shop.a"
    assert new_key("a")[0] != new_key("a")[0]
    for wrong in (["a b"], [], ["a", "b"], [""], ['"']):
        assert _main(wrong) == 2
        assert capsys.readouterr().err.startswith("error: ")


def test_the_documented_command_makes_one() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "fittingroom.api_keys", "shop-a"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r'\n\["shop-a"\]\nsha256 = "[0-9a-f]{64}"\n', made.stdout)
    assert re.fullmatch(r"the key of shop-a, which is shown this once: fr_[\w-]{43}\n", made.stderr)


def test_a_missing_file_of_keys_ends_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["app", "--api-keys", str(tmp_path / "none.toml")]) == 2
    assert capsys.readouterr().err == f"error: file of API keys not found: {tmp_path}/none.toml\n"


def test_the_setting_names_the_file_too(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fittingroom.settings import get_settings

    file.write_text("[one]\n")
    monkeypatch.setenv("FITTINGROOM_APP_API_KEYS", str(file))
    get_settings.cache_clear()
    try:
        assert run(["app"]) == 2
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
    assert capsys.readouterr().err == f"error: {file}: one.sha256: field required\n"


# What one key may.


def test_a_key_has_so_many_requests_a_minute(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("fittingroom.app.api.gate.time.monotonic", lambda: now[0])
    assert [ask(client, None, bearer("key-1")).status_code for _ in range(6)] == [400] * 6
    answer = ask(client, None, bearer("key-1"))
    refused(answer, "rate_limited")
    assert answer.headers["retry-after"] == "10"
    assert client.get("/v1/styles", headers=bearer("key-1")).status_code == 200, "looking costs nothing"
    refused(ask(client, None, bearer("key-2")), "no_photo")
    now[0] += 9.5
    assert ask(client, None, bearer("key-1")).headers["retry-after"] == "1"
    now[0] += 0.6
    refused(ask(client, None, bearer("key-1")), "no_photo")
    refused(ask(client, None, bearer("key-1")), "rate_limited")
    now[0] += 1000
    assert [ask(client, None, bearer("key-1")).status_code for _ in range(7)] == [400] * 6 + [429], (
        "no more is saved up"
    )


def test_a_key_has_so_many_under_way(client: TestClient, models: Models) -> None:
    models.hold = threading.Event()
    one, two = bearer("key-1"), bearer("key-2")
    try:
        with ThreadPoolExecutor(1) as threads:
            places = [ask(client, headers=one | {"Prefer": "respond-async"}).headers["location"] for _ in range(2)]
            refused(ask(client, headers=one), "too_many_at_once")
            refused(ask(client, headers=one | {"Prefer": "respond-async"}), "too_many_at_once")
            other = threads.submit(ask, client, headers=two)
            models.hold.set()
            assert other.result(30).status_code == 200
            for place in places:
                assert client.delete(place, headers=one).status_code == 204
            assert ask(client, headers=one).status_code == 200, "the places are free again"
    finally:
        models.hold.set()


# Other sites' pages.


def preflight(client: TestClient, origin: str, method: str = "POST", headers: str = "authorization") -> Any:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return client.options("/v1/try-on", headers=asked)


def test_pages_of_listed_sites_may_ask_and_read(client: TestClient) -> None:
    asked = preflight(client, SHOP, headers="authorization, content-type, idempotency-key, prefer, x-request-id")
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == SHOP
    assert preflight(client, SHOP, "DELETE").status_code == 200
    assert preflight(client, SHOP, "PUT").status_code == 400
    assert preflight(client, SHOP, headers="cookie").status_code == 400
    answer = ask(client, headers=bearer("key-1", Origin=SHOP))
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert "Origin" in answer.headers["vary"]
    assert "Fittingroom-Models" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    too_large = ask(client, b"x" * 16_000_000, bearer("key-1", Origin=SHOP))
    refused(too_large, "too_large")
    assert too_large.headers["access-control-allow-origin"] == SHOP, "it can be read there"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{SHOP}.evil.example", f"{SHOP}:444", "http://shop.example"]
)
def test_pages_of_other_sites_may_not(client: TestClient, origin: str) -> None:
    asked = preflight(client, origin)
    assert asked.status_code == 400
    answer = ask(client, headers=bearer("key-1", Origin=origin))
    refused(answer, "foreign_origin")
    for each in (asked, answer, client.get("/v1/styles", headers={"Origin": origin})):
        assert "access-control-allow-origin" not in each.headers


def test_a_site_may_use_its_own_keys_alone(client: TestClient) -> None:
    refused(ask(client, headers=bearer("key-2", Origin=SHOP)), "foreign_origin")
    refused(client.get("/v1/styles", headers=bearer("key-2", Origin=SHOP)), "foreign_origin")
    assert client.get("/v1/styles", headers=bearer("key-2", Origin="http://testserver")).status_code == 200


# Without keys.


@pytest.mark.parametrize(
    ("hosts", "address", "sent", "code"),
    [
        (["testserver"], "127.0.0.1", {}, None),
        (["testserver"], "127.9.9.9", {}, None),
        (["testserver"], "::1", {}, None),
        (["testserver"], "203.0.113.9", {}, "closed"),
        (["testserver"], "", {}, "closed"),
        (["testserver"], "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, "closed"),
        (["testserver"], "127.0.0.1", {"Forwarded": "for=192.0.2.1"}, "closed"),
        (["testserver"], "127.0.0.1", {"X-Real-IP": "192.0.2.1"}, "closed"),
        (["testserver"], "127.0.0.1", {"X-Forwarded-Proto": "https"}, "closed"),
        (["testserver"], "127.0.0.1", {"Via": "1.1 proxy"}, "closed"),
        (["testserver"], "127.0.0.1", {"Origin": "https://evil.example"}, "foreign_origin"),
        (None, "127.0.0.1", {}, "closed"),
        (None, "203.0.113.9", {}, "closed"),
    ],
)
def test_the_api_is_this_machines_own(
    tmp_path: Path, hosts: list[str] | None, address: str, sent: dict[str, str], code: str | None
) -> None:
    app = create_app(tmp_path, Models(), allowed_hosts=hosts)
    client = TestClient(app, raise_server_exceptions=False, client=(address, 1))
    for answer in (client.get("/v1/styles", headers=sent), ask(client, None, headers=sent)):
        if code:
            refused(answer, code)
        else:
            assert answer.status_code in (200, 400)
    assert client.get("/", headers=sent).status_code == 200, "the page is as it was"


def test_a_real_server_on_the_loopback_answers(tmp_path: Path) -> None:
    for host, name in (("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")):
        with serving(tmp_path, host=host) as where, connect(where) as connection:
            connection.sendall(f"GET /v1/styles HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_a_server_for_all_says_that_the_api_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    monkeypatch.setattr(uvicorn.Server, "main_loop", _ends)
    for host, keys, closed in (("0.0.0.0", None, True), ("127.0.0.1", None, False)):
        said.clear()
        server.serve_app(tmp_path / "w", host=host, port=None, say=said.append, api_keys=keys)
        assert [line.startswith("the HTTP API is closed") for line in said] == [False, *[True] * closed]


async def _ends(self: Any) -> None:
    self.should_exit = True


def test_the_same_request_again_is_no_try_on_of_its_minute(client: TestClient) -> None:
    replayed = bearer("key-1", **{"Idempotency-Key": "order 7"})
    assert [ask(client, headers=replayed).status_code for _ in range(9)] == [200] * 9
    assert [ask(client, None, bearer("key-1")).status_code for _ in range(6)] == [400] * 5 + [429]


def test_a_key_that_is_taken_out_meanwhile_is_refused_and_no_fault(
    client: TestClient, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file changes after each look at it."""
    looks = iter(range(100))

    def signature(_: Keys) -> tuple[int, ...]:
        file.write_text(f'[other]\nsha256 = "{digest("key-9")}"\n')
        return (next(looks),)

    known = Keys(file)
    assert known.find("key-1") is not None
    monkeypatch.setattr(Keys, "_signature", signature)
    assert client.get("/v1/styles", headers=bearer("key-1")).status_code == 401
    assert client.get("/v1/styles", headers=bearer("key-9")).status_code == 200


def test_a_file_of_keys_that_may_not_be_looked_at_leaves_things_as_they_were(
    client: TestClient, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    file.write_text("[three]\n")
    monkeypatch.setattr(Path, "is_file", denied)
    assert client.get("/v1/styles", headers=bearer("key-1")).status_code == 200


@pytest.mark.parametrize("wrong", ["x = " + "[" * 5000, "x = " + "9" * 5000])
def test_toml_beyond_all_measure_is_a_line_too(file: Path, wrong: str) -> None:
    file.write_text(wrong)
    with pytest.raises(InputError, match="expected TOML"):
        Keys(file)
