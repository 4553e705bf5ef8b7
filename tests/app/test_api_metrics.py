"""What is told of the server: figures for Prometheus, and logs as JSON lines."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from fittingroom.api_keys import Keys, new_key
from fittingroom.app import create_app
from fittingroom.app.logs import log_as_json
from tests.app.programs import ask, refused
from tests.app.stand_ins import Models


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def client(models: Models, tmp_path: Path, decoders: None) -> Iterator[TestClient]:  # noqa: ARG001
    app = create_app(tmp_path, models, allowed_hosts=["testserver"])
    with TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 1)) as client:
        yield client


def figures(client: TestClient) -> dict[tuple[str, ...], float]:
    """By name and labels' values."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_steps_results_refusals_and_models(client: TestClient, models: Models) -> None:
    for _ in range(2):
        assert ask(client).status_code == 200
    refused(ask(client, None), "no_photo")
    models.finds = False
    refused(ask(client), "no_garment")
    job = ask(client, headers={"Prefer": "respond-async", "Idempotency-Key": "1"}).headers["location"]
    refused(ask(client, headers={"Idempotency-Key": "1"}), "no_garment")
    assert client.post("/try-on", data={"style": "red-solid"}).status_code == 400, "the page's are counted, too"
    told = figures(client)
    steps = {
        name: told["fittingroom_step_seconds_count", name] for name in ("waiting", "looking", "finding", "painting")
    }
    assert steps == {"waiting": 4, "looking": 4, "finding": 4, "painting": 2}
    assert 0 < told["fittingroom_step_seconds_sum", "looking"] < 60
    assert told["fittingroom_try_ons_total", "red-solid"] == 2
    counted = {key[1]: value for key, value in told.items() if key[0] == "fittingroom_refusals_total"}
    assert counted == {"no_photo": 2, "no_garment": 3}
    assert told["fittingroom_waiting",] == 0
    assert (told["fittingroom_jobs",], told["fittingroom_jobs_bytes",]) == (1, 0)
    assert client.delete(job).status_code == 204
    told = figures(client)
    assert told["fittingroom_jobs",] == 0
    assert told["fittingroom_registry_answers",] == 1
    assert {key[1:] for key in told if key[0] == "fittingroom_model"} == {
        ("style navy-striped", "3"), ("style red-solid", "starter"), ("segmenter", "version 1"),
    }  # fmt: skip


def test_a_registry_that_is_away_is_a_figure(client: TestClient, models: Models) -> None:
    models.broken = True
    models.versions = models.styles  # type: ignore[method-assign,assignment]
    told = figures(client)
    assert told["fittingroom_registry_answers",] == 0
    assert not [key for key in told if key[0] == "fittingroom_model"]


def test_figures_are_for_this_machine_or_for_a_key(client: TestClient, tmp_path: Path) -> None:
    elsewhere = TestClient(client.app, raise_server_exceptions=False, client=("203.0.113.9", 1))
    refused(elsewhere.get("/metrics"), "closed")
    refused(client.post("/metrics"), "method_not_allowed")
    key, table = new_key("prometheus")
    (tmp_path / "keys.toml").write_text(table)
    app = create_app(tmp_path, Models(), keys=Keys(tmp_path / "keys.toml"))
    with_key = TestClient(app, raise_server_exceptions=False)
    refused(with_key.get("/metrics"), "no_key")
    assert with_key.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 200


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What `log_as_json` has written; afterwards logging is as it was."""
    loggers = [logging.getLogger(name) for name in ("", "fittingroom.app", "uvicorn")]
    before = [(each.handlers, each.propagate, each.level) for each in loggers]
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log_as_json()
    yield stream
    for each, (handlers, propagate, level) in zip(loggers, before, strict=True):
        each.handlers, each.propagate = handlers, propagate
        each.setLevel(level)


def test_logs_as_json(client: TestClient, models: Models, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(client, headers={"X-Request-ID": "shop-1", "Prefer": "respond-async"})
    location = ask(client, headers={"Prefer": "respond-async"}).headers["location"]
    client.get(location)
    models.broken = True
    client.get("/v1/styles", headers={"X-Request-ID": "shop-2"})
    models.broken = False
    monkeypatch.setattr(models, "translate", None)
    ask(client, headers={"X-Request-ID": "shop-3", "Idempotency-Key": "1"})
    logging.getLogger("uvicorn.error").warning("two\nlines")
    logging.getLogger("python_multipart.multipart").warning("a library's")
    said: list[dict[str, Any]] = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert all(each.pop("time").endswith("+00:00") for each in said)
    answered = [each for each in said if each["message"] == "answered"]
    assert [(each["method"], each["path"], each["status"]) for each in answered] == [
        ("POST", "/v1/try-on", 202), ("POST", "/v1/try-on", 202), ("GET", "/v1/jobs/*", 200),
        ("GET", "/v1/styles", 503), ("POST", "/v1/try-on", 500),
    ]  # fmt: skip
    assert answered[0]["request_id"] == "shop-1"
    assert answered[0]["seconds"] >= 0
    others = {each["request_id"]: each for each in said if each["message"] != "answered" and "request_id" in each}
    assert others["shop-2"]["message"].startswith("request shop-2: registry sqlite:")
    assert others["shop-2"]["level"] == "error"
    assert "NoneType" in others["shop-3"]["exception"]
    assert said[-2:] == [
        {"level": "warning", "logger": "uvicorn.error", "message": "two\nlines"},
        {"level": "warning", "logger": "python_multipart.multipart", "message": "a library's"},
    ]
    assert "me.png" not in lines.getvalue()
    assert "127.0.0.1" not in lines.getvalue()
    assert location.rpartition("/")[2] not in lines.getvalue()


def test_the_names_of_keys_are_logged(tmp_path: Path, lines: io.StringIO) -> None:
    key, table = new_key("shop-a")
    (tmp_path / "keys.toml").write_text(table)
    client = TestClient(create_app(tmp_path, Models(), keys=Keys(tmp_path / "keys.toml")))
    client.get("/v1/styles", headers={"Authorization": f"Bearer {key}"})
    client.get("/v1/styles")
    said = [json.loads(line) for line in lines.getvalue().splitlines() if "answered" in line]
    assert [(each["status"], each.get("key")) for each in said] == [(200, "key shop-a"), (401, None)]
    assert key not in lines.getvalue()
