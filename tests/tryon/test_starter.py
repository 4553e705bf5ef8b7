"""Starter models answer until one's own do; what the package ships is small, whole and says nothing of a machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from fittingroom.appearance.choose import AvailableStyle
from fittingroom.errors import MissingInputError, WeightsRejected
from fittingroom.registry.registry import Registry, style_model
from fittingroom.registry.serving import Serving
from fittingroom.registry.starters import FOLDER, TAGS, StarterModels
from fittingroom.segmentation.predict import KIND as SEGMENTER
from fittingroom.segmentation.predict import Segmenter
from fittingroom.training.weights import halved, read_weights, save_weights
from fittingroom.translation import settings as translation_settings
from fittingroom.translation.networks import build_generator
from fittingroom.translation.predict import KIND as STYLE
from fittingroom.translation.predict import Translator
from fittingroom.tryon.models import Champions

RED = AvailableStyle("red-solid", "red", "solid", "vest", (40.0, 50.0, 25.0))
SHIPPED = sorted(FOLDER.glob("*.safetensors"))


def style_weights(path: Path, tags: dict[str, str] | None = None) -> Path:
    settings = translation_settings.preset("demo")
    save_weights(
        path, STYLE, halved(build_generator(settings).state_dict()), settings.to_json(), {TAGS: tags} if tags else {}
    )
    return path


def test_they_serve_until_a_style_of_ones_own_does(tmp_path: Path) -> None:
    style_weights(tmp_path / "starter" / "style-red-solid.safetensors", RED.to_tags())
    registry = Registry(tmp_path / "ws")
    serving = Serving(registry, StarterModels(tmp_path / "starter"))
    champions = Champions(serving, "cpu")
    assert [(served.name, served.starter) for served in serving.all()] == [("red-solid", True)]
    assert champions.styles() == [RED]
    assert next(champions.translator("red-solid").generator.parameters()).dtype == torch.float32
    with pytest.raises(MissingInputError, match="there is red-solid"):
        champions.translator("blue-solid")
    with pytest.raises(MissingInputError, match="no champion"):
        champions.segmenter()

    own = AvailableStyle("blue-solid", "blue", "solid", "vest", (40.0, 0.0, -40.0))
    weights = style_weights(tmp_path / "own.safetensors")
    registry.register(style_model(own.name), weights, {}, {"d": "1"}, {}, own.to_tags())
    registry.promote("style-blue-solid", 1)
    assert [(served.name, served.starter) for served in serving.all()] == [("blue-solid", False)]
    assert champions.styles() == [own]
    with pytest.raises(MissingInputError, match="there is blue-solid"):
        champions.translator("red-solid")


def test_without_any_there_is_nothing(tmp_path: Path) -> None:
    none = StarterModels(tmp_path)
    assert (none.segmenter(), none.styles(), none.style("red-solid")) == (None, [], None)
    (tmp_path / "style-x.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0nonsense")
    with pytest.raises(WeightsRejected, match="style-x"):
        none.styles()


def test_what_is_shipped_is_small_and_has_a_card() -> None:
    assert StarterModels().segmenter()
    assert StarterModels().styles()
    assert sum(path.stat().st_size for path in SHIPPED) <= 25_000_000
    card = (FOLDER / "MODEL_CARD.md").read_text()
    for path in SHIPPED:
        assert path.stem.removeprefix("style-") in card
        with safe_open(str(path), framework="pt") as file:
            assert not re.search(r"/(home|root|work|tmp|Users)/", str(file.metadata()))


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_what_is_shipped_loads_and_is_half_precision(path: Path) -> None:
    kind = SEGMENTER if path.stem == "segmenter" else STYLE
    assert {t.dtype for t in read_weights(path, kind).tensors.values() if t.is_floating_point()} == {torch.float16}
    (Segmenter if kind == SEGMENTER else Translator).load(path, "cpu")


def test_what_is_shipped_describes_its_styles() -> None:
    for style in StarterModels().styles():
        assert style.pattern
        if style.pattern == "solid":
            assert style.colour
            assert style.lab
            assert style.category
        else:
            assert (style.colour, style.lab, style.category) == ("", None, ""), "any colours, on anything"
