"""``try-on`` with a picture of the very garment: its colours, what is said of them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fittingroom.segmentation.predict
import fittingroom.translation.predict
from fittingroom.appearance.choose import AvailableStyle
from fittingroom.cli import run
from fittingroom.images import read_rgb, write_png
from fittingroom.registry.registry import Registry
from fittingroom.settings import get_settings
from fittingroom.training.weights import save_weights
from tests.tryon.stand_ins import Dyer, Finder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace in which a plain style that takes dyes serves, and three pictures."""
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "w"))
    get_settings.cache_clear()
    monkeypatch.setattr(fittingroom.segmentation.predict.Segmenter, "load", staticmethod(lambda *_, **__: Finder()))
    monkeypatch.setattr(fittingroom.translation.predict.Translator, "load", staticmethod(lambda *_, **__: Dyer()))
    registry = Registry(tmp_path / "w")
    tags = AvailableStyle("plain", "red", "solid", "", (43.0, 60.0, 38.0)).to_tags()
    for model, recipe, words in (("segmenter", {}, {}), ("style-plain", {"skip": "palette"}, tags)):
        weights = tmp_path / f"{model}.safetensors"
        save_weights(weights, "any", {"w": torch.zeros(1)}, {}, {})
        registry.promote(model, registry.register(model, weights, {}, {"data": model}, recipe, words).version)
    write_png(tmp_path / "me.png", np.full((80, 70, 3), 120, np.uint8))
    write_png(tmp_path / "green.png", np.full((200, 160, 3), (47, 107, 58), np.uint8))
    rows = np.where(
        (np.arange(200) % 10 < 5)[:, None, None], np.array([20, 30, 90], np.uint8), np.array([235, 235, 230], np.uint8)
    )
    write_png(tmp_path / "striped.png", np.repeat(rows, 160, 1))
    yield tmp_path
    get_settings.cache_clear()


def try_on(place: Path, style: str, *more: str) -> int:
    return run(["try-on", str(place / "me.png"), "--style", style, "-o", str(place / "out.png"), *more])


def test_a_pictures_own_colours_and_how_near_they_came(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert try_on(place, str(place / "green.png"), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["colour"] == [{"part": "ground", "wanted": "#2f6b3a", "got": "#2f6b3a", "ciede2000": 0.0}]
    assert (said["style"], said["exact"], said["own_colours"], said["distance"]) == ("plain", True, True, 0.0)
    assert (said["described"]["colour"], said["described"]["pattern"]) == ("green", "solid")
    assert "to plain in #2f6b3a" in said["sentence"]
    assert read_rgb(place / "out.png")[40, 35].tolist() == pytest.approx([47, 107, 58], abs=3)

    assert try_on(place, str(place / "green.png")) == 0
    assert "#2f6b3a came out as #2f6b3a, the same to the eye (CIEDE2000 0.0): " in capsys.readouterr().out


def test_house_colours_keep_the_styles_and_say_how_far_that_is(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert try_on(place, str(place / "green.png"), "--house-colours", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["own_colours"], said["exact"], said["distance"] > 30) == (False, False, True)
    assert said["colour"][0]["ciede2000"] > 30
    assert "no style is green solid; the nearest is plain (red, solid) (distance " in said["sentence"]
    assert read_rgb(place / "out.png")[40, 35, 0] > 150


def test_a_named_style_in_any_colour(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert try_on(place, "plain", "--colour", "#2f6b3a", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["colour"][0]["ciede2000"] == 0.0
    assert (said["described"], said["own_colours"]) == (None, True)
    assert try_on(place, "plain", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["colour"], said["own_colours"]) == ([], False)


def test_a_missing_pattern_ends_with_1_and_no_picture_unless_the_nearest_is_taken(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    striped = str(place / "striped.png")
    assert try_on(place, striped) == 1
    said = capsys.readouterr()
    assert "striped; the nearest is plain (red, solid), solid instead of striped; nothing was painted" in said.err
    assert said.out == ""
    assert not (place / "out.png").exists()
    assert try_on(place, striped, "--nearest", "--json") == 0
    taken = json.loads(capsys.readouterr().out)
    assert (taken["exact"], taken["distance"]) == (False, 25.0)
    assert "solid instead of striped (distance 25)" in taken["sentence"]
    assert [dye["part"] for dye in taken["colour"]] == ["ground", "figure"]
    assert taken["colour"][1]["ciede2000"] > 20, "plain cloth has no stripes"


@pytest.mark.parametrize(
    ("style", "more", "words"),
    [
        ("green.png", ["--colour", "red"], "a picture brings its own colours"),
        ("plain", ["--colour", "redd"], "colour: expected #rrggbb, a CSS name such as seagreen, or lab(L a b), got"),
        ("plain", ["--colour", "red", "--house-colours"], "colour and house colours: expected one of them"),
        ("striped.png", ["--exact", "--nearest"], "exact and nearest: expected one of them"),
        ("striped.png", ["--exact"], "striped; there is plain"),
    ],
)
def test_wrong_usage_is_one_line_and_2(
    place: Path, capsys: pytest.CaptureFixture[str], style: str, more: list[str], words: str
) -> None:
    wanted = str(place / style) if style.endswith(".png") else style
    assert try_on(place, wanted, *more) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert said.out == ""


def test_a_picture_of_nothing_but_cloth(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class OnlyOnPeople(Finder):
        """Finds no garment on a swatch."""

        def find(self, image: np.ndarray, score_threshold: float | None = None) -> list[Any]:
            return super().find(image, score_threshold) if image.shape[:2] == (80, 70) else []

    load = staticmethod(lambda *_, **__: OnlyOnPeople())
    monkeypatch.setattr(fittingroom.segmentation.predict.Segmenter, "load", load)
    assert try_on(place, str(place / "green.png")) == 1
    assert "a picture of nothing but cloth is taken as such (--cloth" in capsys.readouterr().err
    assert try_on(place, str(place / "green.png"), "--cloth", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["colour"] == [{"part": "ground", "wanted": "#2f6b3a", "got": "#2f6b3a", "ciede2000": 0.0}]
    assert try_on(place, str(place / "striped.png"), "--cloth") == 1, "no style is striped"
    assert "striped" in capsys.readouterr().err
    assert try_on(place, "plain", "--cloth") == 2
    assert "--cloth: expected a picture of cloth as the style, got a style's name: plain" in capsys.readouterr().err
