"""What earlier runs saw: a small file that holds little, and that no damage makes a run fail by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fittingroom.checks import observations
from fittingroom.checks.borders import TrainingSet, number_in
from fittingroom.checks.observations import KEPT, Observations


def put(path: Path, content: str, share: float, what: str = "crawl_refused") -> None:
    seen = Observations(path)
    seen.put(what, "navy", content, {"share": share})
    seen.save()


def test_a_run_compares_with_the_content_before_it_however_often_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "checks.jsonl"
    assert Observations(path).before("crawl_refused", "navy", "a") is None
    put(path, "a", 0.1)
    assert Observations(path).before("crawl_refused", "navy", "a") is None, "the same content is no earlier one"
    for _ in range(3):
        put(path, "b", 0.2)
        assert Observations(path).before("crawl_refused", "navy", "b") == {"share": 0.1}
    assert Observations(path).before("crawl_refused", "navy", "c") == {"share": 0.2}
    assert Observations(path).of("crawl_refused", "navy", "a") == {"share": 0.1}
    assert Observations(path).before("crawl_refused", "teal", "c") is None
    put(path, "a", 0.1)
    assert Observations(path).before("crawl_refused", "navy", "c") == {"share": 0.1}, "what was seen last"


def test_few_rows_are_kept_of_each_thing_and_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checks.jsonl"
    for number in range(9):
        put(path, str(number), number / 10)
    assert len(path.read_text().splitlines()) == KEPT
    monkeypatch.setattr(observations, "MOST", 5)
    for number in range(9):
        put(path, "x", 0.5, what=f"thing-{number}")
    rows = [json.loads(line)["what"] for line in path.read_text().splitlines()]
    assert rows == [f"thing-{number}" for number in range(4, 9)], "the newest"


@pytest.mark.parametrize(
    "damage", ["", "{", '[1]\n"x"\n', "\x00" * 99, '{"what": 3, "of": "navy", "content": "", "value": {}}']
)
def test_a_damaged_file_costs_what_it_held_and_nothing_else(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "checks.jsonl"
    put(path, "a", 0.1)
    whole = path.read_text()
    path.write_text(damage)
    assert Observations(path).before("crawl_refused", "navy", "b") is None
    path.write_text(whole + damage)
    assert Observations(path).before("crawl_refused", "navy", "b") == {"share": 0.1}
    put(path, "b", 0.3)
    assert Observations(path).before("crawl_refused", "navy", "c") == {"share": 0.3}
    assert all(json.loads(line) for line in path.read_text().splitlines()), "written whole again"


def test_what_another_run_wrote_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "checks.jsonl"
    ours, theirs = Observations(path), Observations(path)
    theirs.put("crawl_refused", "teal", "a", {"share": 0.4})
    theirs.save()
    ours.put("crawl_refused", "navy", "a", {"share": 0.1})
    ours.put("blocked", "navy", "", {"why": "x"})
    ours.forget("blocked", "navy")
    ours.save()
    seen = Observations(path)
    assert seen.of("crawl_refused", "teal", "a") == {"share": 0.4}
    assert seen.of("crawl_refused", "navy", "a") == {"share": 0.1}
    assert seen.of("blocked", "navy", "") is None


def test_nothing_new_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "checks.jsonl"
    put(path, "a", 0.1)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    put(path, "a", 0.1)
    seen = Observations(path)
    seen.forget("blocked", "navy")
    seen.save()
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


@pytest.mark.parametrize("value", [None, {}, {"share": "x"}, {"share": None}, {"share": float("nan")}, {"share": -1}])
def test_a_number_that_is_none_counts_as_not_there(value: dict[str, object] | None) -> None:
    assert number_in(value, "share") is None


@pytest.mark.parametrize(
    "value",
    [None, {}, {"leaks": "x", "examples": [], "garments": {}}, {"leaks": 1, "examples": [["a"]], "garments": {}}],
)
def test_a_training_set_that_cannot_be_read_is_looked_at_again(value: dict[str, object] | None) -> None:
    assert TrainingSet.remembered(value) is None
    whole = TrainingSet(1, [["a.jpg", "b.jpg"]], {"1": 3})
    assert TrainingSet.remembered(json.loads(json.dumps(whole._asdict()))) == whole
