"""A style's training as a flow, really trained on tiny pictures: from nothing, or from a champion's weights."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from fittingroom.appearance.choose import AvailableStyle
from fittingroom.cli import run
from fittingroom.errors import Damaged
from fittingroom.registry import intact
from fittingroom.registry.registry import Registry, style_model
from fittingroom.settings import get_settings
from fittingroom.style_card import CARD_FILE, StyleCard
from fittingroom.training.weights import read_weights, save_weights
from fittingroom.translation.networks import build_generator
from fittingroom.translation.predict import KIND
from fittingroom.translation.settings import StyleSettings, preset
from fittingroom.workspace import Workspace, digest_file
from flows.crawl_garments import crawl_garments
from flows.parameters import (
    CrawlParameters,
    PrepareParameters,
    RegisterStyleParameters,
    RetrainParameters,
    TrainStyleParameters,
)
from flows.prepare_garments import prepare_garments
from flows.register_style import register_style
from flows.retrain_styles import retrain_styles
from flows.train_style import train_style
from tasks.cards import pending_styles
from tests.live.live_world import STYLE, build_world
from tests.translation.style_builders import GREYS, TINY, write_garments

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.slow]

SETTINGS = TINY | {"epochs": 1, "steps_per_epoch": 2, "sample_steps": 2}
COLOURS = {"bright-red": (185, 25, 35), "blue": (40, 60, 170), "crimson": (165, 22, 40)}
LAB = {"bright-red": (39.5, 60.0, 39.0), "blue": (29.0, 27.0, -58.0)}


def serve(place: Workspace, name: str, seed: int, lab: tuple[float, float, float], settings: StyleSettings) -> Path:
    """Let random weights serve as the style ``name``; ``seed`` is none that a training begins with."""
    torch.manual_seed(seed)
    weights = place.root / f"{name}.safetensors"
    save_weights(weights, KIND, build_generator(settings).state_dict(), settings.to_json())
    tags = AvailableStyle(name, "red", "solid", "vest", lab).to_tags()
    registry = Registry(place)
    version = registry.register(style_model(name), weights, {}, {"target": name}, settings.to_json(), tags)
    registry.promote(style_model(name), version.version, "for a test")
    return weights


def distance(place: Workspace, other: Path) -> float:
    """Mean difference between the parameters that were trained and those in a file."""
    trained = read_weights(place.training(style_model("crimson")) / "weights.safetensors", KIND).tensors
    before = read_weights(other, KIND).tensors
    parts = [
        (trained[name] - before[name]).abs().mean() for name in before if name.endswith("weight") and before[name].ndim
    ]
    return float(torch.stack(parts).mean())


def test_a_style_starts_from_the_champion_that_looks_most_alike(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    write_garments(place.prepared("people-garments"), 8, GREYS)
    write_garments(place.prepared("crimson"), 6, [COLOURS["crimson"]])
    settings = preset("demo").with_overrides(**SETTINGS)
    weights = {name: serve(place, name, seed, lab, settings) for seed, (name, lab) in enumerate(LAB.items(), 21)}
    larger = preset("demo").with_overrides(**SETTINGS | {"filters": 8})
    serve(place, "same-red", 9, (36.0, 55.0, 33.0), larger)

    def train(from_nearest: bool) -> str:
        parameters = TrainStyleParameters(
            workspace=place.root, style="crimson", category="vest", pattern="solid", preset="demo", settings=SETTINGS,
            from_nearest=from_nearest, device="cpu",
        )  # fmt: skip
        return str(train_style(parameters)["value"]["model"])

    assert train(from_nearest=True) == "style-crimson"
    near, far = distance(place, weights["bright-red"]), distance(place, weights["blue"])
    assert near < 0.1 * far, "two steps away from the red one's weights, though same-red, of another size, is nearer"

    train(from_nearest=False)
    assert distance(place, weights["bright-red"]) > 10 * near, "another start is another training"
    assert len(Registry(place).versions("style-crimson")) == 2

    registry = Registry(place)
    newest = registry.versions("style-crimson")[0]
    path = registry.weights_path(newest)
    facts, data = path.stat(), bytearray(path.read_bytes())
    data[-3] ^= 0x10
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))  # as a disk does it, which tells nobody
    intact._digest.cache_clear()
    with pytest.raises(Damaged, match="`fittingroom run register-style --param style=crimson` registers it again"):
        registry.weights_path(newest)
    register_style(RegisterStyleParameters(workspace=place.root, style="crimson", preset="demo"))
    assert registry.weights_path(newest) == path, "what the message says does help"
    assert digest_file(path) == newest.weights_sha256


def test_a_style_that_its_catalog_gives_no_colour_is_learnt_as_its_pattern_alone(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    write_garments(place.prepared("people-garments"), 8, GREYS)
    write_garments(place.prepared("plain"), 6, list(COLOURS.values()))
    StyleCard("plain", "", "solid", "vest", catalog_digest="5f").write(place.crawl("plain") / CARD_FILE)
    settings = {"preset": "demo", "settings": SETTINGS, "device": "cpu"}
    train_style(TrainStyleParameters(workspace=place.root, style="plain", **settings))
    (version,) = Registry(place).versions(style_model("plain"))
    assert (version.card.colour, version.card.lab, version.card.pattern) == ("", None, "solid")
    assert version.recipe["random_dyes"]
    assert not version.recipe["given_repeat"]
    assert version.digests["style"] == "5f"


def test_a_style_trained_by_hand_is_registered_with_the_same_facts_as_by_the_retraining(tmp_path: Path) -> None:
    world = build_world(tmp_path, pictures=8)
    place = world.workspace
    write_garments(place.prepared("people-garments"), 8, GREYS)
    settings = {"preset": "demo", "settings": SETTINGS, "device": "cpu"}
    retrain_styles(RetrainParameters(workspace=place.root, catalog=world.catalog, styles=[STYLE], **settings))
    train_style(TrainStyleParameters(workspace=place.root, style=STYLE, seed=1, **settings))
    by_hand, retrained = Registry(place).versions(style_model(STYLE))
    facts = ("category", "colour", "pattern")
    assert [by_hand.tags[name] for name in facts] == [retrained.tags[name] for name in facts]
    assert by_hand.tags["category"] == "short sleeve top"
    assert by_hand.digests["style"] == retrained.digests["style"] != ""


def test_a_crawled_style_that_the_command_line_trained_is_not_pending_and_is_the_version_of_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = build_world(tmp_path, pictures=8)
    place = world.workspace
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(place.root))
    monkeypatch.setenv("FITTINGROOM_DEVICE", "cpu")
    get_settings.cache_clear()
    write_garments(place.prepared("people-garments"), 8, GREYS)
    crawl_garments(CrawlParameters(workspace=place.root, catalog=world.catalog, styles=[STYLE]))
    prepare_garments(PrepareParameters(workspace=place.root, styles=[STYLE]))
    assert "there is no version of it yet" in pending_styles(place, world.catalog, [STYLE]).why[STYLE]
    train = ["train", "style", STYLE, "--source", str(place.prepared("people-garments"))]
    train += ["--preset", "demo", *(f"--set={name}={json.dumps(value)}" for name, value in SETTINGS.items())]
    copied = shutil.copytree(place.prepared(STYLE), tmp_path / "copied")
    try:
        assert run([*train, "--target", str(copied), "--out", str(tmp_path / "out")]) in (0, 1)
        assert "was trained by hand" in pending_styles(place, world.catalog, [STYLE]).why[STYLE], "on other pictures"
        assert run([*train, "--target", str(place.prepared(STYLE))]) in (0, 1), "the gate says what it says"
    finally:
        get_settings.cache_clear()
    assert pending_styles(place, world.catalog, [STYLE]).why == {}
    by_hand = Registry(place).versions(style_model(STYLE))[0]
    settings = {"preset": "demo", "settings": SETTINGS, "device": "cpu"}
    outcome = train_style(TrainStyleParameters(workspace=place.root, style=STYLE, **settings))
    assert outcome["value"]["version"] == by_hand.version, "the same training, pictures and recipe: registered once"
    assert by_hand.tags["category"] == "short sleeve top"
    assert {"sample.png", "progress.jsonl", "pictures.json"} <= set(by_hand.files)
