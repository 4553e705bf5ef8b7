"""Why a step ran: what differs from the nearest earlier one, said in the log and to who watches."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from fittingroom.shards import Shard, plan_shards
from fittingroom.workspace import Workspace, digest_value
from tasks.caching import Content, ContentKey, StepResult, result_storage, step
from tasks.callbacks import steps
from tasks.explaining import MEMORY, Call, remember, what_differs, why_not_done


def call(step: str = "train-style", version: int = 1, **arguments: Any) -> Call:
    """A training as its key sees it."""
    return Call.of(step, version, {"name": "navy", "settings": {"epochs": 4, "lr": 0.1, "mode": "a"}, **arguments})


def shard(*names: str) -> Shard:
    return Shard(0, 2, names, digest_value(names))


def why(place: Workspace, now: Call, *before: Call) -> str:
    for number, one in enumerate(before):
        remember(place, (f"key{number}", one))
    return why_not_done(place, "now", now)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({}, {"settings": {"epochs": 10, "lr": 0.1, "mode": "a"}}, "settings.epochs changed (4 -> 10)"),
        ({}, {"settings": {"epochs": 4, "lr": 0.1, "mode": "b"}}, "settings.mode changed"),
        ({}, {"settings": {"epochs": 4, "lr": 0.1}}, "settings.mode is no longer given"),
        ({}, {"seed": 1}, "seed is new"),
        ({"target": Content("/a", "d1")}, {"target": Content("/b", "d2")}, "the style's pictures changed"),
        ({"source": [Content("/a", "1")]}, {"source": [Content("/a", "2")]}, "1 folder of other garments changed"),
        (
            {"source": [Content("/a", "1")]},
            {"source": [Content("/a", "1"), Content("/b", "2")]},
            "1 new folder of other garments",
        ),
        ({"at": Content("/a", "d", True)}, {"at": Content("/b", "d", True)}, "at.path changed"),
        ({"version": 1}, {"version": 2}, "its code is version 2, was 1"),
        ({"shard": shard("a", "b")}, {"shard": shard("a", "b", "c")}, "1 new picture"),
        ({"shard": shard("a", "b", "c")}, {"shard": shard("a", "d", "e")}, "2 new pictures, 2 pictures gone"),
        ({"shard": Shard(0, 1, ("a",), "x")}, {"shard": Shard(0, 1, ("a",), "y")}, "shard changed"),
        ({"shard": shard("a", "b")}, {"shard": shard("c", "d")}, "not done before"),
        ({"persons": [Content("/a", "1")]}, {"persons": [Content("/a", "1"), Content("/b", "2")]}, "1 new photo"),
        ({"name": "red"}, {}, "not done before"),
        ({"step": "prepare"}, {}, "not done before"),
    ],
)
def test_what_differs_is_named(tmp_path: Path, before: dict[str, Any], now: dict[str, Any], said: str) -> None:
    assert why(Workspace(tmp_path), call(**now), call(**before)) == said


def test_two_calls_are_compared_by_their_keys(tmp_path: Path) -> None:
    place, earlier = Workspace(tmp_path), {"entry": {"colour": "red", "sources": ["a"]}, "pictures": ["1", "2"]}
    now = {"entry": {"colour": "blue", "sources": ["a", "b"]}, "pictures": ["2", "3", "4"]}
    for key, content in (("old", earlier), ("new", now)):
        remember(place, (key, Call.of("style content", 1, {"name": "navy", **content})))
    words = "colour changed, 1 new source, 2 new pictures, 1 picture gone"
    assert what_differs(place, "style content", {"navy": ("old", "new")}) == {"navy": words}
    assert what_differs(place, "style content", {"navy": ("older", "new")}) == {}, "one that nobody remembers"


def test_many_are_remembered_and_compared_at_once(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    steps = {
        (name, key): Call.of("style content", 1, {"name": name, "pictures": pictures})
        for name, key, pictures in (
            ("navy", "a", ["1"]),
            ("navy", "b", ["1", "2"]),
            ("red", "a", []),
            ("red", "b", ["3", "4"]),
        )
    }
    remember(place, *((key, one) for (_, key), one in steps.items()))
    with sqlite3.connect(place.cache / MEMORY) as memory:
        memory.execute("INSERT INTO steps VALUES ('style content', 'corrupt', 'a', 1, '{', 0)")
    pairs = dict.fromkeys(("navy", "red", "corrupt", "green"), ("a", "b"))
    said = what_differs(place, "style content", pairs)
    assert said == {"navy": "1 new picture", "red": "2 new pictures"}, (
        "one that is corrupt or unknown costs its own words"
    )


def test_the_nearest_earlier_one_is_compared_whichever_was_last(tmp_path: Path) -> None:
    near = call(shard=shard("a", "b", "c"), seed=1)
    far = call(shard=shard("a", "x", "y"), seed=2)
    assert why(Workspace(tmp_path), call(shard=shard("a", "b", "c", "d"), seed=1), near, far) == "1 new picture"


def test_many_differences_are_not_all_named(tmp_path: Path) -> None:
    now = call(settings=dict.fromkeys("abcdefgh", 1))
    assert why(Workspace(tmp_path), now, call()).endswith("and 7 more")


def test_no_name_and_no_text_is_remembered(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    persons = [Content("/home/ann/wedding.jpg", "d" * 64)]
    given: dict[str, Any] = {
        "persons": persons,
        "names": ["wedding.jpg"],
        "key": "secret-word",
        "shard": shard("ann.jpg"),
    }
    remember(place, ("k", call(**given)))
    kept = (place.cache / MEMORY).read_bytes()
    assert not [word for word in (b"wedding", b"ann", b"secret-word") if word in kept]


def test_a_memory_that_is_spoilt_costs_words_only(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    place.cache.mkdir(parents=True)
    (place.cache / MEMORY).write_bytes(b"no database" * 1000)
    assert why(place, call(), call()) == "not known to be done"


def test_only_so_many_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks import explaining

    monkeypatch.setattr(explaining, "KEPT", 3)
    place = Workspace(tmp_path)
    for number in range(5):
        remember(place, (f"key{number}", call(seed=number)))
    with sqlite3.connect(place.cache / MEMORY) as memory:
        assert sorted(row[0] for row in memory.execute("SELECT key FROM steps")) == ["key2", "key3", "key4"]


@step("paint", version=1, run_name="paint {name}, shard {shard.label}", cache_expiration=None)
def paint(workspace: str, name: str, shard: Shard, settings: dict[str, Any]) -> StepResult:  # noqa: ARG001
    """A step for these tests."""
    path = Path(workspace) / "out" / f"{shard.index}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(" ".join(shard.names))
    return StepResult({"name": name}, [path])


@flow
def paint_all(root: str, digests: dict[str, str], coats: int) -> None:
    """All shards, one after another."""
    with result_storage(Workspace(Path(root))):
        for part in plan_shards(digests, 4):
            paint(root, "navy", part, {"coats": coats})


@pytest.mark.usefixtures("prefect_server")
def test_each_step_says_why_it_ran_or_that_it_was_done(tmp_path: Path) -> None:
    files = {f"{number}.png": digest_value(number) for number in range(8)}
    key = ContentKey(step="paint", version=1)

    def told(coats: int = 1) -> list[str]:
        said: list[str] = []
        with steps.watching(lambda name, why: said.append(f"{name}: {why}" if why else name)):
            paint_all(str(tmp_path), files, coats)
        return said

    assert told() == ["paint navy, shard 1 of 2: not done before", "paint navy, shard 2 of 2: not done before"]
    assert told() == ["paint navy, shard 1 of 2", "paint navy, shard 2 of 2"]
    (tmp_path / "out" / "1.txt").unlink()
    assert told()[1] == "paint navy, shard 2 of 2: out/1.txt is gone or changed"
    assert told(2)[0] == "paint navy, shard 1 of 2: settings.coats changed (1 -> 2)"
    shards = plan_shards(files, 4)
    del files[shards[0].names[0]]
    assert told(2) == ["paint navy, shard 1 of 2: 1 picture gone", "paint navy, shard 2 of 2"]
    shards = plan_shards(files, 4)
    record = tmp_path / "cache" / key.key({"name": "navy", "shard": shards[0], "settings": {"coats": 2}})
    kept = json.loads(record.read_text())
    kept["metadata"]["expiration"] = "2020-01-02T00:00:00Z"
    record.write_text(json.dumps(kept))
    os.utime(record, (1577836800, 1577836800))  # a day before
    assert told(2)[0] == "paint navy, shard 1 of 2: older than 24 h"
