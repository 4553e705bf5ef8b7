"""What checks block in a lifecycle and a retraining: that alone, with its reason, until it or the setting changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from fittingroom.errors import FittingroomError
from fittingroom.images import write_png
from fittingroom.registry.registry import Registry
from fittingroom.workspace import Workspace
from flows.lifecycle import lifecycle
from flows.parameters import RetrainParameters
from flows.retrain_styles import retrain_styles
from tests.flows.fakes import GOOD, JOBS, METRICS, packshot, parameters_for, report_text

pytestmark = [pytest.mark.usefixtures("prefect_server", "fakes"), pytest.mark.slow]


def table(flow: str) -> list[dict[str, Any]]:
    """The checks of the last run of a flow, as its artifact shows them."""
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[f"checks-{flow}"]))
        found = client.read_artifacts(artifact_filter=wanted)
    rows: list[dict[str, Any]] = json.loads(str(max(found, key=lambda each: str(each.created)).data))
    return rows


def short(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["of"], row["name"]) for row in rows if row["verdict"] == "blocked"}


def test_a_blocked_style_is_not_trained_the_others_are_and_it_stays_pending_with_its_reason(
    tmp_path: Path, dataset: Path
) -> None:
    METRICS["dull"] = {**GOOD, "ciede2000_median": 60.0}
    parameters = parameters_for(tmp_path, dataset, ["navy", "few", "torn", "dull"])
    for picture in sorted((tmp_path / "few").glob("*.png"))[2:]:
        picture.unlink()
    for picture in (tmp_path / "torn").glob("*.png"):
        picture.write_bytes(b"no picture")
    outcome = lifecycle(parameters)
    assert JOBS == ["segmenter", "navy", "dull"] or JOBS == ["segmenter", "dull", "navy"]
    few = "blocked by catalog_offered: its sources offer 2 pictures; allowed is at least 4; crawl_kept: 2 pictures kept"
    problems = {problem.partition(": ")[0]: problem.partition(": ")[2] for problem in outcome["problems"]}
    assert set(problems) == {"style-few", "style-torn", "style-dull"}
    assert problems["style-few"].startswith(few)
    assert problems["style-torn"] == "blocked by crawl_kept: 0 pictures kept; allowed is at least 4"
    assert len(outcome["failures"]) == 3, "so the run fails, and a command ends with exit code 1"
    assert [name for name in outcome["files"] if name.endswith("in navy")]

    rows = table("lifecycle")
    assert short(rows) == {
        ("few", "catalog_offered"), ("few", "crawl_kept"), ("torn", "crawl_kept"), ("style-dull", "gate"),
    }  # fmt: skip
    warned = {(row["of"], row["name"]) for row in rows if row["verdict"] == "warning"}
    assert warned == {(name, "catalog_licences") for name in ("navy", "few", "torn", "dull")}
    assert {row["stage"] for row in rows if row["of"] in ("navy", "style-navy", "garments")} == {
        "catalog", "crawl", "cut-outs", "annotations", "training set", "model gate",
    }  # fmt: skip
    assert [row["verdict"] for row in rows][:4] == ["blocked"] * 4, "what falls short stands first"
    said = report_text(tmp_path / "w" / "reports" / "report.html")
    for words in (
        "Checks between the stages",
        "2 pictures kept; allowed is at least 4",
        "checks passed",
        f"style-few: {few}",
    ):
        assert words in said, words

    def retrain(**checks: Any) -> list[str]:
        JOBS.clear()
        place, catalog = tmp_path / "w", tmp_path / "catalog.yaml"
        return sorted(
            retrain_styles(
                RetrainParameters(
                    workspace=place, catalog=catalog, styles=["few", "navy"], preset="demo", checks=checks
                )
            )
        )

    with pytest.raises(FittingroomError, match=f"1 of 1 pending styles failed: few: {few}"):
        retrain()
    assert JOBS == []
    assert short(table("retrain-styles")) == {("few", "catalog_offered"), ("few", "crawl_kept")}
    said = report_text(tmp_path / "w" / "reports" / "retraining" / "report.html")
    assert "few is new: there is no version of it yet; blocked last time by catalog_offered" in said
    assert retrain(crawl_kept=2, warning=["catalog_offered"]) == ["few"], "the setting changed"
    assert JOBS == ["few"]
    assert retrain() == []


def test_a_blocked_data_set_is_not_learnt_from_and_what_serves_goes_on(tmp_path: Path, dataset: Path) -> None:
    mine = shutil.copytree(dataset, tmp_path / "df2")
    parameters = parameters_for(tmp_path, mine, ["navy"])
    assert lifecycle(parameters)["problems"] == []
    place = Workspace(tmp_path / "w")
    worn = sorted(path.name for path in place.prepared("people-garments").glob("*.png"))
    photos = json.loads((place.dataset("garments") / "selection.json").read_text())
    files, damaged = sorted((mine / "annos").glob("*.json")), 0
    for file in files[:6]:
        said = json.loads(file.read_text())
        for item in (said[name] for name in said if name.startswith("item")):
            item["category_id"] = 99
            damaged += 1
        file.write_text(json.dumps(said))
    share = f"{damaged / len(files):.3f}"
    write_png(tmp_path / "navy" / "new.png", packshot(99))
    JOBS.clear()
    for _ in range(2):  # what is blocked is nothing to compare with
        outcome = lifecycle(parameters)
        assert JOBS == []
        reason = f"garments is blocked by annotation_findings: category mismatch: {share} a photo, 0.000 before"
        assert [problem[:7] for problem in outcome["problems"]] == ["segment", "style-n"]
        assert all(reason in problem for problem in outcome["problems"])
        assert [name for name in outcome["files"] if name.endswith("in navy")], "version 1 serves on"
    assert sorted(path.name for path in place.prepared("people-garments").glob("*.png")) == worn
    assert Registry(place).champion("style-navy").version == 1  # type: ignore[union-attr]
    assert short(table("lifecycle")) == {("garments", "annotation_findings")}

    shutil.rmtree(mine)
    shutil.copytree(dataset, mine)
    first, second = photos["train"][0], photos["validation"][0]
    shutil.copy(mine / "image" / first, mine / "image" / second)
    learnt, held_out = (mine / "annos" / Path(name).with_suffix(".json") for name in (first, second))
    pair = json.loads(held_out.read_text())["pair_id"]  # what the split goes by does not tell that they are one
    held_out.write_text(json.dumps(json.loads(learnt.read_text()) | {"pair_id": pair}))
    outcome = lifecycle(parameters)
    assert JOBS == []
    leak = f"training_leak: 1 of 4 validation photos learnt from: {second} is nearly {first}"
    assert [leak in problem for problem in outcome["problems"]] == [True, True]
    lenient = parameters.model_copy(update={"checks": {"warning": ["training_leak"]}})
    assert lifecycle(lenient)["problems"] == []
    assert sorted(JOBS) == ["navy", "segmenter"]
