"""``try-on`` says on stderr and in its JSON where models that know drawings alone are pointed at a photo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import fittingroom.segmentation.predict
import fittingroom.translation.predict
from fittingroom.cli import run
from fittingroom.domain import MARK, is_rendered
from fittingroom.images import encode_png
from fittingroom.registry.registry import Registry
from fittingroom.settings import get_settings
from fittingroom.training.weights import save_weights
from tests.tryon.stand_ins import Finder, Painter

WARNING = "warning: the segmenter and the style red have seen drawings of the sample world only, and this is a photo"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace in which a segmenter and a style of the rendered world serve."""
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "w"))
    get_settings.cache_clear()
    monkeypatch.setattr(fittingroom.segmentation.predict.Segmenter, "load", staticmethod(lambda *_, **__: Finder()))
    monkeypatch.setattr(fittingroom.translation.predict.Translator, "load", staticmethod(lambda *_, **__: Painter()))
    registry = Registry(tmp_path / "w")
    for model in ("segmenter", "style-red"):
        weights = tmp_path / f"{model}.safetensors"
        save_weights(weights, "any", {"w": torch.zeros(1)}, {}, {"domain": "rendered"})
        version = registry.register(model, weights, {}, {"data": model}, {}, {"domain": "rendered"})
        registry.promote(model, version.version)
    yield tmp_path
    get_settings.cache_clear()


def photo(path: Path, comment: str = "") -> Path:
    picture = np.full((80, 70, 3), 120, np.uint8)
    picture[20:60, 20:50] = 40  # where the stand-in finds a garment
    path.write_bytes(encode_png(picture, comment=comment))
    return path


def test_a_photo_is_warned_of_and_a_drawing_is_not(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real, drawn = photo(place / "real.png"), photo(place / "drawn.png", MARK)
    assert run(["try-on", str(real), "--style", "red", "-o", str(place / "a.png"), "--json"]) == 0
    said = capsys.readouterr()
    assert any(line.startswith(WARNING) for line in said.err.splitlines())
    assert any(message.startswith(WARNING) for message in json.loads(said.out)["messages"])

    assert run(["try-on", str(drawn), "--style", "red", "-o", str(place / "b.png")]) == 0
    assert "warning" not in capsys.readouterr().err
    assert is_rendered(place / "b.png"), "so that a second garment can be tried on it"
    assert not is_rendered(place / "a.png")


def test_a_segmenter_in_a_file_speaks_for_itself(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real, own = photo(place / "real.png"), place / "own.safetensors"
    save_weights(own, "segmenter", {"w": torch.zeros(1)}, {}, {"domain": "photo"})
    arguments = ["try-on", str(real), "--style", "red", "-o", str(place / "a.png"), "--segmenter", str(own)]
    assert run(arguments) == 0
    assert "warning: the style red has seen drawings" in capsys.readouterr().err
