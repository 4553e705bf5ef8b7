"""Lineage on a tiny world with real trainings: down from a model, up from a picture, and a picture taken out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import numpy as np
import pytest
import torch

from fittingroom.catalog import load_catalog
from fittingroom.cli import run
from fittingroom.crawl import CrawlSettings, crawl_style, fetch, style_content
from fittingroom.crawl.candidates import Candidate
from fittingroom.crawl.withdrawn import Withdrawals
from fittingroom.cutout import CutoutSettings, cut_out_files
from fittingroom.datasets import PICTURES
from fittingroom.images import encode_png, list_images
from fittingroom.lineage.pictures import Pictures
from fittingroom.lineage.trace import MODEL_CARD, card_of
from fittingroom.manifest import Manifest
from fittingroom.preparing.square import prepare_files
from fittingroom.registry.admission import Trained
from fittingroom.registry.registry import SEGMENTER, Registry, style_model
from fittingroom.registry.serving import Serving
from fittingroom.registry.starters import FOLDER, StarterModels
from fittingroom.registry.tracking import tracked
from fittingroom.segmentation.settings import SegmenterSettings
from fittingroom.segmentation.train import train_segmenter
from fittingroom.settings import get_settings
from fittingroom.style_card import StyleCard
from fittingroom.train_and_admit import admit_style, pictures_digest, style_digests
from fittingroom.translation.settings import StyleSettings
from fittingroom.translation.train import train_style
from fittingroom.tryon.provenance import MadeBy, write_mark
from fittingroom.workspace import Workspace, digest_file
from tests.live.live_world import STYLE, TINY_SEGMENTER, TINY_STYLE, World, build_world, write_dataset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SETTINGS = TINY_STYLE | {"epochs": 2, "steps_per_epoch": 100, "sample_steps": 50}
MODEL = style_model(STYLE)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two styles crawled and prepared, one trained; it and a segmenter serve."""
    world = build_world(tmp_path_factory.mktemp("lineage"))
    place, styles = world.workspace, load_catalog(world.catalog).styles
    for style in styles:
        crawl_style(style, place.crawl(style.name), CrawlSettings())
        cut_out_files(list_images(place.crawl(style.name)), place.cutouts(style.name), CutoutSettings(method="plain"))
        prepare_files(list_images(place.cutouts(style.name)), place.prepared(style.name))
    style = next(style for style in styles if style.name == STYLE)
    train(world, style.card(style_content(style, digest_file).digest))
    train_a_segmenter(world)
    return world


def train_a_segmenter(world: World) -> None:
    """Train a segmenter on a handful of photos, and let it serve without a trial next to the starter."""
    settings, folder = SegmenterSettings(**TINY_SEGMENTER), world.workspace.training(SEGMENTER)
    trained = train_segmenter(write_dataset(world.root / "dataset"), folder, settings, device="cpu")
    registry, files = Registry(world.workspace), {PICTURES: folder / PICTURES}
    registry.register(SEGMENTER, trained.weights, trained.metrics, {}, settings.to_json(), files=files)
    registry.promote(SEGMENTER, 1, "for a test")


def train(world: World, card: StyleCard) -> None:
    """Train the style on the other's garments, register it, and let it serve whatever its gate says."""
    torch.set_num_threads(1)
    place, settings = world.workspace, StyleSettings(**SETTINGS)
    source, target, folder = place.prepared("blue-solid"), place.prepared(STYLE), place.training(MODEL)
    digests = style_digests(card, [pictures_digest(source)], pictures_digest(target))
    with tracked(MODEL, folder, settings.to_json(), Registry(place)) as curves:
        done = train_style(STYLE, [source], target, folder, settings, curves, device="cpu")
    made = Trained(done.weights, done.metrics, "demo", digests, settings.to_json())
    admit_style(place, folder, card, [source], target, made, "cpu", force=True)


@pytest.fixture
def world(trained: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A copy of it, which the command line works in."""
    copy = trained.copy(tmp_path)
    shutil.copyfile(copy.catalog, copy.workspace.catalog)
    text = copy.workspace.catalog.read_text().replace("captured/", f"{copy.root}/captured/")
    copy.workspace.catalog.write_text(text)
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(copy.workspace.root))
    monkeypatch.setenv("COLUMNS", "400")
    get_settings.cache_clear()
    yield copy
    get_settings.cache_clear()


@dataclass(frozen=True)
class Planted:
    """One crawled picture of the style, and everything that was made of it."""

    address: str
    crawled: Path
    cutout: Path
    prepared: Path
    twin: Path

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [self.crawled, self.cutout, self.prepared, self.twin]


def planted(place: Workspace, number: int = 0) -> Planted:
    """The ``number``-th kept picture of the style."""
    row = Manifest.read(place.crawl(STYLE) / "manifest.jsonl").kept()[number]
    cutout = place.cutouts(STYLE) / f"{row.sha256[:32]}.png"
    name = digest_file(cutout)[:32]
    folder = place.prepared(STYLE)
    return Planted(row.key, place.crawl(STYLE) / row.path, cutout, folder / f"{name}.png", folder / f"{name}_flip.png")


def asked(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """What a command says with ``--json``."""
    assert run([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """What it says to a person."""
    assert run(list(words)) == code
    return capsys.readouterr().out


def test_a_model_leads_to_every_address_and_back(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    place, version = world.workspace, Registry(world.workspace).versions(MODEL)[0]
    told = said(capsys, "trace", STYLE)
    flat = " ".join(told.split())
    assert f"style {STYLE}, version 1 (serves), weights sha256 {version.weights_sha256[:12]}" in flat
    assert f"MLflow run {version.tags['training_run']}, registered by {version.run_id}" in flat
    assert "code: fittingroom 0.2.0, style training 4" in flat
    assert "learnt the style from 8 pictures and 8 mirrored twins" in flat
    assert "cut out of 8 crawled pictures" in flat
    assert "8 addresses at " in flat
    assert "(no licence stated, fetched 20" in flat
    assert "learnt what to change from 8 pictures and 8 mirrored twins" in flat
    assert f"catalog: {STYLE}: short sleeve top, crimson, solid; 1 folder source" in flat
    assert "segmenter, version 1 (serves)" in flat
    assert "learnt from 12 annotated photos" in flat
    assert "judged on 3 annotated photos held out" in flat
    everything = said(capsys, "trace", MODEL, "--all")
    for number in range(8):
        one = planted(place, number)
        assert one.prepared.name in everything
        assert f"cut-out {digest_file(one.cutout)[:12]} of picture {digest_file(one.crawled)[:12]}" in everything
    assert "segmenter" not in everything
    only = said(capsys, "trace", f"{SEGMENTER}@1")
    assert STYLE not in only
    assert run(["trace", f"{STYLE}@7"]) == 2
    assert "there are 1" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [60, 120])
def test_the_tree_keeps_to_the_terminal(
    columns: int, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.catalog.is_file()
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = said(capsys, "trace", STYLE).splitlines()
    assert max(map(len, lines)) <= columns
    assert len(lines) < 60
    assert sum("──" in line for line in lines) > 12


def test_a_picture_is_found_through_all_that_was_made_of_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    one = planted(world.workspace)
    ways = [one.address, *map(str, one.files), digest_file(one.crawled), digest_file(one.twin), one.prepared.stem]
    found = [asked(capsys, "trace", "--uses", way) for way in ways]
    for document in found:
        assert document["pictures"] == [digest_file(one.crawled)]
        assert [row["address"] for row in document["addresses"]] == [one.address]
        (version,) = document["versions"]
        assert (version["model"], version["version"], version["serves"], version["held_out"]) == (MODEL, 1, True, [])
        assert version["learnt_from"] == [one.prepared.name, one.twin.name]
        assert document["serving_model_learnt"] is True
    assert f"{STYLE} version 1, which serves, learnt from it: {one.prepared.name}" in said(
        capsys, "trace", "--uses", one.address
    )
    assert run(["trace", "--uses", "https://shop.example/none.jpg"]) == 2
    assert "no crawl, cut-out or dataset of this workspace has it" in capsys.readouterr().err


def test_a_photo_that_the_segmenter_was_judged_on_is_told_apart(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = world.root / "dataset" / "photos"
    digests = {path.name: {"image": digest_file(path)} for path in photos.glob("*.png")}
    folder = world.workspace.dataset("garments")
    folder.mkdir(parents=True)
    (folder / "selection.json").write_text(json.dumps({"images_dir": str(photos), "digests": digests}))
    for name, use, other in (("000.png", "learnt_from", "held_out"), ("013.png", "held_out", "learnt_from")):
        (version,) = asked(capsys, "trace", "--uses", str(photos / name))["versions"]
        assert (version["model"], version[use], version[other]) == (SEGMENTER, [digests[name]["image"]], [])
    assert "has it among its held-out pictures" in said(capsys, "trace", "--uses", str(photos / "013.png"))
    assert run(["withdraw", str(photos / "000.png")]) == 2
    assert "it is an annotated photo" in capsys.readouterr().err


def test_a_result_leads_to_its_models_or_says_what_is_lost(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serving = Serving.from_settings(world.workspace)
    models = {one.title: serving.version(one) for one in (serving.segmenter(), serving.style(STYLE))}
    packet = write_mark(MadeBy(f"{STYLE}-in-2f6b3a", models), np.ones((8, 8), bool))
    result = tmp_path / "result.png"
    result.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8), xmp=packet))
    told = " ".join(said(capsys, "trace", str(result)).split())
    assert told.startswith(f"result.png: made by Fittingroom 0.2.0 in style {STYLE}-in-2f6b3a")
    assert f"style {STYLE}, version 1 (serves)" in told
    assert "segmenter, version 1 (serves)" in told
    document = asked(capsys, "trace", str(result))
    last = document["events"][-1]
    assert last["job"]["name"] == "try-on"
    assert last["outputs"][0]["name"] == f"sha256:{digest_file(result)}"
    assert [one["name"] for one in last["inputs"]] == [MODEL, SEGMENTER]

    packet = write_mark(MadeBy(STYLE, {f"style {STYLE}": "version 9, sha256 " + "0" * 64}), np.ones((8, 8), bool))
    result.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8), xmp=packet))
    assert "no model here has its weights" in " ".join(said(capsys, "trace", str(result), code=1).split())
    result.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    assert run(["trace", str(result)]) == 2
    assert "it does not say that AI changed it" in capsys.readouterr().err


BASE = {"eventTime", "producer", "schemaURL"}
PARTS = {"RunEvent": {"eventType", "run", "job", "inputs", "outputs"}, "JobEvent": {"job", "inputs", "outputs"},
         "DatasetEvent": {"dataset"}}  # fmt: skip
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"


def is_open_lineage(event: dict[str, Any]) -> None:
    """What https://openlineage.io/spec/2-0-2/OpenLineage.json asks of an event, and of all in it."""
    kind = event["schemaURL"].removeprefix(SPEC)
    assert set(event) == BASE | PARTS[kind]
    assert event["eventTime"][-6:] == "+00:00"
    assert urlsplit(event["producer"]).scheme
    if kind == "RunEvent":
        assert event["eventType"] == "COMPLETE"
        assert str(UUID(event["run"]["runId"])) == event["run"]["runId"]
        have_facets(event["run"]["facets"])
    if "job" in event:
        assert event["job"]["namespace"]
        assert event["job"]["name"]
        have_facets(event["job"]["facets"])
    datasets = [*event.get("inputs", []), *event.get("outputs", []), *filter(None, [event.get("dataset")])]
    for dataset in datasets:
        assert dataset["namespace"]
        assert dataset["name"]
        assert set(dataset) <= {"namespace", "name", "facets", "inputFacets", "outputFacets"}
        have_facets(dataset["facets"] | dataset.get("inputFacets", {}))


def have_facets(facets: dict[str, Any]) -> None:
    """Each says who made it, and what it is; those that are not the spec's have a prefix."""
    for name, facet in facets.items():
        assert urlsplit(facet["_producer"]).scheme
        own = name.startswith("fittingroom_")
        assert facet["_schemaURL"].startswith("urn:fittingroom:" if own else "https://openlineage.io/spec/facets/")
        assert "#/" in facet["_schemaURL"] or own


def test_json_is_open_lineage(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    document = asked(capsys, "trace", STYLE)
    for event in document["events"]:
        is_open_lineage(event)
    by_job = {event["job"]["name"]: event for event in document["events"] if "job" in event}
    assert set(by_job) == {
        f"{stage}.{style}" for stage in ("crawl", "cut-out", "prepare") for style in (STYLE, "blue-solid")
    } | {f"train.{MODEL}", "train.segmenter", "select-photos"}
    crawl, training = by_job[f"crawl.{STYLE}"], by_job[f"train.{MODEL}"]
    assert {one["name"] for one in crawl["inputs"]} == {planted(world.workspace, n).address for n in range(8)}
    for before, after in (("crawl", "cut-out"), ("cut-out", "prepare")):
        (output,), (given,) = by_job[f"{before}.{STYLE}"]["outputs"], by_job[f"{after}.{STYLE}"]["inputs"]
        assert output == given, "each job's output is the next one's input"
    (prepared,) = by_job[f"prepare.{STYLE}"]["outputs"]
    own = next(one for one in training["inputs"] if one["name"] == prepared["name"])
    listed = own["inputFacets"]["fittingroom_learnt"]["learntFrom"]
    files = {path.name: digest_file(path) for path in world.workspace.prepared(STYLE).glob("*.png")}
    assert {one["name"]: one["sha256"] for one in listed} == files
    (output,) = training["outputs"]
    version = Registry(world.workspace).versions(MODEL)[0]
    assert output["facets"]["version"]["datasetVersion"] == "1"
    assert output["facets"]["fittingroom_weights"]["sha256"] == version.weights_sha256
    assert UUID(training["run"]["runId"]).hex == version.tags["training_run"]


def test_the_model_card_speaks_of_the_data_of_each_starter() -> None:
    told = {path.stem.removeprefix("style-"): card_of(path.stem, MODEL_CARD) for path in FOLDER.glob("*.safetensors")}
    assert told["segmenter"].startswith("735 street photos of Clothing Co-Parsing (")
    assert "53 red and 80 blue garments" in told["red-solid"] == told["navy-solid"]
    assert "101 real striped garments" in told["striped"]
    assert "69 real and 115 rendered checked garments" in told["checked"] == told["dotted"]
    assert all(told.values())


def test_starters_say_so_and_older_versions_say_that_they_do_not_know(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(world.workspace)
    weights = StarterModels().style("red-solid")
    assert weights is not None
    registry.register("style-old", weights, {}, {"target": "t"}, {})
    assert "pictures: not known: it was registered before versions noted" in " ".join(
        said(capsys, "trace", "old").split()
    )
    told = said(capsys, "trace", "--uses", planted(world.workspace).address)
    assert "old version 1 cannot be told: it was registered before" in told
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "empty"))
    get_settings.cache_clear()
    told = " ".join(said(capsys, "trace", "red-solid").split())
    assert "style red-solid: starter model, shipped with the package (serves)" in told
    assert "model card: garments cut out of the same street photos" in told
    assert "735 street photos of Clothing Co-Parsing" in told
    (event, _) = asked(capsys, "trace", "red-solid")["events"]
    is_open_lineage(event)
    assert event["dataset"]["facets"]["documentation"]["description"].startswith("A starter model")


def retrain(world: World) -> dict[str, Any]:
    from flows.retrain_styles import retrain_styles

    return retrain_styles(
        workspace=world.workspace.root, catalog=world.workspace.catalog, styles=[STYLE], preset="demo", device="cpu",
        settings=SETTINGS,
    )  # fmt: skip


@pytest.mark.usefixtures("prefect_server")
def test_a_withdrawn_picture_goes_and_the_next_champion_has_not_learnt_from_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    place, one = world.workspace, planted(world.workspace, 2)
    digest, names = digest_file(one.crawled), [one.prepared.name, one.twin.name]
    why = "the owner asked"
    before = {path: path.stat().st_mtime_ns for path in place.root.rglob("*") if path.is_file()}
    dry = asked(capsys, "withdraw", one.address, "--dry-run")
    assert dry["dry_run"] is True
    assert {place.root / file for file in dry["files_removed"]} >= set(one.files)
    assert {path: path.stat().st_mtime_ns for path in before if path.exists()} == before
    assert not place.withdrawn.exists()

    done = asked(capsys, "withdraw", str(one.twin), "--why", why)
    assert (done["dry_run"], done["pictures"]) == (False, [digest])
    assert done["files_removed"] == dry["files_removed"]
    assert done["files_left"] == [one.address]
    assert done["stopped"] == []
    assert not any(path.exists() for path in one.files)
    assert not (place.reports / f"cutouts-{STYLE}.jpg").exists()
    assert Path(one.address).exists(), "what lies outside the workspace is a person's own"
    for manifest in (place.crawl(STYLE), place.cutouts(STYLE), place.prepared(STYLE)):
        gone = [row for row in Manifest.read(manifest / "manifest.jsonl").rows if row.status == "withdrawn"]
        assert len(gone) == (2 if manifest == place.prepared(STYLE) else 1)
        assert {(row.path, why in row.detail, bool(row.sha256)) for row in gone} == {("", True, True)}
    assert [(gone.sha256, gone.why) for gone in Withdrawals.read(place).all] == [(digest, why)]

    registry = Registry(place)
    champion = registry.champion(MODEL)
    assert champion is not None, "it serves on"
    assert registry.versions(MODEL)[0].withdrawn == done["withdrawn_at"]
    uses = asked(capsys, "trace", "--uses", digest)
    assert uses["serving_model_learnt"] is True
    assert run(["styles", "promote", STYLE, "1"]) == 2
    assert "it learnt from a picture that was withdrawn" in capsys.readouterr().err

    trained = retrain(world)
    assert list(trained) == [STYLE]
    assert "not compared with version 1, which learnt from a picture" in "; ".join(trained[STYLE]["value"]["reasons"])
    if not trained[STYLE]["value"]["champion"]:  # so tiny a network need not pass its gate
        assert run(["styles", "promote", STYLE, "2", "--force"]) == 0
        capsys.readouterr()
    new = registry.champion(MODEL)
    assert new is not None
    assert (new.version, new.withdrawn, new.retired) == (2, "", "")
    everything = said(capsys, "trace", STYLE, "--all")
    assert not [name for name in names if name in everything]
    assert "learnt the style from 7 pictures and 7 mirrored twins" in " ".join(said(capsys, "trace", STYLE).split())
    uses = asked(capsys, "trace", "--uses", one.address)
    assert [(use["version"], use["learnt"]) for use in uses["versions"]] == [(1, True)]
    assert uses["serving_model_learnt"] is False
    (standing,) = uses["models"]
    assert (standing["model"], standing["learnt"], standing["serving"], standing["clean"]) == (MODEL, [1], 2, True)
    assert 0 <= standing["hours"] < 1
    told = said(capsys, "trace", "--uses", one.address)
    assert "no serving model learnt from it" in told
    assert f"{STYLE}: withdrawn at {done['withdrawn_at']}; champion version 2 since 20" in told
    assert run(["styles", "rollback", STYLE]) == 2, "the champion before it learnt from the picture"
    capsys.readouterr()

    retrain(world)
    assert len(registry.versions(MODEL)) == 2, "once"
    assert not any(path.exists() for path in one.files), "the crawl took the file of the folder again"
    again = asked(capsys, "withdraw", one.address)
    assert (again["withdrawn_at"], again["files_removed"]) == (done["withdrawn_at"], [])
    written = Withdrawals.read(place).all
    assert {gone.sha256 for gone in written} == {digest}
    assert len({gone.address for gone in written}) == len(written), "each address once"


def test_what_was_stopped_serves_again_by_the_next_version_that_passes_its_gate(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    place, registry, one = world.workspace, Registry(world.workspace), planted(world.workspace)
    said_so = said(capsys, "withdraw", one.address, "--stop-serving", "--dry-run")
    assert f"{STYLE}: would be taken out of service until another version passes its gate" in said_so
    assert registry.champion(MODEL) is not None
    assert asked(capsys, "withdraw", one.address, "--stop-serving")["stopped"] == [MODEL]
    assert (registry.champion(MODEL), registry.retired()) == (None, {MODEL: "withdrawal"})
    assert asked(capsys, "trace", "--uses", one.address)["serving_model_learnt"] is False
    weights = place.training(MODEL) / "weights.safetensors"
    good = {"ciede2000_median": 4.0, "luminance_ssim": 0.9, "leak": 0.0, "pattern_recognised": 1.0, "best_step": 200.0}
    made = Trained(weights, good, "demo", {"target": "without it"}, {"epochs": 3})
    card = registry.versions(MODEL)[0].card
    admission = admit_style(place, world.root / "no-training", card, [], place.prepared(STYLE), made, "cpu")
    assert admission.passed, admission.reasons
    champion = registry.champion(MODEL)
    assert champion is not None
    assert (champion.version, champion.retired) == (2, "")


def test_a_withdrawal_that_was_killed_is_completed_by_the_same_command(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = planted(world.workspace)
    gone = Path.unlink

    def dies(self: Path, missing_ok: bool = False) -> None:
        if self == one.prepared:
            raise KeyboardInterrupt
        gone(self, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", dies)
        assert run(["withdraw", one.address]) == 130
    assert one.prepared.exists()
    assert not Registry(world.workspace).versions(MODEL)[0].withdrawn
    capsys.readouterr()
    asked(capsys, "withdraw", one.address)
    assert not any(path.exists() for path in one.files)
    assert Registry(world.workspace).versions(MODEL)[0].withdrawn


def test_what_learnt_through_other_weights_and_other_styles_is_found(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    registry, one = Registry(world.workspace), planted(world.workspace)
    first = registry.versions(MODEL)[0]
    weights = StarterModels().style("red-solid")
    assert weights is not None
    pictures = world.root / "pictures.json"
    listed = {"source": {"learnt_from": [one.twin.name], "held_out": []}, "target": {"learnt_from": [], "held_out": []}}
    pictures.write_text(json.dumps(listed))
    registry.register("style-other", weights, {}, {"a": "1"}, {}, files={"pictures.json": pictures})
    pictures.write_text(json.dumps({"source": {"learnt_from": [], "held_out": [one.prepared.name]}}))
    tags = {"warm_start": first.weights_sha256}
    registry.register("style-warm", weights, {}, {"a": "2"}, {}, tags, files={"pictures.json": pictures})
    uses = {use["model"]: use for use in asked(capsys, "trace", "--uses", one.address)["versions"]}
    assert uses["style-other"]["learnt_from"] == [one.twin.name]
    assert (uses["style-warm"]["started_from"], uses["style-warm"]["held_out"]) == (
        f"{MODEL} version 1",
        [one.prepared.name],
    )
    asked(capsys, "withdraw", one.address)
    assert {v.model for v in registry.all_versions() if v.withdrawn} == {MODEL, "style-other", "style-warm"}


def test_the_same_bytes_elsewhere_are_known(world: World) -> None:
    place, one = world.workspace, planted(world.workspace)
    assert run(["withdraw", one.address, "--why", "asked"]) == 0
    copy = world.root / "copy.jpg"
    shutil.copyfile(one.address, copy)
    os.utime(copy)
    (row,) = fetch([Candidate(str(copy))], place.crawl("another-style"), CrawlSettings())
    assert (row.status, row.reason, row.path) == ("withdrawn", "withdrawn", "")
    assert "asked" in row.detail
    assert not list(place.crawl("another-style").glob("*.jpg"))
    assert Pictures(place).find(str(copy)).crawled == {one.crawled.stem}
