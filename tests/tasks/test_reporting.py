"""What a report is told: times that add up, and the command that would start the run again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fittingroom.registry.figures import explain
from fittingroom.workspace import Workspace
from flows.parameters import RetrainParameters
from tasks.caching import CachedResult, Summary
from tasks.clock import Clock
from tasks.crawling import EXAMPLES, some_of_each
from tasks.reporting import command_of, counts_in_words, rejected_rows, stages_of


def record(seconds: float) -> CachedResult:
    return CachedResult(value={}, outputs={}, seconds=seconds)


def test_times_add_up_to_the_wall_clock_and_overlapping_work_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock = Clock()
    with clock.stage("crawl"):
        now[0] += 5
    now[0] += 1
    with clock.stage("train"):
        now[0] += 60
    stages = stages_of(
        clock,
        {"crawl": {"crawl": [record(2), record(2.5)]}, "train": {"train a": [record(58)], "train b": [record(50)]}},
    )
    assert [(stage["name"], stage["seconds"]) for stage in stages] == [
        ("crawl", 5),
        ("train", 60),
        ("waiting and orchestration", 1),
    ]
    assert sum(stage["seconds"] for stage in stages) == clock.elapsed() == 66
    assert stages[0]["detail"] == "crawl 4.5 s in 2 tasks"
    assert stages[1]["detail"] == (
        "train a 58 s, train b 50 s; more than the stage took: at once, or done in an earlier run"
    )


def test_the_command_names_what_differs_from_the_defaults(tmp_path: Path) -> None:
    parameters = RetrainParameters(
        catalog=tmp_path / "my catalog.yaml", styles=["navy", "red"], preset="cpu", settings={"epochs": 2}
    )
    assert command_of("retrain-styles", parameters) == (
        f"fittingroom run retrain-styles --param 'catalog={tmp_path}/my catalog.yaml' "
        """--param 'styles=["navy", "red"]' --param preset=cpu --param 'settings={"epochs": 2}'"""
    )


def test_figures_say_what_is_good_and_what_passes() -> None:
    found = explain("segmenter", {"box_ap": 0.4, "mask_ap50": 0.78, "largest_iou": 0.5, "odd_one": 1.0}, "standard")
    assert [figure.metric for figure in found] == ["mask_ap50", "largest_iou", "box_ap", "odd_one"]
    assert found[0].good() == "1 is perfect; at least 0.5 passes"
    assert [figure.held for figure in found] == [True, False, None, None]
    assert (found[3].name, found[3].good()) == ("odd one", "")
    style = {figure.metric: figure for figure in explain("style-red", {"leak": 0.2, "kid_inception": 0.1}, "demo")}
    assert style["leak"].good() == "0 is none, 1 is all; at most 0.05 passes"
    assert style["leak"].held is False
    assert style["kid_inception"].held is None


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"kept": 2_000_000, "refused": 3, "refused: blurred": 2}, "2,000,000 kept, 3 refused (2 blurred)"),
        ({"kept": 14, "refused: too small": 1, "refused: blurred": 2}, "14 kept, 3 refused (1 too small, 2 blurred)"),
        ({"skipped": 1, "skipped: limit": 1, "kept": 4}, "1 skipped (1 limit), 4 kept"),
        ({"failed: failed": 2}, "2 failed"),
        ({}, ""),
    ],
)
def test_counts_are_whole_numbers_and_a_reasons_count_is_part_of_its_status(counts: dict[str, int], words: str) -> None:
    assert counts_in_words(counts) == words


def test_a_report_counts_all_that_was_refused_and_shows_examples(tmp_path: Path) -> None:
    rows = [{"status": "refused", "reason": "blurred", "picture": f"{n}.jpg", "detail": ""} for n in range(3000)]
    examples = some_of_each([*rows, {"status": "failed", "reason": "failed", "picture": "x.jpg", "detail": ""}])
    assert len(examples) == EXAMPLES + 1
    counts = {"kept": 7, "refused": 3000, "refused: blurred": 3000, "failed": 1}
    summary = Summary({"counts": counts, "rejected": examples}, 1.0, "d")
    found = rejected_rows(Workspace(tmp_path), {"crawl navy": [summary]})
    assert [(row.reason, row.count) for row in found] == [("blurred", 3000), ("failed", 1)]
