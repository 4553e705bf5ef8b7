"""What makes a style pending: its own content, never another style's, nor a place; and the reason is said."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fittingroom.images import write_png
from fittingroom.registry.registry import Registry
from fittingroom.sample.deepfashion2_set import render_deepfashion2_set
from fittingroom.workspace import Workspace
from flows.lifecycle import lifecycle
from flows.retrain_styles import retrain_styles
from tasks.callbacks import steps
from tests.flows.fakes import JOBS, packshot, parameters_for, report_text, write_catalog

pytestmark = [pytest.mark.usefixtures("prefect_server", "fakes"), pytest.mark.slow]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the runs' loggers say."""
    logger = logging.getLogger("prefect.flow_runs")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def live(root: Path, dataset: Path, names: list[str], **changes: object) -> tuple[list[str], dict[str, str]]:
    """Run the lifecycle of these styles: what was trained, sorted (trainings wait for their turn in any order), and why
    each cached step ran."""
    JOBS.clear()
    why: dict[str, str] = {}
    with steps.watching(why.__setitem__):
        outcome = lifecycle(parameters_for(root, dataset, names, **changes))
    assert outcome["problems"] == []
    return sorted(JOBS), why


def retrain(root: Path, catalog: Path) -> list[str]:
    JOBS.clear()
    retrain_styles(workspace=root / "w", catalog=catalog, preset="demo")
    return sorted(JOBS)


def test_a_style_more_has_the_others_trained_anew_only_if_they_learn_from_it(tmp_path: Path, dataset: Path) -> None:
    assert live(tmp_path, dataset, ["navy", "teal"])[0] == ["navy", "segmenter", "teal"]
    trained, why = live(tmp_path, dataset, ["navy", "teal", "rose"])
    assert trained == ["rose"]
    assert (why["train style navy"], why["train style rose"]) == ("", "not done before")
    assert live(tmp_path, dataset, ["navy", "teal", "rose"], domain_a="all-others")[0] == ["navy", "rose", "teal"]
    trained, why = live(tmp_path, dataset, ["navy", "teal", "rose", "sand"], domain_a="all-others")
    assert trained == ["navy", "rose", "sand", "teal"]
    assert why["train style navy"] == "1 new folder of other garments"


def test_where_people_give_too_few_garments_the_other_styles_are_learnt_from_and_it_is_said(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    few = render_deepfashion2_set(tmp_path / "df2", 6, 0, height=172, width=128)
    assert live(tmp_path, few, ["navy", "teal"])[0] == ["navy", "segmenter", "teal"]
    assert re.search(r"garments people wear: [0-3] kept, \d refused \(\d under 64 pixels\)", said.text)
    assert re.search(
        r"navy learns to change the garments of people-garments, teal: of people's there are [0-3], and", said.text
    )
    assert live(tmp_path, few, ["navy", "teal", "rose"])[0] == ["navy", "rose", "teal"]


def test_photos_that_were_asked_for_and_are_not_there_are_said(
    tmp_path: Path, dataset: Path, said: pytest.LogCaptureFixture
) -> None:
    words = "12 pictures match where 350 were asked for: 10 to train on (asked 296), 2 to validate on (asked 54)"
    parameters = parameters_for(tmp_path, dataset, ["navy"]).model_copy(update={"train": 296, "validation": 54})
    for _ in range(2):  # the second time out of the cache
        said.clear()
        outcome = lifecycle(parameters)
        assert outcome["remarks"] == [f"{dataset}: {words}"]
        assert outcome["problems"] == []
        assert words in said.text
    assert "; 296 were asked for" in report_text(tmp_path / "w" / "reports" / "report.html")


def test_a_catalog_that_moved_with_its_pictures_has_nothing_pending(
    tmp_path: Path, dataset: Path, said: pytest.LogCaptureFixture
) -> None:
    live(tmp_path, dataset, ["navy", "teal"])
    prepared = Workspace(tmp_path / "w").prepared("navy")
    before = {path.name: path.stat().st_mtime_ns for path in prepared.glob("*.png")}
    elsewhere = tmp_path / "elsewhere" / "lists" / "catalog.yaml"
    elsewhere.parent.mkdir(parents=True)
    for name in ("navy", "teal"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    words = (tmp_path / "catalog.yaml").read_text()
    elsewhere.write_text(words.replace("path: ", "path: ../"))

    assert retrain(tmp_path, elsewhere) == []
    assert "nothing to do: every style of the catalog was trained with the content it has now" in said.text
    JOBS.clear()
    moved = parameters_for(tmp_path, dataset, ["navy", "teal"]).model_copy(update={"catalog": elsewhere})
    shutil.rmtree(tmp_path / "navy")  # which the line above has written again
    shutil.rmtree(tmp_path / "teal")
    assert lifecycle(moved)["problems"] == []
    assert JOBS == []
    assert {path.name: path.stat().st_mtime_ns for path in prepared.glob("*.png")} == before
    assert len(Registry(Workspace(tmp_path / "w")).versions("style-navy")) == 1


def test_a_picture_more_and_another_name_in_the_catalog_are_told_apart(
    tmp_path: Path, dataset: Path, said: pytest.LogCaptureFixture
) -> None:
    live(tmp_path, dataset, ["navy", "teal"])
    catalog = tmp_path / "catalog.yaml"
    (tmp_path / "navy" / "0.png").rename(tmp_path / "navy" / "renamed.png")
    assert retrain(tmp_path, catalog) == [], "a name is no content"

    write_png(tmp_path / "navy" / "new.png", packshot(99))
    assert retrain(tmp_path, catalog) == ["navy"]
    assert "navy has changed since version 1: 1 new picture" in said.text
    (tmp_path / "navy" / "new.png").unlink()
    write_png(tmp_path / "navy" / "other.png", np.ascontiguousarray(packshot(98)[::-1]))
    catalog.write_text(catalog.read_text().replace("colour: blue", "colour: navy", 1))
    assert retrain(tmp_path, catalog) == ["navy"]
    assert "navy has changed since version 2: colour changed, 1 new picture, 1 picture gone" in said.text
    write_catalog(tmp_path, ["navy", "teal", "rose"])
    catalog.write_text(catalog.read_text().replace("colour: blue", "colour: navy", 1))
    assert retrain(tmp_path, catalog) == ["rose"]
    assert "rose is new: there is no version of it yet" in said.text


def test_a_picture_that_changed_and_kept_its_name_is_taken_anew(tmp_path: Path, dataset: Path) -> None:
    live(tmp_path, dataset, ["navy"])
    prepared = Workspace(tmp_path / "w").prepared("navy")
    before = {path.name for path in prepared.glob("*.png")}
    write_png(tmp_path / "navy" / "0.png", packshot(99))
    assert retrain(tmp_path, tmp_path / "catalog.yaml") == ["navy"]
    after = {path.name for path in prepared.glob("*.png")}
    assert (len(after), len(before - after), len(after - before)) == (10, 2, 2)


def test_a_limit_that_was_asked_for_is_said_in_log_record_and_report(
    tmp_path: Path, dataset: Path, said: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("prefect.task_runs")
    logger.addHandler(said.handler)
    live(tmp_path, dataset, ["navy"], max_images=4)
    words = "5 offered: 4 kept, 1 skipped (1 limit)"
    assert f"navy: {words}" in said.text
    assert "navy: offered 5, 1 of them not taken: at most 4 pictures of a source are taken (max_images)" in said.text
    report = report_text(tmp_path / "w" / "reports" / "report.html")
    assert f"of {words}" in report
    assert "limit: the source gave more than the settings allow" in report
    said.clear()
    live(tmp_path, dataset, ["navy"])
    assert "navy: 5 offered: 5 kept" in said.text
    assert "not taken" not in said.text
    logger.removeHandler(said.handler)
    write_png(tmp_path / "navy" / "new.png", packshot(99))
    retrain_styles(workspace=tmp_path / "w", catalog=tmp_path / "catalog.yaml", preset="demo", max_images=4)
    report = report_text(tmp_path / "w" / "reports" / "retraining" / "report.html")
    assert "of 6 offered: 4 kept, 2 skipped (2 limit)" in report


def test_a_picture_more_in_a_lifecycle_trains_its_style_and_says_why(tmp_path: Path, dataset: Path) -> None:
    live(tmp_path, dataset, ["navy", "teal"])
    write_png(tmp_path / "navy" / "new.png", packshot(99))
    trained, why = live(tmp_path, dataset, ["navy", "teal"])
    assert trained == ["navy"]
    assert why["train style navy"] == "the style's pictures changed"
    assert why["train style teal"] == ""
