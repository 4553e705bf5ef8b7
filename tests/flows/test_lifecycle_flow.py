"""The lifecycle from end to end, with stand-ins for the trainings and the models: what is wired to what."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fittingroom import __version__
from fittingroom.datasets import PICTURES
from fittingroom.errors import FittingroomError, MissingInputError, SettingError
from fittingroom.images import write_png
from fittingroom.registry.registry import Registry
from fittingroom.workspace import Workspace
from flows.lifecycle import lifecycle
from flows.parameters import RetrainParameters
from flows.retrain_styles import retrain_styles
from tasks.callbacks import stages, trainings
from tasks.photo_names import with_names
from tests.flows.fakes import GOOD, JOBS, LISTED, METRICS, packshot, parameters_for, report_text, write_catalog

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.mark.usefixtures("fakes")
def test_from_catalog_and_photos_to_pictures_and_a_report_then_all_of_it_cached(tmp_path: Path, dataset: Path) -> None:
    METRICS["dull"] = {**GOOD, "ciede2000_median": 60.0}
    parameters = parameters_for(tmp_path, dataset, ["navy", "dull", "diverges"])
    told: list[str] = []
    heard: set[str] = set()
    with (
        trainings.watching(lambda name, _: heard.add(name)),
        stages.watching(lambda name, ended: told.append(name) if ended else None),
    ):
        outcome = lifecycle(parameters)
    assert JOBS[0] == "segmenter"
    assert sorted(JOBS[1:]) == ["diverges", "dull", "navy"], "each once, in the order in which they get their turn"
    assert heard == {"segmenter", "navy", "dull"}
    assert told[0] == "crawl the shop"
    assert told[-1] == "write the report"
    assert sorted(problem.split(":")[0] for problem in outcome["problems"]) == ["style-diverges", "style-dull"]
    assert {name: model["champion"] for name, model in outcome["models"].items()} == {
        "segmenter": True,
        "style-navy": True,
        "style-dull": False,
    }
    place = Workspace(tmp_path / "w")
    pictures = {with_names(place, name): Path(path) for name, path in outcome["files"].items()}
    assert set(pictures) == {"contact-sheet.png", "report.html", "person.png in navy"}
    assert all(path.is_file() for path in pictures.values())
    said = report_text(pictures["report.html"])
    for words in (
        "fittingroom run lifecycle --param", "catalog.yaml", __version__, "annotated photos, train", "people-garments",
        "median (CIEDE2000)", "0 is the same colour, 2 is just noticeable; at most 14 passes", "falls short",
        "photo: person.png", "style-diverges: the loss stopped being finite", "waiting and orchestration",
    ):  # fmt: skip
        assert words in said, words
    registry = Registry(Workspace(tmp_path / "w"))
    champion = registry.champion("style-navy")
    assert champion is not None
    assert champion.tags["category"] == "short sleeve top"
    assert json.loads(registry.weights_path(champion).with_name(PICTURES).read_text()) == LISTED
    trained = [json.loads(path.read_text())["result"] for path in (tmp_path / "w" / "cache").glob("train-style-*")]
    facts = [json.loads(result)["value"]["pictures"]["target"] for result in trained]
    assert facts[0]["learnt_from"] == 1
    assert facts[0]["rejected"] == [{"picture": "e.png", "reason": "torn"}]

    JOBS.clear()
    assert lifecycle(parameters)["files"] == outcome["files"]
    assert JOBS == ["diverges"], "only what failed is tried again"

    pictures["person.png in navy"].unlink()
    lifecycle(parameters)
    assert pictures["person.png in navy"].is_file()


@pytest.mark.usefixtures("fakes")
def test_what_is_wrong_is_said_before_any_work(tmp_path: Path, dataset: Path) -> None:
    with pytest.raises(SettingError, match="epochs"):
        lifecycle(parameters_for(tmp_path, dataset, ["navy"], style={"epochs": 0}))
    with pytest.raises(SettingError, match="colour_of_money"):
        lifecycle(parameters_for(tmp_path, dataset, ["navy"], segmenter={"colour_of_money": 1}))
    missing = parameters_for(tmp_path, dataset, ["navy"]).model_copy(update={"persons": [tmp_path / "nobody.jpg"]})
    with pytest.raises(MissingInputError, match=r"nobody\.jpg"):
        lifecycle(missing)
    assert JOBS == []
    assert not (tmp_path / "w" / "crawl").exists()


@pytest.mark.usefixtures("fakes")
def test_pending_styles_are_trained_once_per_content(tmp_path: Path, dataset: Path) -> None:
    lifecycle(parameters_for(tmp_path, dataset, ["navy"]))
    JOBS.clear()

    def retrain(names: list[str]) -> list[str]:
        found = retrain_styles(
            RetrainParameters(workspace=tmp_path / "w", catalog=write_catalog(tmp_path, names), preset="demo")
        )
        return sorted(found)

    report = tmp_path / "w" / "reports" / "retraining" / "report.html"
    assert retrain(["navy"]) == [], "the lifecycle trained it"
    assert "Nothing was pending: the registry has a version of every style of the catalog" in report_text(report)
    assert retrain(["navy", "teal"]) == ["teal"]
    assert JOBS == ["teal"]
    said = report_text(report)
    for words in ("teal is new: there is no version of it yet", "style-teal", "passed, serves", "retrain-styles"):
        assert words in said, words
    assert "style-navy" not in said
    assert retrain(["navy", "teal"]) == []
    METRICS["dull"] = {**GOOD, "ciede2000_median": 60.0}
    assert retrain(["navy", "teal", "dull"]) == ["dull"]
    assert retrain(["navy", "teal", "dull"]) == [], "it did not pass its gate, but the same content would not either"
    assert JOBS == ["teal", "dull"]


@pytest.mark.usefixtures("fakes")
def test_new_pictures_in_a_styles_folder_make_it_pending_once_more(tmp_path: Path, dataset: Path) -> None:
    lifecycle(parameters_for(tmp_path, dataset, ["navy", "teal"]))
    JOBS.clear()
    parameters = RetrainParameters(workspace=tmp_path / "w", catalog=tmp_path / "catalog.yaml", preset="demo")
    (tmp_path / "navy" / "notes.txt").write_text("no picture")
    assert retrain_styles(parameters) == {}
    write_png(tmp_path / "navy" / "new.png", packshot(99))
    assert sorted(retrain_styles(parameters)) == ["navy"]
    report = tmp_path / "w" / "reports" / "retraining" / "report.html"
    assert "navy has changed since version 1" in report_text(report)
    prepared = Workspace(tmp_path / "w").prepared("navy")
    assert len(list(prepared.glob("*.png"))) == 12, "six pictures and their mirrored twins"
    assert retrain_styles(parameters) == {}
    (tmp_path / "navy" / "new.png").rename(tmp_path / "teal" / "new.png")
    assert sorted(retrain_styles(parameters)) == ["teal"], "navy was trained with what it has now"
    assert JOBS == ["navy", "teal"]

    shutil.rmtree(tmp_path / "teal")
    write_png(tmp_path / "navy" / "newer.png", packshot(98))
    with pytest.raises(FittingroomError, match=r"1 of 2 pending styles failed: teal: folder not found: .*sources\[0\]"):
        retrain_styles(parameters)
    assert JOBS[2:] == ["navy"], "a folder that is gone does not keep the others from being trained"
    assert "teal: folder not found" in report_text(report)


@pytest.mark.usefixtures("fakes")
def test_a_retraining_that_is_worse_does_not_serve_and_a_style_that_left_the_catalog_stops_if_asked(
    tmp_path: Path, dataset: Path
) -> None:
    lifecycle(parameters_for(tmp_path, dataset, ["navy", "teal"]))
    registry = Registry(Workspace(tmp_path / "w"))

    def retrain(left_catalog: str = "keep") -> None:
        place, catalog = tmp_path / "w", tmp_path / "catalog.yaml"
        retrain_styles(RetrainParameters(workspace=place, catalog=catalog, preset="demo", left_catalog=left_catalog))

    METRICS["navy"] = {"ciede2000_median": 9.0, "luminance_ssim": 0.7, "leak": 0.0}  # above every floor
    write_png(tmp_path / "navy" / "new.png", packshot(99))
    retrain()
    worse = registry.version("style-navy", 2)
    assert (worse.verdict, registry.champion("style-navy").version) == ("refused", 1)  # type: ignore[union-attr]
    assert "9 is worse than the champion (version 1)'s 4" in worse.verdict_reasons

    write_catalog(tmp_path, ["teal"])
    retrain()
    assert registry.champion("style-navy") is not None
    retrain("retire")
    assert (registry.champion("style-navy"), registry.retired()) == (None, {"style-navy": "catalog"})
    assert registry.champion("style-teal") is not None
    write_catalog(tmp_path, ["navy", "teal"])
    retrain("retire")
    assert registry.champion("style-navy").version == 1  # type: ignore[union-attr]
