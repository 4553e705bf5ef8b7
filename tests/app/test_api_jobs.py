"""Try-ons that are answered later, or more than once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from fittingroom.app import create_app
from fittingroom.app.api import jobs as jobs_module
from fittingroom.app.api.jobs import Job, Jobs
from fittingroom.app.codes import CODES, Problem
from fittingroom.app.room import Answer, Picture
from fittingroom.app.service import MAX_WAITING, Told
from fittingroom.errors import NoGarmentFound, StorageUnavailable
from tests.app.programs import PHOTO, ask, refused, text
from tests.app.stand_ins import Models, encoded

LATER = {"Prefer": "respond-async"}


@pytest.fixture
def models() -> Iterator[Models]:
    models = Models()
    models.hold = threading.Event()
    yield models
    models.hold.set()


@pytest.fixture
def client(models: Models, tmp_path: Path, decoders: None) -> Iterator[TestClient]:  # noqa: ARG001
    app = create_app(tmp_path, models, allowed_hosts=["testserver"])
    with TestClient(app, raise_server_exceptions=False, client=("127.0.0.1", 1)) as client:
        yield client
        assert models.hold
        models.hold.set()


def until(client: TestClient, address: str, **wanted: Any) -> dict[str, Any]:
    """A job's status, once it is as wanted."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status: dict[str, Any] = client.get(address).json()
        if all(status[name] == value for name, value in wanted.items()):
            return status
        time.sleep(0.02)
    raise AssertionError(status)


def let_go(models: Models) -> None:
    assert models.hold
    models.hold.set()


def test_a_job_from_its_place_in_the_line_to_its_result(client: TestClient, models: Models) -> None:
    begun = [ask(client, headers=LATER | {"X-Request-ID": "r0"})]
    until(client, begun[0].headers["location"], step="finding")
    begun += [ask(client, headers=LATER | {"X-Request-ID": f"r{n}"}) for n in (1, 2, 3)]
    for answer in begun:
        assert answer.status_code == 202
        assert answer.headers["preference-applied"] == "respond-async"
        assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    places = [answer.headers["location"] for answer in begun]
    assert len({len(place) for place in places}) == 1
    assert len(set(places)) == 4
    assert until(client, places[0], status="working", step="finding")["place"] is None
    last = until(client, places[3], status="waiting", place=2)
    assert (last["step"], last["result_url"], last["expires_at"], last["request_id"]) == (None, None, None, "r3")
    refused(client.get(f"{places[3]}/result"), "not_finished")
    let_go(models)
    done = until(client, places[3], status="done")
    lives = datetime.fromisoformat(done["expires_at"]) - datetime.fromisoformat(done["created_at"])
    assert lives >= timedelta(seconds=jobs_module.KEEP_SECONDS)
    result = client.get(done["result_url"])
    assert result.json()["request_id"] == "r3"
    at_once = ask(client).json()
    assert {**result.json(), "request_id": ""} == {**at_once, "request_id": ""}
    image = client.get(done["result_url"], headers={"accept": "image/png"})
    assert text(image.content) == at_once["image"]["base64"]
    assert image.headers["fittingroom-models"] == "segmenter: version 1; style red-solid: version 2"
    assert "retry-after" not in client.get(places[3]).headers


def test_a_job_that_is_deleted_is_ended_and_forgotten(client: TestClient, models: Models) -> None:
    first = ask(client, headers=LATER).headers["location"]
    until(client, first, step="finding")
    second, waits = (ask(client, headers=LATER).headers["location"] for _ in range(2))
    until(client, second, step="next")
    for place in (waits, second, first):
        answer = client.delete(place)
        assert (answer.status_code, answer.content) == (204, b"")
        for gone in (client.get(place), client.get(f"{place}/result"), client.delete(place)):
            refused(gone, "unknown_job")
    let_go(models)
    assert ask(client).status_code == 200
    assert len(models.asked) == 3, "what waited in the line was not begun"


def test_a_job_that_fails_says_why(client: TestClient, models: Models) -> None:
    let_go(models)
    models.finds = False
    place = ask(client, headers=LATER | {"X-Request-ID": "mine"}).headers["location"]
    status = until(client, place, status="failed")
    assert (status["result_url"], status["step"]) == (None, None)
    assert (status["problem"]["code"], status["problem"]["request_id"]) == ("no_garment", "mine")
    refused(client.get(f"{place}/result"), "no_garment")
    korean = client.get(place, headers={"accept-language": "ko"}).json()
    assert korean["problem"]["detail"].startswith("사진에서")
    refused(ask(client, style="none", headers=LATER), "unknown_style")


def test_an_unforeseen_error_is_logged_once(
    client: TestClient, models: Models, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go(models)
    monkeypatch.setattr(models, "translate", None)
    place = ask(client, headers=LATER | {"X-Request-ID": "mine"}).headers["location"]
    assert until(client, place, status="failed")["problem"]["code"] == "internal"
    refused(client.get(f"{place}/result"), "internal")
    assert caplog.messages == ["request mine: a try-on failed"]


@pytest.mark.parametrize("sent", ["respond-async", "wait=5, respond-async; x=1", "Respond-Async"])
def test_the_preference_is_understood(client: TestClient, sent: str) -> None:
    assert ask(client, headers={"Prefer": sent}).status_code == 202


def test_other_preferences_are_none(client: TestClient, models: Models) -> None:
    let_go(models)
    assert ask(client, headers={"Prefer": "respond-asynchronously, wait=5"}).status_code == 200


def test_another_clients_job_is_unknown(client: TestClient, models: Models) -> None:
    let_go(models)
    place = ask(client, headers=LATER).headers["location"]
    until(client, place, status="done")
    other = TestClient(client.app, raise_server_exceptions=False, client=("127.0.0.9", 1))
    for answer in (other.get(place), other.get(f"{place}/result"), other.delete(place)):
        refused(answer, "unknown_job")
    assert client.get(place).status_code == 200


def test_where_the_line_is_full_a_job_is_refused_at_once(client: TestClient) -> None:
    answers = [ask(client, headers=LATER) for _ in range(MAX_WAITING + 3)]
    assert [answer.status_code for answer in answers] == [202] * (MAX_WAITING + 2) + [503]
    refused(answers[-1], "busy")


def test_the_same_request_again_has_the_same_answer(client: TestClient, models: Models) -> None:
    let_go(models)
    key = {"Idempotency-Key": "order 7"}
    first = ask(client, headers=key)
    assert first.status_code == 200
    again = ask(client, headers=key)
    as_json = client.post("/v1/try-on", json={"photo": text(PHOTO), "style": "red-solid"}, headers=key)
    assert first.json() == again.json() == as_json.json(), "the request's id is the first one's"
    assert models.asked == ["red-solid"]
    image = ask(client, headers=key | {"accept": "image/png"})
    assert text(image.content) == first.json()["image"]["base64"]
    later = ask(client, headers=key | LATER)
    assert (later.status_code, later.json()["status"]) == (202, "done")
    assert models.asked == ["red-solid"]
    assert ask(client, headers={"Idempotency-Key": "order 8"}).json()["request_id"] != first.json()["request_id"]


def test_another_request_under_the_same_key_is_refused(client: TestClient, models: Models) -> None:
    let_go(models)
    key = {"Idempotency-Key": "7"}
    assert ask(client, headers=key).status_code == 200
    refused(ask(client, encoded()[:-1] + b"x", headers=key), "idempotency_mismatch")
    refused(ask(client, headers=key, garment="upper"), "idempotency_mismatch")
    other = TestClient(client.app, client=("127.0.0.9", 1))
    assert ask(other, headers=key, garment="upper").status_code == 200, "keys are each client's own"


def test_requests_at_once_under_one_key_are_one_try_on(client: TestClient, models: Models) -> None:
    key = {"Idempotency-Key": "7"}
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(ask, client, headers=key) for _ in range(3)]
        time.sleep(0.5)
        let_go(models)
        answers = [each.result(30).json() for each in asked]
    assert answers[0] == answers[1] == answers[2]
    assert models.asked == ["red-solid"]


def test_what_failed_here_is_tried_again_and_what_was_wrong_is_not(client: TestClient, models: Models) -> None:
    let_go(models)
    key = {"Idempotency-Key": "7"}
    models.segmenter = _away  # type: ignore[method-assign]
    refused(ask(client, headers=key), "unavailable")
    del models.segmenter
    assert ask(client, headers=key).status_code == 200
    models.finds = False
    refused(ask(client, headers={"Idempotency-Key": "8"}), "no_garment")
    models.finds = True
    refused(ask(client, headers={"Idempotency-Key": "8"}), "no_garment")


def _away() -> Models:
    raise StorageUnavailable("away")


@pytest.mark.parametrize("sent", ["", "x" * 201, "a\tb", "é"])
def test_keys_that_are_none(client: TestClient, sent: str) -> None:
    response = client.post("/v1/try-on", headers=[(b"idempotency-key", sent.encode())], files={"photo": PHOTO})
    assert refused(response, "invalid_request")["field"] == "Idempotency-Key"


def test_who_waits_for_a_job_that_is_deleted_is_told(client: TestClient) -> None:
    key = {"Idempotency-Key": "7"}
    place = ask(client, headers=key | LATER).headers["location"]
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(ask, client, headers=key)
        time.sleep(0.5)
        assert client.delete(place).status_code == 204
        refused(waiting.result(30), "cancelled")


# The store by itself.


def answer(size: int) -> Answer:
    nothing = Picture("image/png", bytes(size))
    words: Any = {"en": "", "ko": ""}
    return Answer(nothing, nothing, "", words, words, "", True, {}, [], None, 0, [], (1, 1), None)


def job(owner: str, size: int = 1) -> Job:
    return Job(owner, "request", size)


def test_few_enough_are_kept_and_the_greediest_loses_its_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "MOST", 4)
    monkeypatch.setattr(jobs_module, "MOST_OF_ONE", 3)

    async def made(_: Told) -> Answer:
        return answer(10)

    async def scene() -> list[list[str]]:
        jobs, seen = Jobs(), []
        for owner in ("a", "a", "a", "a", "b", "c"):
            await jobs.start(job(owner), made)
            await asyncio.sleep(0)
            seen.append([each.owner for each in jobs])
        return seen

    seen = asyncio.run(scene())
    assert seen == [["a"], ["a"] * 2, ["a"] * 3, ["a"] * 3, [*"aaab"], [*"aabc"]]


def test_bytes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "MOST_BYTES", 100)
    may = threading.Event()

    async def made(_: Told) -> Answer:
        while not may.is_set():
            await asyncio.sleep(0)
        return answer(60)

    async def scene() -> tuple[list[str], int, bool]:
        jobs = Jobs()
        one, two = await jobs.start(job("a", 50), made), await jobs.start(job("b", 50), made)
        with pytest.raises(Problem) as full:
            await jobs.start(job("c", 1), made)
        may.set()
        await asyncio.gather(one.result(), two.result())
        await asyncio.sleep(0.01)
        return [each.owner for each in jobs], full.value.status_code, one.answer is not None

    left, status, had_answer = asyncio.run(scene())
    assert (left, status, had_answer) == (["b"], 503, True), "results of 60 bytes are more than 100 together"


def test_one_owner_alone_is_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "MOST_OF_ONE", 2)

    async def never(_: Told) -> Answer:
        await asyncio.sleep(60)
        return answer(1)

    async def scene() -> Problem:
        jobs = Jobs()
        begun = [await jobs.start(job("a"), never) for _ in range(2)]
        with pytest.raises(Problem) as full:
            await jobs.start(job("a"), never)
        await jobs.start(job("b"), never)
        jobs.close()
        with pytest.raises(Problem) as ended:
            await begun[0].result()
        assert ended.value.code == "cancelled"
        assert list(jobs) == []
        return full.value

    assert asyncio.run(scene()).code == "too_many_at_once"


def test_results_are_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "KEEP_SECONDS", 0.05)

    async def made(_: Told) -> Answer:
        return answer(1)

    async def fails(_: Told) -> Answer:
        raise NoGarmentFound("none")

    async def scene() -> tuple[int, int, dict[Any, Any]]:
        jobs = Jobs()
        await jobs.start(job("a"), made, ("key", "digest"))
        await jobs.start(job("a"), fails)
        await asyncio.sleep(0.01)
        before = len(list(jobs))
        await asyncio.sleep(0.2)
        return before, len(list(jobs)), jobs._by_key

    assert asyncio.run(scene()) == (2, 0, {})


def test_a_line_that_is_full_leaves_no_job() -> None:
    async def refuses(_: Told) -> Answer:
        raise HTTPException(503)

    async def scene() -> list[Job]:
        jobs = Jobs()
        with pytest.raises(HTTPException):
            await jobs.start(job("a"), refuses, ("key", "digest"))
        assert jobs._by_key == {}
        return list(jobs)

    assert asyncio.run(scene()) == []
    assert CODES["busy"].status == 503


def test_who_is_refused_takes_nothing_from_those_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "MOST", 3)
    monkeypatch.setattr(jobs_module, "MOST_OF_ONE", 2)

    async def made(_: Told) -> Answer:
        return answer(10)

    async def refuses(_: Told) -> Answer:
        raise HTTPException(503)

    async def scene() -> list[Job]:
        jobs = Jobs()
        kept = [await jobs.start(job(owner), made) for owner in "aab"]
        for owner in "abc":
            with pytest.raises(HTTPException):
                await jobs.start(job(owner), refuses)
        assert list(jobs) == kept
        await jobs.start(job("a"), made)
        return [each for each in kept if each not in jobs]

    assert [each.owner for each in asyncio.run(scene())] == ["a"]
