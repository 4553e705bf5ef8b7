"""The serving models come out of the registry, once each, and again when another version becomes champion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fittingroom.appearance.choose import AvailableStyle
from fittingroom.errors import MissingInputError
from fittingroom.registry.registry import Registry, style_model
from fittingroom.registry.serving import Serving
from fittingroom.training.weights import save_weights
from fittingroom.translation import settings as translation_settings
from fittingroom.translation.networks import build_generator
from fittingroom.translation.predict import Translator
from fittingroom.tryon.models import Champions

STYLE = AvailableStyle("navy-dotted", "blue", "dotted", "vest", (20.0, 10.0, -35.0))


def style_weights(path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    settings = translation_settings.preset("demo")
    save_weights(path, "style", build_generator(settings).state_dict(), settings.to_json())
    return path


def flat(translator: Translator) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in translator.generator.state_dict().values()])


def test_from_registry_to_translation(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "ws")
    champions = Champions(Serving(registry), "cpu")
    assert champions.styles() == []
    with pytest.raises(MissingInputError, match="there is none yet"):
        champions.translator("navy-dotted")
    with pytest.raises(MissingInputError, match="segmenter not found: no champion"):
        champions.segmenter()

    for seed in (1, 2):
        weights = style_weights(tmp_path / f"{seed}.safetensors", seed)
        registry.register(style_model(STYLE.name), weights, {}, {"d": str(seed)}, {}, STYLE.to_tags())
    registry.promote("style-navy-dotted", 1)
    assert champions.styles() == [STYLE]
    assert champions.versions() == {"navy-dotted": 1}
    first = champions.translator("navy-dotted")
    assert champions.translator("navy-dotted") is first
    before = flat(first)
    registry.promote("style-navy-dotted", 2)
    assert champions.versions() == {"navy-dotted": 2}
    second = champions.translator("navy-dotted")
    assert second is not first
    assert not torch.equal(flat(second), before)
    registry.rollback("style-navy-dotted")
    again = champions.translator("navy-dotted")
    assert torch.equal(flat(again), before)
    size = again.size
    white, nothing = np.full((size, size, 3), 255, np.uint8), np.zeros((size, size), bool)
    assert (again.translate(white, nothing) == 255).all()
