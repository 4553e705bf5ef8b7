"""The flows that run by themselves: batches of try-ons, clean-up, and the second try of a crashed run."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import torch
from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.states import Completed, Crashed

from fittingroom.appearance.choose import AvailableStyle
from fittingroom.domain import MARK
from fittingroom.errors import Damaged, InputError, MissingInputError, NothingNear
from fittingroom.images import encode_png, read_rgb, write_png
from fittingroom.manifest import Manifest
from fittingroom.registry.registry import SEGMENTER, Registry, style_model
from fittingroom.registry.starters import StarterModels
from fittingroom.training.weights import save_weights
from fittingroom.tryon.provenance import read_mark
from fittingroom.tryon.verify import verify
from fittingroom.workspace import Workspace, digest_file
from flows.clean_up import clean_up
from flows.parameters import (
    CleanUpParameters,
    RetrainParameters,
    RunAgainParameters,
    TryOnBatchParameters,
    TryOnParameters,
)
from flows.retrain_styles import retrain_styles
from flows.run_again import run_again
from flows.try_on import try_on
from flows.try_on_batch import try_on_batch
from tasks.caching import Content
from tasks.photo_names import photo_id, with_names
from tasks.rerunning import MOST_TRIES
from tests.tryon.stand_ins import Dyer, Finder, Painter

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace in which a segmenter and two styles serve."""
    import fittingroom.segmentation.predict
    import fittingroom.translation.predict

    monkeypatch.setattr(fittingroom.segmentation.predict.Segmenter, "load", staticmethod(lambda *_, **__: Finder()))
    monkeypatch.setattr(fittingroom.translation.predict.Translator, "load", staticmethod(lambda *_, **__: Painter()))
    place = Workspace(tmp_path / "w")
    registry = Registry(place)
    for number, model in enumerate((SEGMENTER, style_model("navy"), style_model("red"))):
        weights = tmp_path / f"{model}.safetensors"
        save_weights(weights, "any", {"w": torch.full((1,), float(number))}, {}, {})
        registry.promote(model, registry.register(model, weights, {}, {"data": model}, {}).version)
    return place


def photo(path: Path, shade: int) -> Path:
    picture = np.full((80, 70, 3), shade, np.uint8)
    picture[20:60, 20:50] = shade // 2  # where the stand-in finds a garment
    write_png(path, picture)
    return path


def run_batch(place: Workspace, **parameters: Any) -> dict[str, Any]:
    return try_on_batch(TryOnBatchParameters(workspace=place.root, shard_size=2, **parameters))


def test_every_photo_gets_every_style_and_the_manifest_says_so(serving: Workspace) -> None:
    assert run_batch(serving) == {}, "no folder yet: nothing to do, and no error"
    for number, shade in enumerate((0, 60, 90, 120, 150)):
        photo(serving.persons / f"{number}.png", shade)
    run_batch(serving)
    manifest = Manifest.read(serving.tryon / "batch.jsonl")
    assert manifest.counts() == {"kept": 8, "refused": 2, "refused: no_garment": 2}
    assert {row.key for row in manifest.rows} == {f"persons/{n}.png#{s}" for n in range(5) for s in ("navy", "red")}
    for row in manifest.kept():
        photo_file, style = row.key.split("#")
        assert verify(serving.tryon / row.path, serving.root / photo_file).verified
        mark = read_mark(serving.tryon / row.path)
        assert mark is not None
        assert mark.style == style
        models = rf"segmenter: version 1, sha256 [0-9a-f]{{64}}; style {style}: version 1, sha256 [0-9a-f]{{64}}"
        assert re.fullmatch(models, mark.models)

    pictures = {path: path.stat().st_mtime_ns for path in serving.tryon.rglob("*.png")}
    photo(serving.persons / "new.png", 200)
    run_batch(serving, styles=["red"], name="red-only")
    assert len(Manifest.read(serving.tryon / "red-only.jsonl").kept()) == 5
    assert {path: path.stat().st_mtime_ns for path in pictures} == pictures, "only the new photo is worked on"


def test_a_style_that_does_not_serve_is_refused(serving: Workspace) -> None:
    photo(serving.persons / "a.png", 90)
    with pytest.raises(MissingInputError, match=r"style not found: teal \(there is navy, red\)"):
        run_batch(serving, styles=["teal"])
    with pytest.raises(MissingInputError, match=r"style not found: teal \(there is navy, red\)"):
        try_on(TryOnParameters(workspace=serving.root, persons=[serving.persons / "a.png"], styles=["teal"]))


def test_a_style_that_lost_its_weights_keeps_no_other_from_being_tried_on(
    serving: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry(serving)
    red = registry.champion("style-red")
    assert red is not None
    path = registry.weights_path(red)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    person = photo(tmp_path / "a.png", 90)
    found = try_on(TryOnParameters(workspace=serving.root, persons=[person]))
    assert list(found) == ["navy"]
    said = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert any(text.startswith(f"left out: {path}: damaged: expected SHA-256") for text in said)
    with pytest.raises(Damaged, match="red version 1"):
        try_on(TryOnParameters(workspace=serving.root, persons=[person], styles=["red"]))


def test_a_style_pictures_own_colours_make_results_of_their_own(
    serving: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fittingroom.translation.predict

    monkeypatch.setattr(fittingroom.translation.predict.Translator, "load", staticmethod(lambda *_, **__: Dyer()))
    weights, registry = tmp_path / "plain.safetensors", Registry(serving)
    save_weights(weights, "any", {"w": torch.zeros(1)}, {}, {})
    tags = AvailableStyle("plain", "red", "solid", "", (43.0, 60.0, 38.0)).to_tags()
    made = registry.register(style_model("plain"), weights, {}, {"data": "plain"}, {"skip": "palette"}, tags)
    registry.promote(style_model("plain"), made.version)
    person, green = photo(tmp_path / "a.png", 120), tmp_path / "green.png"
    write_png(green, np.full((200, 160, 3), (47, 107, 58), np.uint8))

    found = try_on(TryOnParameters(workspace=serving.root, persons=[person], styles=[str(green), "plain"]))
    assert sorted(found) == ["plain", "plain-in-2f6b3a"]
    (row,), (own,) = (found[name]["value"]["rows"] for name in ("plain-in-2f6b3a", "plain"))
    assert [dye["ciede2000"] for dye in row["colour"]] == [0.0]
    assert "#2f6b3a came out as #2f6b3a" in row["message"]
    assert "colour" not in own
    assert [read_rgb(serving.root / one["translated"])[16, 16].tolist() for one in (row, own)] == [
        [47, 107, 58],
        [200, 30, 40],
    ]

    named = try_on(TryOnParameters(workspace=serving.root, persons=[person], styles=["plain"], colours=["white"]))
    assert list(named) == ["plain-in-ffffff"]
    house = TryOnParameters(workspace=serving.root, persons=[person], styles=[str(green)], house_colours=True)
    assert try_on(house)["plain"]["value"]["rows"][0]["colour"][0]["ciede2000"] > 20


def test_a_pattern_that_no_style_has_fails_the_run_unless_the_nearest_is_wanted(
    serving: Workspace, tmp_path: Path
) -> None:
    photo(serving.persons / "a.png", 90)
    green = tmp_path / "green.png"
    write_png(green, np.full((200, 160, 3), (47, 107, 58), np.uint8))
    said = r"green\.png: no style is green solid; the nearest is \w+; nothing was painted"
    with pytest.raises(NothingNear, match=said):
        run_batch(serving, styles=[str(green)])
    assert "manifest" in run_batch(serving, styles=[str(green)], nearest=True)


def test_colours_that_are_none_are_refused_before_a_run(tmp_path: Path) -> None:
    asked = {"workspace": tmp_path, "persons": [photo(tmp_path / "a.png", 90)]}
    TryOnParameters(**asked, colours=["#2f6b3a", "white"]).check()
    with pytest.raises(InputError, match="colour: expected #rrggbb"):
        TryOnParameters(**asked, colours=["whitish"]).check()
    with pytest.raises(InputError, match="colour and house colours"):
        TryOnParameters(**asked, colours=["white"], house_colours=True).check()


def test_in_an_empty_workspace_the_starters_serve_the_flows(serving: Workspace, tmp_path: Path) -> None:
    assert serving  # models stand in; the registry of this workspace is empty
    place = Workspace(tmp_path / "fresh")
    photo(place.persons / "a.png", 90)
    names = [style.name for style in StarterModels().styles()]
    assert list(try_on(TryOnParameters(workspace=place.root, persons=[place.persons]))) == names
    run_batch(place)
    assert {row.key for row in Manifest.read(place.tryon / "batch.jsonl").rows} == {
        f"persons/a.png#{name}" for name in names
    }
    with pytest.raises(MissingInputError, match=r"style not found: red \(there is .*navy-solid .*, red-solid "):
        run_batch(place, styles=["red"])
    assert not place.registry.exists()


def test_models_that_know_drawings_alone_are_told_of_in_log_and_result(
    serving: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = Registry(serving)
    weights = tmp_path / "drawn.safetensors"
    save_weights(weights, "any", {"w": torch.ones(1)}, {}, {})
    tags = {"domain": "rendered"}
    registry.promote("style-navy", registry.register("style-navy", weights, {}, {"d": "2"}, {}, tags).version)
    real, drawn = photo(tmp_path / "real.png", 90), tmp_path / "drawn.png"
    picture = np.full((80, 70, 3), 120, np.uint8)
    picture[20:60, 20:50] = 40  # where the stand-in finds a garment
    drawn.write_bytes(encode_png(picture, comment=MARK))
    found = try_on(TryOnParameters(workspace=serving.root, persons=[real, drawn], styles=["navy", "red"]))
    words = "the style navy has seen drawings of the sample world only, and this is a photo"
    warnings = {
        (style, row["person"]): row["warning"]
        for style, record in found.items()
        for row in record["value"]["rows"]
        if "warning" in row
    }
    known_as = photo_id(Content(str(real), digest_file(real)))
    assert list(warnings) == [("navy", known_as)]
    assert with_names(serving, known_as) == "real.png"
    assert warnings["navy", known_as].startswith(words)
    assert any(f"{known_as}: {words}" in record.message for record in caplog.records if record.levelname == "WARNING")
    caplog.clear()
    try_on(TryOnParameters(workspace=serving.root, persons=[drawn], styles=["navy"]))
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_with_nothing_to_do_a_scheduled_run_is_completed_and_says_so(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    (place.root / "empty").mkdir(parents=True)
    runs = {
        "no photos in": try_on_batch(TryOnBatchParameters(workspace=place.root), return_state=True),
        "no photos in ": try_on_batch(
            TryOnBatchParameters(workspace=place.root, persons=place.root / "empty"), return_state=True
        ),
        "there is no catalog at": retrain_styles(
            RetrainParameters(workspace=place.root, catalog=place.root / "catalog.yaml"), return_state=True
        ),
        "nothing is older than 365 days": clean_up(
            CleanUpParameters(workspace=place.root, days=365), return_state=True
        ),
    }
    for why, state in runs.items():
        assert state.is_completed()
        assert state.message
        assert state.message.startswith(f"nothing to do: {why}")
        assert not any(state.result().values())


def test_old_pictures_and_artifacts_go_when_their_time_has_come(tmp_path: Path) -> None:
    @flow
    def show() -> UUID:
        found = create_markdown_artifact("a person's picture", key="retention-test")
        assert isinstance(found, UUID)
        return found

    shown = show()
    place = Workspace(tmp_path / "w")
    old, young = photo(place.tryon / "old-0123456789" / "red.png", 1), photo(place.tryon / "new" / "red.png", 1)
    left = photo(place.prepared("red") / ".a.png.12345678.tmp", 1)  # as a killed writer leaves it
    for path in (old, left):
        os.utime(path, (time.time() - 31 * 86_400,) * 2)

    def kept() -> set[UUID]:
        with get_client(sync_client=True) as client:
            ours = ArtifactFilter(key=ArtifactFilterKey(any_=["retention-test"]))
            return {artifact.id for artifact in client.read_artifacts(artifact_filter=ours)}

    would = clean_up(CleanUpParameters(workspace=place.root, only_say=True))
    assert (would["pictures"], would["leftovers"]) == (1, 1)
    assert old.exists()
    assert left.exists()
    did = clean_up(CleanUpParameters(workspace=place.root))
    assert (did["pictures"], did["leftovers"]) == (1, 1)
    assert not old.exists()
    assert not left.exists()
    assert young.exists()
    assert shown in kept(), "younger than 30 days"
    time.sleep(0.1)
    said = clean_up(CleanUpParameters(workspace=place.root, days=1e-6))
    assert said["artifacts"] >= 1
    assert shown not in kept()


@pytest.fixture
def crashed() -> UUID:
    """A run of a deployment that crashed."""

    @flow(name="falls-over")
    def falls_over(parameters: dict[str, Any]) -> None:
        """Never run here."""

    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(falls_over), "falls-over")
        run = client.create_flow_run_from_deployment(deployment, parameters={"style": "navy"}, tags=["ours"])
        client.set_flow_run_state(run.id, Crashed(), force=True)
        return run.id


def test_a_crashed_run_is_started_again_once_for_each_crash_and_not_for_ever(tmp_path: Path, crashed: UUID) -> None:
    def ask(run: UUID) -> dict[str, Any]:
        return dict(run_again(RunAgainParameters(workspace=tmp_path, run=run)))

    first, second = ask(crashed), ask(crashed)
    assert first["run"] == second["run"], "asked twice, started once"
    with get_client(sync_client=True) as client:
        started = client.read_flow_run(UUID(first["run"]))
        assert started.parameters == {"style": "navy"}
        assert set(started.tags) == {"ours", "try-2"}
        for number in range(3, MOST_TRIES + 1):
            client.set_flow_run_state(started.id, Crashed(), force=True)
            started = client.read_flow_run(UUID(ask(started.id)["run"]))
            assert set(started.tags) == {"ours", f"try-{number}"}
        client.set_flow_run_state(started.id, Crashed(), force=True)
        assert ask(started.id) == {"run": None, "reason": f"{started.name} is not run again: it crashed 5 times"}
        assert MOST_TRIES == 5
        client.set_flow_run_state(crashed, Completed(), force=True)
        name = client.read_flow_run(crashed).name
        assert ask(crashed) == {"run": None, "reason": f"{name} is not run again: it did not crash"}
